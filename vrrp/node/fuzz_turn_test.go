package node

import (
	"net/netip"
	"time"

	"standfast/vrrp"
)

// turn reads one thing to happen from the tape: usually time passes, then the world changes or an event comes.
func (o *ordeal) turn() {
	t := &o.tape
	what := t.below(26)
	o.pass(pick(t, 0, time.Microsecond, time.Millisecond, 20*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond,
		time.Second, time.Second, 3*time.Second, 10*time.Second, time.Minute))
	switch what {
	case 0:
		o.step(Expired{}) // early
	case 1:
		o.stall(pick(t, time.Millisecond, 500*time.Millisecond, 1600*time.Millisecond, 5*time.Second, 150*time.Second))
	case 2, 3:
		o.port(pick(t, places...))
	case 4:
		o.step(CarrierLost{Port: pick(t, places[0], places[1], places[2], places[3], "nowhere")})
	case 5:
		o.oddReading()
	case 6, 7:
		o.someAdvert()
	case 8:
		o.rawFrame()
	case 9:
		o.rawHeard()
	case 10:
		o.neighbours()
	case 11:
		o.kernelSays()
	case 12:
		o.step(Deleted{Key: o.someKey()})
	case 13:
		o.reloadSame()
	case 14:
		o.reload(t.config())
	case 15:
		if t.below(8) == 7 {
			o.step(Stop{})
		}
	case 16, 17:
		o.answers[pick(t, places[1], places[2], places[0])] = pick(t, 0, lesser, greater, stranger, proxy)
		o.cached, o.virtual = t.below(4) == 1, t.below(4) == 1
	case 18:
		o.behave(manner(t.below(int(manners))))
	case 19, 20:
		o.speak(pick(t, 0, lesser, greater), pick[uint8](t, 0, 1, 50, 100, 200, 254, 255))
	case 21:
		o.deaf, o.blind = t.below(3) == 1, t.below(3) == 1
		o.flight = pick(t, 200*time.Microsecond, 5*time.Millisecond, 60*time.Millisecond, 150*time.Millisecond)
	case 22: // the peer serves: it sends adverts and answers
		who := pick(t, lesser, greater)
		for _, p := range places {
			o.answers[p] = who
		}
		o.speak(who, pick[uint8](t, 200, 255, 50))
	case 23: // and falls silent, with its ports or without
		o.answers = map[Port]station{}
		o.speak(0, 0)
		if t.below(2) == 1 {
			o.ports[places[0]].Carrier = CarrierDown
			o.step(CarrierLost{Port: places[0]})
		}
	case 24:
		o.death()
	case 25:
		o.crowd()
	}
}

// death is the scene of the crossover cable: a peer that was heard and answered long enough to be learnt goes dark, and perhaps
// says something still.
func (o *ordeal) death() {
	i := o.someInstance()
	f := i.VRRP.Family
	for _, p := range places[1:3] {
		o.answers[p] = greater
		o.step(Neighbours{Port: p, Gateways: []netip.Addr{gateway.addr(f, p)}})
	}
	o.cached, o.virtual, o.deaf = false, false, false
	o.speak(greater, 254)
	o.pass(pick(&o.tape, 12*time.Second, 3*time.Second))
	o.answers = map[Port]station{}
	o.speak(0, 0)
	o.ports[i.Port].Carrier = CarrierDown
	o.step(CarrierLost{Port: i.Port})
	o.pass(pick(&o.tape, time.Millisecond, 0, 5*time.Millisecond, 500*time.Millisecond))
	if o.tape.below(3) > 0 {
		o.advert(i, greater, pick[uint8](&o.tape, 254, 254, 0, 1), i.VRRP.Interval)
	}
}

// crowd is many strangers at once: on the heartbeat, or on a segment and about one of its addresses.
func (o *ordeal) crowd() {
	i, about := o.someInstance(), o.tape.below(3)
	v := i.VIPs[o.tape.below(len(i.VIPs))]
	payload, err := i.VRRP.Advert(o.tape.next()).Append(nil, lesser.addr(i.VRRP.Family, i.Port), i.VRRP.Family.Group())
	if err != nil {
		o.tb.Fatal(err)
	}
	for k := range 1 + o.tape.below(90) {
		mac := MAC{2, 8, byte(k)}
		somebody := netip.AddrFrom4([4]byte{10, v.Port[1], 1, byte(k)})
		switch about {
		case 0: // with the checksum of another sender, which version 2 does not mind
			o.step(Frame{Port: i.Port, MAC: mac, Src: somebody, Dst: i.VRRP.Family.Group(), TTL: 255, Payload: payload})
		case 1:
			o.step(Heard{Port: v.Port, Op: Gratuitous, Sender: v.Prefix.Addr(), MAC: mac, Target: v.Prefix.Addr()})
		case 2:
			o.step(Heard{Port: v.Port, Op: Request, Sender: somebody, MAC: mac, Target: v.Prefix.Addr()})
			o.step(Heard{Port: v.Port, Op: Request, Sender: netip.IPv4Unspecified(), MAC: mac, Target: v.Prefix.Addr()})
		}
	}
}

// port changes the state of a port and lets it be read, alone or with the others, or not.
func (o *ordeal) port(p Port) {
	s := o.ports[p]
	switch o.tape.below(8) {
	case 0, 1:
		s.Carrier = CarrierDown
	case 2, 3:
		s.Present, s.AdminUp, s.Carrier = true, true, CarrierUp
	case 4:
		s.AdminUp = !s.AdminUp
	case 5:
		s.Present = !s.Present
	case 6:
		s.Carrier = CarrierUnknown
	case 7:
		s.Addresses = nil
	}
	switch o.tape.below(4) {
	case 0, 1:
		o.step(o.read())
	case 2:
		o.step(PortsRead{Ports: []PortState{*s}})
	case 3: // nobody noticed
	}
}

// oddReading is a reading that does not fit the world.
func (o *ordeal) oddReading() {
	s := PortState{
		Port: pick(&o.tape, places[0], places[1], places[2], "nowhere", ""), Present: o.tape.below(4) > 0, AdminUp: o.tape.below(4) > 0,
		Carrier: Carrier(o.tape.below(4)), MAC: pick(&o.tape, MAC{}, myself.mac("p0"), lesser.mac("p0")), Culprit: pick(&o.tape, "", "card 0000:03 is gone"),
	}
	if f := pick(&o.tape, vrrp.IPv4, vrrp.IPv6); o.tape.below(2) == 1 {
		s.Addresses = []netip.Prefix{vip(f, places[1], o.tape.below(3)), {}, netip.PrefixFrom(lesser.addr(f, places[0]), 24)}
	}
	o.step(PortsRead{Ports: []PortState{s, s}, Own: pick(&o.tape, nil, []MAC{}, []MAC{lesser.mac("p0"), {}})})
}

func (o *ordeal) someInstance() Instance { return o.cfg.Instances[o.tape.below(len(o.cfg.Instances))] }

func (o *ordeal) someKey() Key {
	if o.tape.below(8) == 7 {
		return Key{Port: "nowhere", VRID: 7, Family: vrrp.IPv4}
	}
	return o.someInstance().Key()
}

// someAdvert is a good advert of somebody, once, with an interval of its own where the version lets it have one.
func (o *ordeal) someAdvert() {
	i := o.someInstance()
	interval := i.VRRP.Interval
	if i.VRRP.Version == vrrp.V3 {
		interval = pick(&o.tape, interval, interval, 10*time.Millisecond, 40950*time.Millisecond)
	}
	o.advert(i, pick(&o.tape, lesser, greater, myself, stranger), pick[uint8](&o.tape, 0, 1, 50, 99, 100, 101, 200, 254, 255), interval)
}

// rawFrame is a frame of bytes, or a good one that was harmed.
func (o *ordeal) rawFrame() {
	i := o.someInstance()
	f := Frame{
		Port: pick(&o.tape, i.Port, places[1], "nowhere"), MAC: pick(&o.tape, lesser, greater, myself).mac(i.Port),
		TTL: pick(&o.tape, 255, 254, -1), Dst: i.VRRP.Family.Group(),
		Src: pick(&o.tape, lesser.addr(i.VRRP.Family, i.Port), netip.Addr{}, i.VIPs[0].Prefix.Addr(), netip.MustParseAddr("::ffff:10.0.0.1")),
	}
	payload, err := i.VRRP.Advert(o.tape.next()).Append(nil, lesser.addr(i.VRRP.Family, i.Port), f.Dst)
	if err != nil {
		o.tb.Fatal(err)
	}
	for range o.tape.below(4) {
		payload[o.tape.below(len(payload))] = o.tape.next()
	}
	f.Payload = payload[:len(payload)-o.tape.below(2)*o.tape.below(len(payload))]
	o.step(f)
}

// rawHeard is an ARP or ND message of anybody about anything.
func (o *ordeal) rawHeard() {
	p := pick(&o.tape, places[1], places[2], places[0], "nowhere")
	f := pick(&o.tape, vrrp.IPv4, vrrp.IPv6)
	segment := pick(&o.tape, places[1], places[2])
	about := func() netip.Addr {
		return pick(&o.tape, vip(f, segment, o.tape.below(6)).Addr(), gateway.addr(f, segment), myself.addr(f, segment), netip.IPv4Unspecified(), netip.Addr{},
			netip.AddrFrom4([4]byte{10, 9, o.tape.next(), 7}))
	}
	mac := pick(&o.tape, lesser.mac(segment), greater.mac(segment), stranger.mac(segment), myself.mac(segment), MAC{}, MAC{0, 0, 0x5e, 0, 1, 50}, MAC{2, 9, o.tape.next()})
	for range 1 + o.tape.below(3) {
		o.step(Heard{Port: p, Op: Op(o.tape.below(5)), Sender: about(), MAC: mac, Target: about()})
	}
}

func (o *ordeal) neighbours() {
	f := pick(&o.tape, vrrp.IPv4, vrrp.IPv6)
	p := pick(&o.tape, places[1], places[2], "nowhere")
	e := Neighbours{Port: p, Known: map[netip.Addr]MAC{}}
	for range o.tape.below(3) {
		e.Gateways = append(e.Gateways, pick(&o.tape, gateway.addr(f, places[1]), gateway.addr(f, places[2]), netip.Addr{}, vip(f, places[1], 0).Addr()))
	}
	for range o.tape.below(12) {
		x := o.tape.next()
		e.Known[netip.AddrFrom4([4]byte{10, 9, 9, x})] = MAC{2, 9, 9, x % 16}
	}
	o.step(e)
}

// kernelSays is an answer that nobody asked for, or another than was asked for.
func (o *ordeal) kernelSays() {
	k, why, took := o.someKey(), pick(&o.tape, "", "no", "still no"), pick(&o.tape, 0, time.Millisecond, 20*time.Second)
	switch o.tape.below(3) {
	case 0:
		o.step(Installed{Key: k, Serving: o.tape.below(2) == 0, Err: why, Took: took})
	case 1:
		o.step(Withdrawn{Key: k, Err: why, Took: took})
	case 2:
		o.step(Renewed{Key: k, Err: why, Took: took})
	}
}

// reload replaces the configuration. The peer speaks for its instances from now on.
func (o *ordeal) reload(c Config) {
	o.next = c
	o.step(Reload{Config: c})
	o.speak(o.speaker, o.priority)
}

// reloadSame reads the configuration again when nothing else is due: nothing may move.
func (o *ordeal) reloadSame() {
	o.step(Expired{})
	o.step(Expired{})
	o.still = true
	o.step(Reload{Config: o.cfg})
	o.still = false
}

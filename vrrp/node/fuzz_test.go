package node

import (
	"bytes"
	"cmp"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
)

// FuzzEvents reads a configuration and a stream of events with their times from bytes, and feeds them to a brain. Some bytes
// change the world it lives in, which answers its questions and takes its addresses as a world does; others are events that
// no world would send. After each of them everything is looked at that must always hold (fuzz_vigil_test.go), in the end
// whether the brain finds its way in a world that is well again, and whether another brain does the same with the same events.
func FuzzEvents(f *testing.F) {
	tapes := uint64(60)
	if testing.Short() {
		tapes = 10
	}
	for seed := range tapes {
		f.Add(randomTape(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) { newOrdeal(t, b).run() })
}

// randomTape is a tape of a few dozen turns. Chance fills it well: every byte of it means something.
func randomTape(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 3))
	b := make([]byte, 60+r.IntN(300))
	for k := range b {
		b[k] = byte(r.Uint32())
	}
	return b
}

// tape is what the choices are read from. Behind its end every choice is the first.
type tape []byte

func (t *tape) next() byte {
	if len(*t) == 0 {
		return 0
	}
	b := (*t)[0]
	*t = (*t)[1:]
	return b
}

func (t *tape) below(n int) int { return int(t.next()) % n }

func pick[T any](t *tape, from ...T) T { return from[t.below(len(from))] }

// The ports of an ordeal: heartbeats, a port that serves and may carry adverts too, one that serves, and one that no
// configuration has.
var places = []Port{"p0", "p1", "p2", "p3", "p4"}

// station is somebody on the segments.
type station uint8

const (
	myself  station = iota + 1
	lesser          // a peer with a lower address than ours
	greater         // one with a higher address
	gateway
	stranger
	proxy
)

func (s station) mac(p Port) MAC { return MAC{2, byte(s), p[1]} }

// addr is the address of a station on a segment.
func (s station) addr(f vrrp.Family, p Port) netip.Addr {
	host := map[station]byte{myself: 20, lesser: 10, greater: 30, gateway: 254, stranger: 40, proxy: 50}[s]
	if f == vrrp.IPv6 {
		if s == myself || s == lesser || s == greater {
			return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 14: p[1], 15: host})
		}
		return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 3: p[1], 15: host})
	}
	return netip.AddrFrom4([4]byte{10, p[1], 0, host})
}

// vip is one of the virtual addresses of a segment.
func vip(f vrrp.Family, p Port, k int) netip.Prefix {
	if f == vrrp.IPv6 {
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 3: p[1], 15: 100 + byte(k)}), 64)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, p[1], 0, 100 + byte(k)}), 24)
}

// config reads a configuration that the daemon would accept.
func (t *tape) config() Config {
	var c Config
	for range 1 + t.below(3) {
		i := t.instance()
		if !slices.ContainsFunc(c.Instances, func(j Instance) bool { return j.Key() == i.Key() }) {
			c.Instances = append(c.Instances, i)
		}
	}
	if t.below(3) > 0 && len(c.Instances) > 1 {
		g := Group{Name: "G"}
		for _, i := range c.Instances {
			g.Members = append(g.Members, i.Key())
		}
		c.Groups = []Group{g}
	}
	return c
}

func (t *tape) instance() Instance {
	v := vrrp.Params{
		VRID: pick[uint8](t, 50, 51), Family: pick(t, vrrp.IPv4, vrrp.IPv4, vrrp.IPv6), Version: pick(t, vrrp.V3, vrrp.V2),
		Priority: pick[uint8](t, 100, 50, 1, 200, 254, 255), Preempt: t.below(4) < 3,
		PreemptDelay: pick(t, 0, 0, 2*time.Second, 100*time.Second), DownAdverts: pick(t, 0, 0, 1, 10),
	}
	i := Instance{Name: "VI_" + string('A'+rune(v.VRID-50)), Port: pick(t, places[0], places[0], places[3], places[1])}
	intervals := []time.Duration{time.Second, time.Second, 700 * time.Millisecond, 100 * time.Millisecond, 10 * time.Millisecond, 40 * time.Second}
	if v.Family == vrrp.IPv6 {
		v.Version = vrrp.V3
	}
	if v.Version == vrrp.V2 {
		intervals = []time.Duration{time.Second, time.Second, 2 * time.Second, 40 * time.Second}
		if t.below(2) == 1 {
			v.Auth, v.Password = vrrp.AuthPass, [8]byte{'s'}
		}
	}
	v.Interval = pick(t, intervals...)
	for k := range 1 + t.below(3) {
		p := pick(t, places[1], places[2], places[0])
		family := v.Family
		if k > 0 {
			family = pick(t, v.Family, v.Family, vrrp.IPv4, vrrp.IPv6) // of the other: an excluded one
		}
		i.VIPs = append(i.VIPs, VIP{Prefix: vip(family, p, k+3*int(v.VRID-50)), Port: p})
		if family == v.Family {
			v.Addresses = append(v.Addresses, i.VIPs[k].Prefix.Addr())
		}
	}
	i.VRRP = v
	i.Prior, i.Contested = pick(t, PriorServe, PriorServe, PriorYield, PriorIncumbent), pick(t, ContestedHold, ContestedHold, ContestedTake)
	i.Rounds, i.Wait = pick(t, 0, 0, 1, 10), pick(t, 0, 0, time.Millisecond, time.Second)
	i.Lease = pick(t, LeaseAuto, LeaseAuto, 0, time.Second, 14*time.Second)
	i.Announce = Announcing{Repeat: t.below(3), Delay: pick(t, 0, time.Second), Refresh: pick(t, 0, 0, time.Second, time.Minute), RefreshRepeat: t.below(3)}
	i.Track = pick(t, nil, nil, []Port{places[2]}, []Port{places[3], places[0]})
	i.Routes = pick(t, nil, nil, []Port{places[2], ""}, []Port{places[4]})
	if t.below(4) == 1 {
		i.Source = lesser.addr(v.Family, i.Port).Next()
	}
	for range t.below(3) {
		p := pick(t, places[1], places[2], "")
		i.Witnesses = append(i.Witnesses, Witness{Addr: gateway.addr(v.Family, cmp.Or(p, places[1])), Port: p})
	}
	return i
}

// manner is how the kernel takes changes.
type manner uint8

const (
	prompt manner = iota
	slow
	refusing
	halfRefusing // takes the addresses, and no route
	stuck        // says nothing until it is not stuck any more
	manners
)

// coming is something on its way.
type coming struct {
	at vrrp.Instant
	do func()
}

// fed is an event that was fed to the brain, and what came of it.
type fed struct {
	at      vrrp.Instant
	event   Event
	actions []Action
}

// ordeal is a brain and the world it has to live in.
type ordeal struct {
	*vigil
	tape   tape
	origin Config
	began  vrrp.Instant
	coming []coming
	past   []fed
	limit  int // of events

	ports    map[Port]*PortState
	answers  map[Port]station // who answers for virtual addresses, if anybody
	cached   bool             // and only a cache of the fabric does it
	virtual  bool             // with VRRP's own hardware address
	deaf     bool             // no gateway answers
	blind    bool             // nobody reads the ports when asked to
	flight   time.Duration
	kernel   manner
	wishes   map[Key]int // serial numbers of the changes asked for
	owed     map[Key]Action
	speaker  station // who sends adverts, if anybody
	priority uint8   // of those
	rhythm   int     // serial number of the speaker
}

// newOrdeal reads the configuration and begins.
func newOrdeal(tb testing.TB, b []byte) *ordeal {
	o := &ordeal{
		tape: b, began: vrrp.Instant(time.Hour), limit: 1000, flight: 200 * time.Microsecond,
		ports: map[Port]*PortState{}, answers: map[Port]station{}, wishes: map[Key]int{}, owed: map[Key]Action{},
	}
	o.origin = o.tape.config()
	for _, i := range o.origin.Instances {
		if err := i.VRRP.Validate(); err != nil {
			tb.Fatalf("the tape makes what no file can say: %v", err)
		}
	}
	o.vigil = newVigil(tb, o.began, o.origin)
	for _, p := range places {
		o.ports[p] = &PortState{Port: p, Present: true, AdminUp: true, Carrier: CarrierUp, MAC: myself.mac(p)}
	}
	addressed := o.tape.next()
	for k, p := range places {
		o.ports[p].Addresses = []netip.Prefix{netip.PrefixFrom(myself.addr(vrrp.IPv6, p), 64)}
		if p == places[0] || p == places[3] || addressed>>k&1 == 1 {
			o.ports[p].Addresses = append(o.ports[p].Addresses, netip.PrefixFrom(myself.addr(vrrp.IPv4, p), 24))
		}
	}
	return o
}

// run plays the tape to its end.
func (o *ordeal) run() {
	o.step(o.read())
	for len(o.tape) > 0 && o.limit > 0 {
		o.turn()
	}
	if !o.stopped {
		o.settleDown()
	}
	o.again()
}

// again has another brain go through the same.
func (o *ordeal) again() {
	n := New(o.began, o.origin)
	for _, x := range o.past {
		if got := n.Step(x.at, own(x.event)); !sameActions(got, x.actions) {
			o.tb.Fatalf("another brain did\n%+v\nat %v, after %#v, where the first did\n%+v", got, x.at, x.event, x.actions)
		}
	}
}

// own is an event that shares no memory with the one it copies.
func own(e Event) Event {
	if f, ok := e.(Frame); ok {
		f.Payload = bytes.Clone(f.Payload)
		return f
	}
	return e
}

// step feeds one event. What was lent with it is scribbled over afterwards.
func (o *ordeal) step(e Event) {
	o.limit--
	lent := own(e)
	actions := o.n.Step(o.now, lent)
	if f, ok := lent.(Frame); ok {
		for k := range f.Payload {
			f.Payload[k] ^= 0xff
		}
	}
	o.past = append(o.past, fed{o.now, e, actions})
	o.look(e, actions)
	for _, a := range actions {
		o.perform(a)
	}
}

// later puts something on its way.
func (o *ordeal) later(d time.Duration, do func()) {
	at := o.now.Add(d)
	k, _ := slices.BinarySearchFunc(o.coming, at+1, func(c coming, at vrrp.Instant) int { return cmp.Compare(c.at, at) })
	o.coming = slices.Insert(o.coming, k, coming{at, do})
}

// arrive lets happen what is due; what lies in a queue comes before any deadline.
func (o *ordeal) arrive() {
	for len(o.coming) > 0 && o.coming[0].at <= o.now && o.limit > 0 {
		c := o.coming[0]
		o.coming = o.coming[1:]
		c.do()
	}
}

// pass lets time pass and wakes the brain at its deadlines.
func (o *ordeal) pass(d time.Duration) {
	end := o.now.Add(d)
	for o.limit > 0 {
		at, due := o.n.Deadline()
		if len(o.coming) > 0 && (!due || o.coming[0].at <= at) {
			at, due = max(o.coming[0].at, o.now), true
		}
		if !due || at > end {
			break
		}
		o.now = at
		if len(o.coming) > 0 && o.coming[0].at <= o.now {
			o.arrive()
			continue
		}
		o.step(Expired{})
	}
	if o.limit > 0 {
		o.now = end
	}
}

// stall lets time pass in which the brain does not run.
func (o *ordeal) stall(d time.Duration) {
	o.now = o.now.Add(d)
	o.arrive()
	o.step(Expired{})
}

// perform is what the world does about an action.
func (o *ordeal) perform(a Action) {
	switch a := a.(type) {
	case Ask:
		o.asked(a)
	case Install:
		o.wish(a.Key, a)
	case Withdraw:
		o.wish(a.Key, a)
	case Renew:
		if o.kernel != stuck {
			o.later(o.took(), func() { o.step(Renewed{Key: a.Key, Took: o.took(), Err: o.refusal(false)}) })
		}
	case ReadPorts:
		if !o.blind {
			o.later(o.flight, func() { o.step(o.read()) })
		}
	case SendAdvert, Announce, Transition, GroupTransition, Note:
	}
}

// read is the state of all ports.
func (o *ordeal) read() PortsRead {
	var r PortsRead
	for _, p := range places {
		r.Ports = append(r.Ports, *o.ports[p])
		r.Own = append(r.Own, o.ports[p].MAC)
	}
	return r
}

// asked lets whoever is there answer a question.
func (o *ordeal) asked(a Ask) {
	p := o.ports[a.Port]
	if p == nil || p.Carrier != CarrierUp || !p.AdminUp || !p.Present {
		return
	}
	everybody := a.To == MAC{}
	reply := func(mac MAC) {
		if everybody || a.To == mac {
			o.later(o.flight, func() { o.step(Heard{Port: a.Port, Op: Reply, Sender: a.Target, MAC: mac, Target: a.Sender}) })
		}
	}
	family := vrrp.IPv4
	if a.Target.Is6() {
		family = vrrp.IPv6
	}
	who := o.answers[a.Port]
	switch {
	case who == proxy:
		reply(proxy.mac(a.Port))
	case a.Target == gateway.addr(family, a.Port):
		if !o.deaf {
			reply(gateway.mac(a.Port))
		}
	case who == 0 || !o.n.isVIP(a.Target) || o.cached && !everybody:
	case o.virtual:
		reply(MAC{0, 0, 0x5e, 0, 1, 50})
	default:
		reply(who.mac(a.Port))
	}
}

func (o *ordeal) took() time.Duration {
	if o.kernel == slow {
		return 1500 * time.Millisecond
	}
	return time.Millisecond
}

// refusal is what the kernel says to a change, or to one that asks for a route as well.
func (o *ordeal) refusal(routes bool) string {
	if o.kernel == refusing || o.kernel == halfRefusing && routes {
		return "no"
	}
	return ""
}

// wish has the kernel make a change, in its time, unless another is asked for by then.
func (o *ordeal) wish(k Key, a Action) {
	o.wishes[k]++
	turn := o.wishes[k]
	o.owed[k] = a
	if o.kernel == stuck {
		return
	}
	o.later(o.took(), func() {
		if o.wishes[k] != turn || o.kernel == stuck {
			return
		}
		if o.kernel != refusing {
			delete(o.owed, k)
		}
		if _, install := a.(Install); install {
			o.step(Installed{Key: k, Serving: o.kernel != refusing, Err: o.refusal(true), Took: o.took()})
		} else {
			o.step(Withdrawn{Key: k, Err: o.refusal(false), Took: o.took()})
		}
	})
}

// behave changes how the kernel takes changes; what it owes it tries again.
func (o *ordeal) behave(m manner) {
	o.kernel = m
	for _, k := range slices.SortedFunc(maps.Keys(o.owed), func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.VRID, b.VRID), cmp.Compare(a.Family, b.Family))
	}) {
		o.wish(k, o.owed[k])
	}
}

// speak has a peer send adverts of that priority for every instance, or nobody.
func (o *ordeal) speak(s station, priority uint8) {
	o.rhythm++
	o.speaker, o.priority = s, priority
	if s == 0 {
		return
	}
	for _, i := range o.cfg.Instances {
		o.beat(i, o.rhythm)
	}
}

func (o *ordeal) beat(i Instance, rhythm int) {
	if rhythm != o.rhythm || o.limit <= 0 {
		return
	}
	o.later(i.VRRP.Interval, func() { o.beat(i, rhythm) })
	if p := o.ports[i.Port]; p.Carrier == CarrierUp && p.AdminUp && p.Present {
		o.advert(i, o.speaker, o.priority, i.VRRP.Interval)
	}
}

// advert delivers an advert of a station for an instance.
func (o *ordeal) advert(i Instance, from station, priority uint8, interval time.Duration) {
	a := i.VRRP.Advert(priority)
	a.Interval = interval
	src, dst := from.addr(i.VRRP.Family, i.Port), i.VRRP.Family.Group()
	payload, err := a.Append(nil, src, dst)
	if err != nil {
		o.tb.Fatalf("an advert that no peer would send: %v", err)
	}
	o.step(Frame{Port: i.Port, MAC: from.mac(i.Port), Src: src, Dst: dst, TTL: 255, Payload: payload})
}

// settleDown makes the world well and wants the brain to find its way in it: alone it serves, beside a better one it does not.
// Adverts that follow each other quickly, and intervals that let wait for long, would take too long.
func (o *ordeal) settleDown() {
	patience := 130 * time.Second // a mute port, a recant, a refusal, and a start
	for _, i := range o.n.instances {
		if i.cfg.VRRP.Interval < time.Second || i.interval() < time.Second {
			return
		}
		patience = max(patience, 130*time.Second+4*i.masterDown())
	}
	if patience > 10*time.Minute {
		return
	}
	better := len(o.origin.Instances[0].VIPs)%2 == 0
	o.limit = 5000 + 100*int(patience.Seconds())
	o.answers, o.deaf, o.blind = map[Port]station{}, false, false
	for _, p := range places {
		o.ports[p].Present, o.ports[p].AdminUp, o.ports[p].Carrier = true, true, CarrierUp
		o.ports[p].MAC, o.ports[p].Culprit = myself.mac(p), ""
	}
	o.behave(prompt)
	o.speak(0, 0)
	o.step(o.read())
	if better {
		o.speak(greater, 255)
	}
	o.pass(patience)
	for _, i := range o.n.instances {
		switch state := i.state(); {
		case better && state != vrrp.Backup && state != vrrp.Fault:
			o.tb.Fatalf("%v: beside a better MASTER %s is %v: %s", o.now, i.cfg.Name, state, i.reason)
		case !better && state != vrrp.Master && o.mustServe(i):
			o.tb.Fatalf("%v: alone for %v, yet %s is %v: %s, faults %v", o.now, patience, i.cfg.Name, state, i.reason, i.faults)
		}
	}
	if o.limit <= 0 {
		o.tb.Fatalf("%v in a quiet world took too many events", patience)
	}
}

// mustServe says that no policy of the operator holds the instance back.
func (o *ordeal) mustServe(i *instance) bool {
	members := []*instance{i}
	if i.group != nil {
		members = i.group.members
	}
	return !slices.ContainsFunc(members, func(j *instance) bool { return j.cfg.Prior != PriorServe })
}

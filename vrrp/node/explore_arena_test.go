package node

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// arena is the world of the exploration: two routers, a crossover cable, two LANs with a gateway each. It is plain data, so that it can be
// copied and known again. Time is abstract: whatever is sent arrives within 200 µs and so before the next deadline, or it is held
// back until after that, or it is lost.
type arena struct {
	now   vrrp.Instant
	seats [2]seat
	cable bool // joined
	lan   [arenaLANs]split
	air   []shot  // arrives next
	late  []shot  // held back until something else has happened
	due   []chore // what kernels and drivers are about to report
	watch monitor
	worst measures
	say   func(string) // nil: nobody listens
	bug   func(w *arena, who int, e Event) bool
}

const (
	arenaLANs   = 2
	arenaFlight = 200 * time.Microsecond
	arenaKernel = time.Millisecond // what a change of addresses takes
	// arenaStumble is longer than a burst, and not as long as two that are apart.
	arenaStumble = 15 * time.Millisecond
)

// split is how a LAN has fallen apart.
type split uint8

const (
	whole split = iota
	gatewayWithA
	gatewayWithB
)

// seat is one router: a brain, or none while it is off, and its kernel.
type seat struct {
	on, frozen bool
	n          *Node
	cfg        *Config
	up         [arenaLANs]bool
	stumbles   vrrp.Instant            // until then the kernel answers nothing
	holds      [arenaLANs]vrrp.Instant // until when the kernel has the address of that LAN; 0: it has not
	backlog    []Event                 // what waits while the brain is frozen
	state      vrrp.State
	woken      int // by its own deadlines, in this second
	second     vrrp.Instant
}

// arenaGateway is the third station on each LAN, behind the two seats.
const arenaGateway = 2

// shot is a frame in flight to one station.
type shot struct {
	from, to int
	lan      int // -1: the cable
	ask      bool
	event    Event // what it is to a brain
}

// chore is something that a kernel or a driver does in its time.
type chore struct {
	at    vrrp.Instant
	seat  int
	kind  choreKind
	lease time.Duration
	skip  [arenaLANs]bool
}

type choreKind uint8

const (
	installs choreKind = iota
	withdraws
	renews
	expires // the lease of an address
	reports // the state of every port
	reportsLoss
)

func arenaPort(lan int) Port        { return ports[lan] }
func arenaVIP(lan int) netip.Prefix { return netip.MustParsePrefix(vips[lan]) }
func arenaGate(lan int) netip.Addr  { return netip.MustParseAddr(gates[lan]) }
func arenaMAC(who int, lan int) MAC { return MAC{2, 'A' + byte(who), byte(lan + 2)} }
func arenaName(who int) string      { return string(rune('A' + who)) }
func arenaAddr(who int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 255, 0, byte(who + 1)}), 30)
}

func lanOf(p Port) int { return slices.Index(ports[:arenaLANs], p) }

// arenaConfig is the original pair on two LANs.
func arenaConfig(priority uint8) *Config {
	i := story(priority)
	i.VIPs, i.Routes, i.Witnesses = i.VIPs[:arenaLANs], nil, nil
	i.VRRP.Addresses = i.VRRP.Addresses[:arenaLANs]
	for k := range arenaLANs {
		i.Witnesses = append(i.Witnesses, Witness{Addr: arenaGate(k), Port: arenaPort(k)})
	}
	return &Config{Instances: []Instance{i}}
}

func newArena(a, b *Config) *arena {
	w := &arena{now: vrrp.Instant(time.Hour), cable: true}
	for who, cfg := range []*Config{a, b} {
		s := &w.seats[who]
		s.cfg = cfg
		for k := range s.up {
			s.up[k] = true
		}
	}
	w.watch.disturbed = w.now
	return w
}

func (w *arena) tellStory(format string, args ...any) {
	if w.say != nil {
		w.say(fmt.Sprintf("%12v  ", (time.Duration(w.now)-time.Hour).Round(time.Microsecond)) + fmt.Sprintf(format, args...))
	}
}

// wired says that the cable carries frames, and has carrier at both ends.
func (w *arena) wired() bool { return w.cable && w.seats[0].on && w.seats[1].on }

// reach says that a LAN carries frames between two stations.
func (w *arena) reach(lan, from, to int) bool {
	for _, who := range []int{from, to} {
		if who != arenaGateway && (!w.seats[who].on || !w.seats[who].up[lan]) {
			return false
		}
	}
	apart := func(x, y int) bool { return from == x && to == y || from == y && to == x }
	switch w.lan[lan] {
	case whole:
		return true
	case gatewayWithA:
		return !apart(0, 1) && !apart(1, arenaGateway)
	case gatewayWithB:
		return !apart(0, 1) && !apart(0, arenaGateway)
	}
	return false
}

func (w *arena) carries(x shot) bool {
	if x.lan < 0 {
		return w.wired()
	}
	return w.reach(x.lan, x.from, x.to)
}

func (w *arena) has(who, lan int) bool { return w.seats[who].on && w.seats[who].holds[lan] > w.now }

// send puts a frame into the air.
func (w *arena) send(x shot) {
	if w.carries(x) {
		w.air = append(w.air, x)
	}
}

// later puts a chore among those that are due, in the order of their times.
func (w *arena) later(d time.Duration, c chore) {
	c.at = w.now.Add(d)
	at, _ := slices.BinarySearchFunc(w.due, c, func(a, b chore) int {
		if a.at <= b.at {
			return -1
		}
		return 1
	})
	w.due = slices.Insert(w.due, at, c)
}

// forget drops what a newer wish replaces.
func (w *arena) forget(who int, kinds ...choreKind) {
	w.due = slices.DeleteFunc(w.due, func(c chore) bool { return c.seat == who && slices.Contains(kinds, c.kind) })
}

// next is the moment at which something happens by itself, and whose deadline it is; -1 for a chore.
func (w *arena) next() (at vrrp.Instant, who int, ok bool) {
	who = -1
	if len(w.due) > 0 {
		at, ok = w.due[0].at, true
	}
	for k := range w.seats {
		s := &w.seats[k]
		if !s.on || s.frozen {
			continue
		}
		if d, armed := s.n.Deadline(); armed && (!ok || d < at) {
			at, who, ok = d, k, true
		}
	}
	return max(at, w.now), who, ok
}

// fate decides over the nth frame that arrives in a step.
type fate func(nth int) frameFate

type frameFate uint8

const (
	delivered frameFate = iota
	lost
	heldBack
)

// step lets time pass to whatever happens next, lets it happen, and delivers all that follows from it. It returns how many frames
// were in the air.
func (w *arena) step(f fate) int {
	at, who, ok := w.next()
	if !ok {
		return 0
	}
	w.now = at
	if who < 0 {
		c := w.due[0]
		w.due = slices.Delete(w.due, 0, 1)
		w.do(c)
	} else {
		w.wake(who)
	}
	w.look()
	return w.fly(f)
}

// fly delivers frames until none is left in the air. What was held back earlier comes after all of this step's own.
func (w *arena) fly(f fate) int {
	held := w.late
	w.late = nil
	frames := 0
	for len(w.air) > 0 || len(held) > 0 {
		if len(w.air) == 0 {
			w.air, held = held, nil
		}
		now := w.air
		w.air = nil
		w.now = w.now.Add(arenaFlight)
		for _, x := range now {
			what := delivered
			if f != nil {
				what = f(frames)
			}
			frames++
			w.arrive(x, what)
			w.look()
		}
	}
	return frames
}

func (w *arena) arrive(x shot, what frameFate) {
	switch {
	case what == lost:
		w.tellStory("lost: %v", x)
		w.disturb(x.lan < 0)
		w.watch.lost++
	case what == heldBack:
		w.tellStory("held back: %v", x)
		w.disturb(x.lan < 0)
		w.late = append(w.late, x)
	case !w.carries(x):
	case x.to == arenaGateway:
		w.answer(x, MAC{2, 0xff, byte(x.lan)}, x.event.(Heard).Target == arenaGate(x.lan))
	default:
		if x.ask {
			w.answer(x, arenaMAC(x.to, x.lan), x.event.(Heard).Target == arenaVIP(x.lan).Addr() && w.has(x.to, x.lan) && w.seats[x.to].stumbles <= w.now)
		}
		if h, is := x.event.(Heard); !is || h.Op != Request || h.MAC != (MAC{}) {
			w.tell(x.to, x.event)
		}
	}
}

// String says what a frame is, for stories.
func (x shot) String() string {
	to := "the gateway"
	if x.to < arenaGateway {
		to = arenaName(x.to)
	}
	from := "the gateway"
	if x.from < arenaGateway {
		from = arenaName(x.from)
	}
	switch e := x.event.(type) {
	case Frame:
		return fmt.Sprintf("advert %d from %s to %s", e.Payload[2], from, to)
	case Heard:
		op := map[Op]string{Reply: "answer", Request: "question", Gratuitous: "announcement"}[e.Op]
		about := e.Sender
		if e.Op == Request {
			about = e.Target
		}
		return fmt.Sprintf("%s about %v from %s to %s on %s", op, about, from, to, arenaPort(x.lan))
	}
	return "frame"
}

// answer is what a kernel says to a question that is about an address of its own.
func (w *arena) answer(q shot, mac MAC, own bool) {
	if !own {
		return
	}
	h := q.event.(Heard)
	w.send(shot{from: q.to, to: q.from, lan: q.lan,
		event: Heard{Port: h.Port, Op: Reply, Sender: h.Target, MAC: mac, Target: h.Sender}})
}

// wake gives a brain its deadline.
func (w *arena) wake(who int) {
	s := &w.seats[who]
	if w.now.Sub(s.second) >= time.Second {
		s.second, s.woken = w.now, 0
	}
	s.woken++
	w.tell(who, Expired{})
}

// tell steps a brain and performs what it says.
func (w *arena) tell(who int, e Event) {
	s := &w.seats[who]
	switch {
	case !s.on:
		return
	case w.bug != nil && w.bug(w, who, e):
		return
	case s.frozen:
		if len(s.backlog) < 64 {
			s.backlog = append(s.backlog, e)
		}
		return
	}
	for _, a := range s.n.Step(w.now, e) {
		w.perform(who, a)
	}
	s.n.out = nil
}

func (w *arena) perform(who int, a Action) {
	switch a := a.(type) {
	case SendAdvert:
		w.send(shot{from: who, to: 1 - who, lan: -1,
			event: Frame{Port: cable, MAC: arenaMAC(who, -1), Src: a.Src, Dst: a.Dst, TTL: 255, Payload: a.Payload}})
	case Ask:
		w.ask(who, a)
	case Install:
		w.forget(who, installs, withdraws)
		c := chore{seat: who, kind: installs, lease: a.Lease}
		for k := range arenaLANs {
			c.skip[k] = slices.Contains(a.Without, arenaPort(k))
		}
		w.later(arenaKernel, c)
	case Withdraw:
		w.forget(who, installs, withdraws)
		w.later(arenaKernel, chore{seat: who, kind: withdraws})
	case Renew:
		w.later(arenaKernel, chore{seat: who, kind: renews, lease: a.Lease})
	case Announce:
		for k := range arenaLANs {
			if w.has(who, k) {
				vip := arenaVIP(k).Addr()
				w.send(shot{from: who, to: 1 - who, lan: k,
					event: Heard{Port: arenaPort(k), Op: Gratuitous, Sender: vip, MAC: arenaMAC(who, k), Target: vip}})
			}
		}
	case ReadPorts:
		w.report(who, false)
	case Transition:
		w.tellStory("%s: %v > %v, %s", arenaName(who), a.From, a.To, a.Reason)
		w.moved(who, a)
	case Note:
		w.tellStory("%s: %s", arenaName(who), a.Text)
	case GroupTransition:
	}
}

// ask puts a question to whom it is for: to one station, or to every one on the LAN, where the brains overhear it.
func (w *arena) ask(who int, q Ask) {
	lan := lanOf(q.Port)
	for _, to := range []int{1 - who, arenaGateway} {
		mac := MAC{2, 0xff, byte(lan)}
		if to != arenaGateway {
			mac = arenaMAC(to, lan)
		}
		x := shot{from: who, to: to, lan: lan, ask: true, event: Heard{Port: q.Port, Op: Request, Sender: q.Sender, Target: q.Target}}
		switch q.To {
		case MAC{}: // to everybody: the brains hear of it as well
			x.event = Heard{Port: q.Port, Op: Request, Sender: q.Sender, MAC: arenaMAC(who, lan), Target: q.Target}
		case mac:
		default:
			continue
		}
		w.send(x)
	}
}

// report has a driver tell the state of every port, once for any number of occasions.
func (w *arena) report(who int, loss bool) {
	if loss {
		w.later(arenaFlight, chore{seat: who, kind: reportsLoss})
	}
	waiting := slices.ContainsFunc(w.due, func(c chore) bool { return c.seat == who && c.kind == reports && c.at == w.now.Add(arenaFlight) })
	if !waiting {
		w.later(arenaFlight, chore{seat: who, kind: reports})
	}
}

// do is a chore at its time.
func (w *arena) do(c chore) {
	s := &w.seats[c.seat]
	if !s.on {
		return
	}
	key := s.cfg.Instances[0].Key()
	switch c.kind {
	case installs:
		w.hold(c, func(lan int) bool { return !c.skip[lan] })
		w.tell(c.seat, Installed{Key: key, Serving: true, Took: arenaKernel})
	case withdraws:
		s.holds = [arenaLANs]vrrp.Instant{}
		w.tell(c.seat, Withdrawn{Key: key, Took: arenaKernel})
	case renews:
		w.hold(c, func(lan int) bool { return s.holds[lan] > w.now })
		w.tell(c.seat, Renewed{Key: key, Took: arenaKernel})
	case expires:
		gone := false
		for k, until := range s.holds {
			if until != 0 && until <= w.now {
				s.holds[k], gone = 0, true
			}
		}
		if gone {
			w.tellStory("%s: a lease has run out", arenaName(c.seat))
			w.tell(c.seat, Deleted{Key: key})
		}
	case reports:
		w.tell(c.seat, w.read(c.seat))
	case reportsLoss:
		w.tell(c.seat, CarrierLost{Port: cable})
	}
}

// hold gives addresses a lease, and sees to its end.
func (w *arena) hold(c chore, which func(lan int) bool) {
	s := &w.seats[c.seat]
	for k := range s.holds {
		if which(k) {
			s.holds[k] = w.now.Add(c.lease)
		}
	}
	w.forget(c.seat, expires)
	w.later(c.lease, chore{seat: c.seat, kind: expires})
}

func (w *arena) read(who int) PortsRead {
	state := func(p Port, up bool) PortState {
		x := PortState{Port: p, Present: true, AdminUp: true, Carrier: CarrierDown, MAC: arenaMAC(who, lanOf(p))}
		if up {
			x.Carrier = CarrierUp
		}
		return x
	}
	heart := state(cable, w.wired())
	heart.Addresses = []netip.Prefix{arenaAddr(who)}
	r := PortsRead{Ports: []PortState{heart}}
	for k := range arenaLANs {
		r.Ports = append(r.Ports, state(arenaPort(k), w.seats[who].up[k]))
	}
	return r
}

// arenaFault is something that is done to the arena, rather than to a frame.
type arenaFault struct {
	kind faultKind
	who  int // a router, or a LAN
}

type faultKind uint8

const (
	cuts faultKind = iota
	joins
	powersOff
	powersOn
	freezes
	thaws
	stumbles // the kernel answers no question for a moment
	portDown // of the first LAN
	portUp
	splitsA // from here on LANs: the gateway stays with A
	splitsB
	heals
	numFaults
)

func (f arenaFault) String() string {
	words := [...]string{"the cable is cut", "the cable is joined", "%s loses power", "%s is powered on", "%s freezes", "%s thaws", "%s stumbles",
		"%s: p3p1 loses carrier", "%s: p3p1 has carrier", "%s falls apart, its gateway stays with A", "%s falls apart, its gateway stays with B",
		"%s is whole"}
	switch f.kind {
	case cuts, joins, numFaults:
		return words[f.kind]
	case splitsA, splitsB, heals:
		return fmt.Sprintf(words[f.kind], "the LAN of "+string(arenaPort(f.who)))
	case powersOff, powersOn, freezes, thaws, stumbles, portDown, portUp:
	}
	return fmt.Sprintf(words[f.kind], arenaName(f.who))
}

// faults are those that change something now. One LAN is left alone: what happens to both is the business of explorations.
func (w *arena) faults() []arenaFault {
	var list []arenaFault
	add := func(yes bool, kind faultKind, who int) {
		if yes {
			list = append(list, arenaFault{kind, who})
		}
	}
	add(w.cable, cuts, 0)
	add(!w.cable, joins, 0)
	add(w.lan[0] == whole, splitsA, 0)
	add(w.lan[0] == whole, splitsB, 0)
	add(w.lan[0] != whole, heals, 0)
	for who := range w.seats {
		s := &w.seats[who]
		add(s.on, powersOff, who)
		add(!s.on, powersOn, who)
		add(s.on && !s.frozen, freezes, who)
		add(s.on && s.frozen, thaws, who)
		add(s.on && s.stumbles <= w.now && (w.has(who, 0) || w.has(who, 1)), stumbles, who)
		add(s.up[0], portDown, who)
		add(!s.up[0], portUp, who)
	}
	return list
}

// strike does a fault.
func (w *arena) strike(f arenaFault) {
	w.disturb(f.kind == cuts || f.kind == joins)
	w.tellStory("-- %v", f)
	s := &w.seats[f.who] // where it is about a router
	switch f.kind {
	case cuts:
		w.carrier(func() { w.cable = false })
	case joins:
		w.carrier(func() { w.cable = true })
	case powersOff:
		w.carrier(func() { *s = seat{cfg: s.cfg, up: s.up} })
		w.due = slices.DeleteFunc(w.due, func(c chore) bool { return c.seat == f.who })
	case powersOn:
		w.carrier(func() { s.on, s.n = true, New(w.now, *s.cfg) })
		w.report(f.who, false)
	case freezes:
		s.frozen = true
	case thaws:
		w.thaw(f.who)
	case stumbles:
		s.stumbles = w.now.Add(arenaStumble)
	case portDown, portUp:
		s.up[0] = f.kind == portUp
		w.report(f.who, false)
	case splitsA:
		w.lan[f.who] = gatewayWithA
	case splitsB:
		w.lan[f.who] = gatewayWithB
	case heals:
		w.lan[f.who] = whole
	case numFaults:
	}
	w.look()
}

// carrier tells whoever is on when the cable got or lost its carrier.
func (w *arena) carrier(change func()) {
	before := w.wired()
	change()
	after := w.wired()
	if before == after {
		return
	}
	for who := range w.seats {
		w.report(who, before)
	}
}

// thaw lets a brain read what has waited for it: adverts first, then the rest, then the clock.
func (w *arena) thaw(who int) {
	s := &w.seats[who]
	s.frozen = false
	w.watch.thawed[who].set(w.now)
	waiting := s.backlog
	s.backlog = nil
	slices.SortStableFunc(waiting, func(a, b Event) int { return int(bit(!isAdvert(a))) - int(bit(!isAdvert(b))) })
	for _, e := range waiting {
		w.tell(who, e)
	}
	w.tell(who, Expired{})
}

func isAdvert(e Event) bool {
	_, is := e.(Frame)
	return is
}

// monitor is what the invariants need to remember.
type monitor struct {
	disturbed vrrp.Instant // when something was last done to the arena
	both      [arenaLANs]stamp
	nobody    [arenaLANs]stamp // since when nobody serves although somebody could
	served    [2]stamp         // when each was last MASTER, or held an address
	thawed    [2]stamp
	moves     int  // transitions to and from MASTER since it was disturbed
	lost      int  // frames
	others    bool // something else than the cable was disturbed
	broken    string
}

// measures are the worst that was seen of what is bounded.
type measures struct {
	both, nobody time.Duration
	moves, woken int
}

const (
	// calmEnough is when whatever follows quickly from a disturbance has followed.
	calmEnough = 12 * time.Second
	// servedLately and thawedLately are how long a router may take to notice what has happened.
	servedLately = 5 * time.Second
	thawedLately = time.Second
)

func (w *arena) disturb(cable bool) {
	w.watch.disturbed, w.watch.moves = w.now, 0
	w.watch.others = w.watch.others || !cable
}

func (w *arena) violate(format string, args ...any) {
	if w.watch.broken == "" {
		w.watch.broken = fmt.Sprintf(format, args...)
		w.tellStory("!! %s", w.watch.broken)
	}
}

// Bounds of the invariants, from the last disturbance on.
const (
	// maxBoth: an old MASTER asks every second, waits less than an advert interval, asks a full burst, and gives way.
	maxBoth = 2300 * time.Millisecond
	// maxNobody: a router alone starts after 4.75 s, bears silence for a master-down interval, and asks.
	maxNobody = 9 * time.Second
	maxMoves  = 4
	maxWoken  = 200 // deadlines of one brain in a second
)

// look checks what must hold in every state.
func (w *arena) look() {
	m := &w.watch
	calm := w.now.Sub(m.disturbed)
	for k := range arenaLANs {
		a, b := w.has(0, k), w.has(1, k)
		w.follow(&m.both[k], a && b && w.reach(k, 0, 1) && !w.seats[0].frozen && !w.seats[1].frozen)
		w.follow(&m.nobody[k], !a && !b && (w.healthy(0) || w.healthy(1)) && !w.halfServed())
		if d := min(w.since(m.both[k]), calm); d > maxBoth {
			w.violate("two have held %v for %v", arenaVIP(k), w.since(m.both[k]))
		} else {
			w.worst.both = max(w.worst.both, d)
		}
		if d := min(w.since(m.nobody[k]), calm); d > maxNobody {
			w.violate("nobody has held %v for %v", arenaVIP(k), w.since(m.nobody[k]))
		} else {
			w.worst.nobody = max(w.worst.nobody, d)
		}
	}
	for who := range w.seats {
		s := &w.seats[who]
		if s.on && (s.state == vrrp.Master || w.has(who, 0) || w.has(who, 1)) {
			m.served[who].set(w.now)
		} else if !m.served[who].within(w.now, servedLately) {
			m.served[who] = stamp{}
		}
		if !m.thawed[who].within(w.now, thawedLately) {
			m.thawed[who] = stamp{}
		}
		w.worst.woken = max(w.worst.woken, s.woken)
		if s.woken > maxWoken {
			w.violate("%s was woken %d times within a second", arenaName(who), s.woken)
		}
	}
	w.worst.moves = max(w.worst.moves, m.moves)
	if m.moves > maxMoves {
		w.violate("%d transitions since the last disturbance", m.moves)
	}
}

func (w *arena) follow(s *stamp, holds bool) {
	switch {
	case !holds:
		*s = stamp{}
	case !s.ok:
		s.set(w.now)
	}
}

func (w *arena) since(s stamp) time.Duration {
	if !s.ok {
		return 0
	}
	return w.now.Sub(s.at)
}

// healthy says that a router could serve.
func (w *arena) healthy(who int) bool {
	s := &w.seats[who]
	return s.on && !s.frozen && s.up == [arenaLANs]bool{true, true}
}

// halfServed says that a router serves some of the addresses and cannot say so, for want of the cable: a whole router sees that its peer
// serves, and holds back.
func (w *arena) halfServed() bool {
	some := func(who int) bool { return w.has(who, 0) || w.has(who, 1) }
	return !w.wired() && (some(0) || some(1))
}

// moved looks at a transition as it happens.
func (w *arena) moved(who int, a Transition) {
	s, m := &w.seats[who], &w.watch
	s.state = a.To
	if a.From == vrrp.Master || a.To == vrrp.Master {
		m.moves++
	}
	other := 1 - who
	if a.From == vrrp.Master && a.Reason != causeText(vrrp.CauseOutranked) {
		rival := m.served[other].within(w.now, servedLately)
		switch {
		case !m.others:
			w.violate("%s left MASTER, and only the cable was disturbed", arenaName(who))
		case w.healthy(who) && !rival && !m.thawed[who].within(w.now, thawedLately):
			w.violate("%s left MASTER although nobody else serves", arenaName(who))
		}
	}
	if a.To != vrrp.Master || a.Verdict.Finding != verdict.PeerDead || m.lost > 0 {
		return
	}
	if first := s.n.instances[0].doubt; !first.served && w.seats[other].stumbles != 0 {
		return // the first burst after a loss is believed at once: that is the price of a quick takeover
	}
	for k := range arenaLANs {
		if w.has(other, k) && w.reach(k, 0, 1) {
			w.violate("%s took its peer for dead, which serves %v", arenaName(who), arenaVIP(k))
		}
	}
}

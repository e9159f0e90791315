package node

import (
	"container/heap"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// pair is a small world around two brains: a cable, three segments with a
// gateway each, and kernels that answer for what they own. Time is the
// world's; everything that happens is an entry in one queue.
type pair struct {
	t     *testing.T
	now   vrrp.Instant
	queue queue
	seq   int
	still int // events since time last went on
	box   map[string]*box
	lans  map[Port]*lan
	quiet bool // gateways do not answer
	log   []string
	// each is called at every event, after it; air decides over every frame:
	// how often it arrives, and how much later than usual.
	each func()
	air  func() []time.Duration
}

// lan is a segment: who answers on it besides the routers.
type lan struct {
	gateway netip.Addr
	mac     MAC
	cache   map[netip.Addr]MAC // a fabric that answers broadcasts by itself
	hide    bool               // and swallows broadcasts from 0.0.0.0
	muted   map[*box]bool      // stations the switch does not forward for yet
	dead    bool
	// gateway2 is an address that the gateway's box claims as well, and proxy
	// a station that answers for every address.
	gateway2 netip.Addr
	proxy    MAC
}

// box is one router: a brain and a kernel.
type box struct {
	name       string
	w          *pair
	n          *Node
	cfg        Config
	carrier    map[Port]bool
	macs       map[Port]MAC
	owns       map[netip.Addr]vrrp.Instant // until when; 0 means for ever
	dead       bool                        // says and hears nothing, runs nothing
	paused     bool                        // the kernel answers, the brain does not run
	deaf       map[Port]bool
	mum        bool // the kernel answers no question
	houses     bool // its ports have addresses of their own in the subnets of the VIPs
	facts      map[Port]verdict.Facts
	refuse     string        // what the kernel says to every change
	slow       time.Duration // how long the kernel takes for a change
	state      map[Key]vrrp.State
	wishes     map[Key]int // changes asked of the kernel so far
	moves      []Transition
	notes      []Note
	wake       int
	onAsk      func(Ask) // told of every action of its kind
	onRenew    func(Renew)
	onAnnounce func(Announce)
	onAdvert   func(SendAdvert)
	onStep     func(Event, []Action)
}

type entry struct {
	at  vrrp.Instant
	seq int
	do  func()
}

type queue []entry

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(entry)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

const (
	flight     = 100 * time.Microsecond
	kernelTime = time.Millisecond
)

var (
	cable = Port("p4p1")
	ports = []Port{"p3p1", "p3p2", "p1p1"}
	vips  = []string{"192.168.10.1/24", "192.168.20.1/24", "203.0.113.1/24"}
	gates = []string{"192.168.10.254", "192.168.20.254", "203.0.113.254"}
)

// story is the configuration of the original pair.
func story(priority uint8) Instance {
	i := Instance{
		Name: "VI_0", Port: cable, Lease: LeaseAuto,
		VRRP: vrrp.Params{
			VRID: 50, Family: vrrp.IPv4, Version: vrrp.V2, Priority: priority,
			Interval: time.Second, Preempt: true, Auth: vrrp.AuthPass,
			Password: [8]byte{'s', 'a', 'n', 'i', 't', 'i', 'z', 'e'},
		},
		Routes: []Port{"p1p1", "p3p1"},
	}
	for k, v := range vips {
		p := netip.MustParsePrefix(v)
		i.VIPs = append(i.VIPs, VIP{Prefix: p, Port: ports[k]})
		i.VRRP.Addresses = append(i.VRRP.Addresses, p.Addr())
	}
	i.Witnesses = []Witness{
		{Addr: netip.MustParseAddr(gates[2]), Port: "p1p1"},
		{Addr: netip.MustParseAddr(gates[0]), Port: "p3p1"},
	}
	return i
}

func newPair(t *testing.T) *pair {
	w := &pair{t: t, now: vrrp.Instant(time.Hour), box: map[string]*box{}, lans: map[Port]*lan{}}
	for k, p := range ports {
		w.lans[p] = &lan{gateway: netip.MustParseAddr(gates[k]), mac: MAC{2, 0xff, byte(k)}, muted: map[*box]bool{}}
	}
	return w
}

// add puts a router into the world and starts its brain.
func (w *pair) add(name string, cfg ...Instance) *box {
	b := &box{
		name: name, w: w, cfg: Config{Instances: cfg}, carrier: map[Port]bool{}, macs: map[Port]MAC{},
		owns: map[netip.Addr]vrrp.Instant{}, deaf: map[Port]bool{}, slow: kernelTime, state: map[Key]vrrp.State{}, wishes: map[Key]int{},
	}
	for k, p := range append([]Port{cable}, ports...) {
		b.carrier[p] = true
		b.macs[p] = MAC{2, name[0], byte(k)}
	}
	w.box[name] = b
	return b
}

func (b *box) start() *box {
	b.n = New(b.w.now, b.cfg)
	b.tell(b.read())
	return b
}

// newStory makes the original pair, A with priority 100 and B with 50, and
// runs it until A is MASTER and B is calibrated.
func newStory(t *testing.T) (w *pair, a, b *box) {
	w = newPair(t)
	a, b = w.add("A", story(100)), w.add("B", story(50))
	a.start()
	b.start()
	w.run(15 * time.Second)
	w.want("A is MASTER", a.is(vrrp.Master))
	w.want("B is BACKUP", b.is(vrrp.Backup))
	return w, a, b
}

// seeds is how many seeds a test takes: all of them, or a tenth under -short.
func seeds(all uint64) uint64 {
	if testing.Short() {
		return all / 10
	}
	return all
}

// spell is for how long a test looks on while nothing should happen: all of it, or a tenth under -short.
func spell(all time.Duration) time.Duration { return time.Duration(seeds(uint64(all))) }

func (w *pair) want(what string, ok bool) {
	w.t.Helper()
	if !ok {
		w.t.Fatalf("%v: not so: %s\n%s", time.Duration(w.now)-time.Hour, what, strings.Join(w.log, "\n"))
	}
}

func (w *pair) at(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, entry{w.now.Add(d), w.seq, do})
}

// run lets time pass, and checks at every event what must always hold.
func (w *pair) run(d time.Duration) {
	end := w.now.Add(d)
	for len(w.queue) > 0 && w.queue[0].at <= end {
		w.step()
	}
	w.now = end
}

func (w *pair) step() {
	e := heap.Pop(&w.queue).(entry)
	w.still++
	if e.at > w.now {
		w.now, w.still = e.at, 0
	}
	w.want("time goes on", w.still < 100_000)
	e.do()
	if w.each != nil {
		w.each()
	}
}

// fly lets a frame arrive after a flight, as often as the air wants.
func (w *pair) fly(do func()) {
	late := []time.Duration{0}
	if w.air != nil {
		late = w.air()
	}
	for _, d := range late {
		w.at(flight+d, do)
	}
}

// until lets time pass until something holds, at most for d.
func (w *pair) until(what string, d time.Duration, ok func() bool) time.Duration {
	w.t.Helper()
	begin := w.now
	end := w.now.Add(d)
	for !ok() && len(w.queue) > 0 && w.queue[0].at <= end {
		w.step()
	}
	w.want(what, ok())
	return w.now.Sub(begin)
}

func (b *box) is(s vrrp.State) bool {
	for _, i := range b.cfg.Instances {
		if b.state[i.Key()] != s {
			return false
		}
	}
	return true
}

// serves says that the kernel has every VIP.
func (b *box) serves() bool {
	for _, i := range b.cfg.Instances {
		for _, v := range i.VIPs {
			if !b.has(v.Prefix.Addr()) {
				return false
			}
		}
	}
	return true
}

func (b *box) has(a netip.Addr) bool {
	until, ok := b.owns[a]
	return ok && (until == 0 || until > b.w.now)
}

func (b *box) bare() bool {
	for a := range b.owns {
		if b.has(a) {
			return false
		}
	}
	return true
}

func (b *box) read() PortsRead {
	var r PortsRead
	for k, p := range append([]Port{cable}, ports...) {
		s := PortState{Port: p, Present: true, AdminUp: true, Carrier: CarrierDown, MAC: b.macs[p], Driver: "sim"}
		if b.carrier[p] {
			s.Carrier = CarrierUp
		}
		s.Facts = b.facts[p]
		if b.houses && p != cable {
			at := netip.MustParsePrefix(vips[slices.Index(ports, p)])
			quad := at.Addr().As4()
			quad[3] = 100 + b.name[0] - 'A'
			s.Addresses = append(s.Addresses, netip.PrefixFrom(netip.AddrFrom4(quad), at.Bits()))
		}
		if p == cable {
			host := byte(1)
			if b.name != "A" {
				host = b.name[0] - 'A' + 1
			}
			s.Addresses = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 255, 0, host}), 30)}
		}
		mac := b.macs[p]
		ll := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 14: mac[1], 15: byte(k) + 1})
		s.Addresses = append(s.Addresses, netip.PrefixFrom(ll, 64))
		r.Ports = append(r.Ports, s)
	}
	return r
}

// tell steps the brain and performs what it says.
func (b *box) tell(e Event) {
	if b.dead || b.paused || b.n == nil {
		return
	}
	actions := b.n.Step(b.w.now, e)
	if b.onStep != nil {
		b.onStep(e, actions)
	}
	for _, a := range actions {
		b.perform(a)
	}
	b.arm()
}

func (b *box) arm() {
	b.wake++
	turn := b.wake
	at, ok := b.n.Deadline()
	if !ok {
		return
	}
	if at < b.w.now {
		at = b.w.now
	}
	b.w.at(at.Sub(b.w.now), func() {
		if turn == b.wake {
			b.tell(Expired{})
		}
	})
}

func (b *box) perform(a Action) {
	w := b.w
	switch a := a.(type) {
	case SendAdvert:
		if b.onAdvert != nil {
			b.onAdvert(a)
		}
		w.deliver(b, a.Port, func(x *box) {
			x.tell(Frame{Port: a.Port, MAC: b.macs[a.Port], Src: a.Src, Dst: a.Dst, TTL: 255, Payload: a.Payload})
		})
	case Ask:
		if b.onAsk != nil {
			b.onAsk(a)
		}
		w.ask(b, a)
	case Install:
		b.wish(a.Key, func() { b.install(a) })
	case Withdraw:
		b.wish(a.Key, func() { b.withdraw(a.Key) })
	case Renew:
		if b.onRenew != nil {
			b.onRenew(a)
		}
		w.at(b.slow, func() {
			b.prolong(a.Key, a.Lease)
			b.tell(Renewed{Key: a.Key, Took: b.slow})
		})
	case Announce:
		if b.onAnnounce != nil {
			b.onAnnounce(a)
		}
		b.announce(a)
	case ReadPorts:
		w.at(flight, func() { b.tell(b.read()) })
	case Transition:
		b.state[a.Key] = a.To
		b.moves = append(b.moves, a)
		w.say("%s %s: %s -> %s (%s)", b.name, a.Name, a.From, a.To, a.Reason)
	case Note:
		b.notes = append(b.notes, a)
		w.say("%s %s", b.name, a.Text)
	case GroupTransition:
		w.say("%s group %s: %s", b.name, a.Name, a.To)
	}
}

func (w *pair) say(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%12v ", (time.Duration(w.now)-time.Hour).Round(time.Microsecond))+fmt.Sprintf(format, args...))
}

func (b *box) instance(k Key) Instance {
	at := slices.IndexFunc(b.cfg.Instances, func(i Instance) bool { return i.Key() == k })
	if at < 0 {
		return Instance{}
	}
	return b.cfg.Instances[at]
}

func (b *box) own(k Key, lease time.Duration, without []Port) {
	for _, v := range b.instance(k).VIPs {
		if slices.Contains(without, v.Port) {
			continue
		}
		until := vrrp.Instant(0)
		if lease > 0 {
			until = b.w.now.Add(lease)
		}
		b.owns[v.Prefix.Addr()] = until
	}
}

// wish has the kernel do something in its time, unless something newer is
// wished for by then.
func (b *box) wish(k Key, do func()) {
	b.wishes[k]++
	turn := b.wishes[k]
	b.w.at(b.slow, func() {
		if turn == b.wishes[k] && !b.dead {
			do()
		}
	})
}

// prolong renews the leases of what was put there, if they have run out or not.
func (b *box) prolong(k Key, lease time.Duration) {
	for _, v := range b.instance(k).VIPs {
		if _, there := b.owns[v.Prefix.Addr()]; there && lease > 0 {
			b.owns[v.Prefix.Addr()] = b.w.now.Add(lease)
		}
	}
}

func (b *box) install(a Install) {
	if b.refuse != "" {
		b.tell(Installed{Key: a.Key, Err: b.refuse, Took: b.slow})
		return
	}
	b.own(a.Key, a.Lease, a.Without)
	b.tell(Installed{Key: a.Key, Serving: true, Took: b.slow})
}

func (b *box) withdraw(k Key) {
	for _, v := range b.instance(k).VIPs {
		delete(b.owns, v.Prefix.Addr())
	}
	b.tell(Withdrawn{Key: k, Took: b.slow})
}

// deliver hands something to every other router on a port's segment.
func (w *pair) deliver(from *box, p Port, do func(*box)) {
	if !from.hearable(p) {
		return
	}
	for _, name := range []string{"A", "B", "C"} {
		x := w.box[name]
		if x == nil || x == from {
			continue
		}
		w.fly(func() {
			if x.hearable(p) && !x.deaf[p] {
				do(x)
			}
		})
	}
}

func (b *box) hearable(p Port) bool {
	l := b.w.lans[p]
	return !b.dead && b.carrier[p] && (l == nil || !l.muted[b] && !l.dead)
}

// ask puts a question on a segment: the gateway answers, a kernel answers for
// what it owns, and a broadcast is overheard by everybody.
func (w *pair) ask(from *box, q Ask) {
	l := w.lans[q.Port]
	if l == nil || !from.hearable(q.Port) {
		return
	}
	reply := func(mac MAC) {
		w.fly(func() {
			if from.hearable(q.Port) && !from.deaf[q.Port] {
				from.tell(Heard{Port: q.Port, Op: Reply, Sender: q.Target, MAC: mac, Target: q.Sender})
			}
		})
	}
	everybody := q.To == MAC{}
	if mac, ok := l.cache[q.Target]; ok && everybody {
		reply(mac)
		return
	}
	if everybody && l.proxy != (MAC{}) {
		reply(l.proxy)
	}
	if (q.Target == l.gateway || q.Target == l.gateway2) && !w.quiet && (everybody || q.To == l.mac) {
		reply(l.mac)
	}
	if everybody && l.hide && q.Sender.IsUnspecified() && q.Target != l.gateway {
		return
	}
	w.deliver(from, q.Port, func(x *box) {
		if !everybody && q.To != x.macs[q.Port] {
			return
		}
		if x.has(q.Target) && !x.mum {
			reply(x.macs[q.Port])
		}
		if everybody {
			x.tell(Heard{Port: q.Port, Op: Request, Sender: q.Sender, MAC: from.macs[q.Port], Target: q.Target})
		}
	})
}

func (b *box) announce(a Announce) {
	for _, v := range b.instance(a.Key).VIPs {
		b.w.deliver(b, v.Port, func(x *box) {
			x.tell(Heard{Port: v.Port, Op: Gratuitous, Sender: v.Prefix.Addr(), MAC: b.macs[v.Port], Target: v.Prefix.Addr()})
		})
	}
}

// link changes a carrier and lets the brain know as the poll of the counters does.
func (b *box) link(p Port, up bool) {
	if b.carrier[p] == up {
		return
	}
	b.carrier[p] = up
	b.w.at(200*time.Microsecond, func() {
		if !up && p == cable {
			b.tell(CarrierLost{Port: p})
		}
		b.tell(b.read())
	})
}

// cut takes the cable away from everybody; join gives it back.
func (w *pair) cut()  { w.cableTo(false) }
func (w *pair) join() { w.cableTo(true) }
func (w *pair) cableTo(up bool) {
	for _, name := range []string{"A", "B", "C"} {
		if b := w.box[name]; b != nil && !b.dead {
			b.link(cable, up)
		}
	}
}

// powerOff silences a router at once and lets the cable go dark for the others.
func (w *pair) powerOff(b *box) {
	b.dead = true
	b.state = map[Key]vrrp.State{}
	b.owns = map[netip.Addr]vrrp.Instant{}
	w.cut()
}

// masters counts who calls itself MASTER.
func (w *pair) masters() int {
	k := 0
	for _, b := range w.box {
		if !b.dead && b.is(vrrp.Master) {
			k++
		}
	}
	return k
}

// changes counts the transitions after the first state.
func (b *box) changes() int { return max(len(b.moves)-1, 0) }

func (b *box) rule() verdict.Rule {
	return b.n.Status().Instances[0].Verdict.Rule
}

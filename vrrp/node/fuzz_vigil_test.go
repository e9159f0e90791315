package node

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// vigil looks at a brain from outside and inside, and fails where something is not as it must always be.
type vigil struct {
	tb  testing.TB
	now vrrp.Instant
	n   *Node
	cfg Config // in force
	// next is the configuration that the coming Reload brings.
	next    Config
	still   bool // the configuration is read again: nothing may move
	stopped bool

	state  map[Key]vrrp.State
	holds  map[Key]bool // was told to the kernel
	put    map[Key]bool // and the kernel said so
	shown  map[Key]bool
	proved map[Key]vrrp.Instant // an advert to obey was heard
	doubts map[Key]doubt        // as they were before the event, and the windows
	window map[Key]time.Duration
	asked  map[Port]*bucket
	woken  []vrrp.Instant // at a deadline, within the last second
	others []vrrp.Instant // by anything else
	looks  int
	idle   int            // times that it woke for nothing and wants to wake again at once
	told   []vrrp.Instant // announcements within the last second
}

// bucket is the budget of questions on a port, kept a second time.
type bucket struct {
	level float64
	at    vrrp.Instant
}

func newVigil(tb testing.TB, now vrrp.Instant, c Config) *vigil {
	return &vigil{
		tb: tb, now: now, n: New(now, c), cfg: c, state: map[Key]vrrp.State{}, holds: map[Key]bool{}, put: map[Key]bool{}, shown: map[Key]bool{},
		proved: map[Key]vrrp.Instant{}, doubts: map[Key]doubt{}, window: map[Key]time.Duration{}, asked: map[Port]*bucket{},
	}
}

func (w *vigil) want(ok bool, format string, args ...any) {
	if !ok {
		w.tb.Helper()
		w.tb.Fatalf("%v: "+format, append([]any{time.Duration(w.now) - time.Hour}, args...)...)
	}
}

// look is called after every event.
func (w *vigil) look(e Event, actions []Action) {
	before := w.cfg
	if _, ok := e.(Reload); ok && !w.stopped {
		if !w.still {
			w.cfg = w.next
		}
	}
	if said, ok := e.(Installed); ok && said.Serving && w.holds[said.Key] {
		w.put[said.Key] = true
	}
	_, stop := e.(Stop)
	w.want(len(actions) <= 60+60*(len(w.cfg.Instances)+len(before.Instances)), "%d actions in one step: %+v", len(actions), actions)
	moves := map[Key]int{}
	for k, a := range actions {
		w.want(!w.stopped || harmless(a), "stopped, and yet %+v", a)
		w.action(a, actions[k+1:], before)
		if t, ok := a.(Transition); ok {
			moves[t.Key]++
			w.want(moves[t.Key] <= 3, "%v moves to and fro in one step, now to %v: %s", t.Key, t.To, t.Reason)
		}
	}
	w.stopped = w.stopped || stop
	w.instances(e)
	w.deadline(e, actions)
	if w.looks++; w.looks%8 == 0 {
		w.memory()
	}
}

// harmless says that an action changes nothing outside.
func harmless(a Action) bool {
	switch a.(type) {
	case Note, ReadPorts:
		return true
	}
	return false
}

// config is what an instance was configured as, now or until this reload.
func (w *vigil) config(k Key, before Config) Instance {
	for _, i := range slices.Concat(w.cfg.Instances, before.Instances) {
		if i.Key() == k {
			return i
		}
	}
	w.tb.Fatalf("there is no instance %v", k)
	return Instance{}
}

// next is where an instance goes in the rest of the step.
func nextState(k Key, rest []Action) (vrrp.State, bool) {
	for _, a := range rest {
		if t, ok := a.(Transition); ok && t.Key == k {
			return t.To, true
		}
	}
	return 0, false
}

// action checks one action against what was done before, and remembers it.
func (w *vigil) action(a Action, rest []Action, before Config) {
	switch a := a.(type) {
	case SendAdvert:
		w.advert(a, rest, before)
	case Ask:
		w.question(a)
	case Install:
		to, moves := nextState(a.Key, rest)
		w.want(w.state[a.Key] == vrrp.Master || moves && to == vrrp.Master, "%v installs as %v", a.Key, w.state[a.Key])
		w.leased(a.Key, a.Lease, before)
		w.holds[a.Key], w.put[a.Key] = true, false
	case Withdraw:
		_, moves := nextState(a.Key, rest)
		w.want(w.state[a.Key] == vrrp.Master && moves, "%v withdraws as %v", a.Key, w.state[a.Key])
		w.holds[a.Key], w.put[a.Key] = false, false
	case Renew:
		w.want(w.state[a.Key] == vrrp.Master && w.put[a.Key] && a.Lease > 0, "%v renews as %v", a.Key, w.state[a.Key])
		w.leased(a.Key, a.Lease, before)
	case Announce:
		w.want(w.put[a.Key] && a.Repeat > 0, "%v announces as %v: %+v", a.Key, w.state[a.Key], a)
		w.told = append(w.told, w.now)
	case Transition:
		w.transition(a)
	case GroupTransition:
		for _, g := range w.cfg.Groups {
			for _, k := range g.Members {
				w.want(g.Name != a.Name || w.state[k] == a.To, "group %s is said to be %v, but %v is %v", a.Name, a.To, k, w.state[k])
			}
		}
	case Note:
		w.want(a.Text != "" && a.Level <= Alarm && len(a.Text) < 1000, "an odd note: %+v", a)
	case ReadPorts:
	}
}

// advert wants what the peer would accept, from a MASTER or from one that becomes or was one in this step.
func (w *vigil) advert(a SendAdvert, rest []Action, before Config) {
	i := w.config(a.Key, before)
	got, check, _ := vrrp.Receive(vrrp.Packet{Src: a.Src, Dst: a.Dst, TTL: 255, Payload: a.Payload}, i.VRRP)
	w.want(check == vrrp.Accepted && a.Port == i.Port, "%v sends what a peer drops for %v: %+v", a.Key, check, a)
	to, moves := nextState(a.Key, rest)
	master := w.state[a.Key] == vrrp.Master
	if got.Priority == 0 {
		w.want(master && moves && to != vrrp.Master, "%v says goodbye as %v", a.Key, w.state[a.Key])
		return
	}
	w.want(master || moves && to == vrrp.Master, "%v advertises priority %d as %v", a.Key, got.Priority, w.state[a.Key])
}

// leased wants whole seconds, and no more than the kernel's timer is good for.
func (w *vigil) leased(k Key, lease time.Duration, before Config) {
	i := w.config(k, before)
	ok := lease%time.Second == 0 && lease >= 0 && lease <= leaseMax && (lease == 0) == (i.Lease == 0)
	w.want(ok, "%v has a lease of %v where %v is configured", k, lease, i.Lease)
}

func (w *vigil) transition(a Transition) {
	w.want(!w.still, "the same configuration was read again, and %v moves from %v to %v: %s", a.Key, a.From, a.To, a.Reason)
	w.want(a.From == w.state[a.Key] && a.From != a.To && a.At == w.now && a.Reason != "", "%v was %v: %+v", a.Key, w.state[a.Key], a)
	w.want(a.Initial == !w.shown[a.Key], "is this the first state of %v? %+v", a.Key, a)
	w.want(w.holds[a.Key] == (a.To == vrrp.Master), "%v becomes %v and holds its addresses: %v", a.Key, a.To, w.holds[a.Key])
	w.state[a.Key], w.shown[a.Key] = a.To, true
	if a.To == vrrp.Master && a.Verdict.Finding == verdict.PeerDead {
		w.alive(a.Key, w.doubts[a.Key], "takes over from the dead")
	}
}

// alive fails if an advert to obey was heard in the doubt, and lately.
func (w *vigil) alive(k Key, d doubt, what string) {
	heard, ok := w.proved[k]
	if !ok || !d.on {
		return
	}
	w.want(heard <= d.since || w.now.Sub(heard) > w.window[k], "%v %s, although an advert was obeyed %v ago, in a doubt of %v", k, what,
		w.now.Sub(heard), w.now.Sub(d.since))
}

// question keeps the budget: 12 a second, one second saved up and one borrowed.
func (w *vigil) question(a Ask) {
	b := w.asked[a.Port]
	if b == nil {
		b = &bucket{at: w.now}
		w.asked[a.Port] = b
	}
	b.level = max(0, b.level-budgetPerSecond*w.now.Sub(b.at).Seconds()) + 1
	b.at = w.now
	w.want(b.level <= budgetPerSecond+budgetBorrow+1, "more questions on %s than the budget has: %v", a.Port, b.level)
	w.want(a.Target.IsValid() && !a.Target.IsUnspecified() && !a.Target.IsMulticast() && a.Sender.IsValid(), "an odd question: %+v", a)
	w.want(a.Target.Is4() == a.Sender.Is4() && (a.Target.Is4() || a.Sender.IsLinkLocalUnicast()), "asked from the wrong address: %+v", a)
}

// instances compares what was said of the instances with what they are.
func (w *vigil) instances(e Event) {
	keys := map[Key]bool{}
	for _, i := range w.n.instances {
		k := i.cfg.Key()
		keys[k] = true
		s := i.machine.Status()
		w.want(s.State == w.state[k], "%v is %v and was said to be %v", k, s.State, w.state[k])
		w.want(i.kernel.holding == w.holds[k] && w.holds[k] == (s.State == vrrp.Master), "%v is %v and holds its addresses: %v", k, s.State, w.holds[k])
		w.want(s.Priority > 0 && (s.Priority == i.cfg.VRRP.Priority || s.Priority == partialPriority && (i.partial || i.group != nil)),
			"%v has the priority %d", k, s.Priority)
		w.want(!i.partial || s.State == vrrp.Master || w.stopped, "%v serves in part as %v", k, s.State)
		w.want((i.consult != nil) == s.Consulting, "%v waits for a ruling: %v, %v", k, i.consult, s.Consulting)
		if i.verdict.Finding == verdict.PeerDead && s.State == vrrp.Backup {
			w.alive(k, i.doubt, "calls the peer dead")
		}
		if _, frame := e.(Frame); frame && s.State == vrrp.Backup && s.Heard && s.LastHeard == w.now {
			w.proved[k] = w.now
		}
		w.doubts[k], w.window[k] = i.doubt, s.MasterInterval*3/2+s.Skew
	}
	for k, s := range w.state {
		if !keys[k] || w.stopped {
			w.want(s == vrrp.Initialize && !w.holds[k], "%v is not served any more, and still %v, holding %v", k, s, w.holds[k])
		}
		if !keys[k] {
			delete(w.state, k)
			delete(w.holds, k)
			delete(w.put, k)
			delete(w.shown, k)
			delete(w.proved, k)
			delete(w.doubts, k)
			delete(w.window, k)
		}
	}
}

// deadline wants the brain to sleep: never until the past, not again and again for nothing, and not too often in a second.
func (w *vigil) deadline(e Event, actions []Action) {
	at, ok := w.n.Deadline()
	w.want(!ok || at > w.now, "it wants to be woken in the past: %v", at)
	w.want(!ok || !w.stopped, "stopped, and wants to be woken at %v", at)
	broken := !slices.ContainsFunc(w.n.instances, func(i *instance) bool { return i.state() != vrrp.Fault })
	w.want(ok || w.stopped || broken, "it wants to sleep for ever")
	list := &w.others
	if e == (Expired{}) {
		list = &w.woken
	}
	*list = append(*list, w.now)
	for _, l := range []*[]vrrp.Instant{&w.woken, &w.others, &w.told} {
		for len(*l) > 0 && w.now.Sub((*l)[0]) > time.Second {
			*l = (*l)[1:]
		}
	}
	w.idle++
	if e != (Expired{}) || len(actions) > 0 || at > w.now.Add(grain) {
		w.idle = 0
	}
	w.want(w.idle < 20, "it wakes every millisecond and does nothing")
	beats := 300
	for _, i := range w.n.instances {
		beats += int(3 * time.Second / min(i.cfg.VRRP.Interval, max(i.interval(), 10*time.Millisecond)))
	}
	w.want(len(w.told) <= 8*len(w.n.instances)+4*len(w.others), "%d announcements within a second, and %d events", len(w.told), len(w.others))
	w.want(len(w.woken) <= beats+10*len(w.others), "%d wake-ups within a second, and %d events", len(w.woken), len(w.others))
}

// memory wants every list to be bounded, whatever was heard.
func (w *vigil) memory() {
	n := w.n
	w.want(len(n.ports) == len(n.byName) && len(n.ports) <= len(places)+1, "%d ports, %d by name", len(n.ports), len(n.byName))
	w.want(len(n.inquiries) <= len(n.instances)+1, "%d inquiries of %d instances", len(n.inquiries), len(n.instances))
	w.want(len(n.macs) <= len(places), "%d hardware addresses", len(n.macs))
	for _, p := range n.ports {
		w.want(p.heart || p.serving, "%s is of no use", p.name)
		w.want(len(p.targets) <= maxTargets && len(p.witnesses) <= maxWitnesses && len(p.ranks) == len(p.witnesses) && len(p.peers) <= maxPeers &&
			len(p.askers) <= maxPeers && len(p.proxies) <= maxProxies && len(p.strangers) <= maxStrangers && len(p.routers) <= maxRouters &&
			len(p.losses) <= flapLosses, "%s remembers too much: %+v", p.name, p)
		for _, t := range p.targets {
			w.want(len(t.pending) <= budgetPerSecond+budgetBorrow+2, "%v waits for %d answers", t.addr, len(t.pending))
			for _, q := range t.pending {
				w.want(len(q.by) <= maxAnswers, "%v was answered by %v", t.addr, q.by)
			}
		}
	}
	for _, i := range n.instances {
		w.want(len(i.mastery.rivals) <= maxRivals && len(i.faults) <= len(i.serving)+2 && len(i.remarked) <= 8, "%v remembers too much", i.cfg.Key())
	}
	for _, q := range n.inquiries {
		for _, b := range []*burst{q.burst, q.last} {
			if b == nil {
				continue
			}
			w.want(len(b.asks)+len(b.kept) <= len(places)*len(n.instances)+len(places) && b.round <= b.rounds+confirmRounds, "a burst of %d askings in round %d",
				len(b.asks)+len(b.kept), b.round)
			for _, a := range b.asks {
				w.want(len(a.answers) <= maxAnswers && len(a.witnesses) <= burstWitness, "%d answers", len(a.answers))
			}
		}
	}
}

// sameActions compares what two brains did.
func sameActions(a, b []Action) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

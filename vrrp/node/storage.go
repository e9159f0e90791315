package node

import (
	"net/netip"
	"slices"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

const (
	// askedLately is for how long a peer's question for a VIP proves that it lives. A
	// calibration comes back to the VIP every 20 s at the latest.
	askedLately = 30 * time.Second
	// servedLong is how long another router has to serve before this one may
	// resign again to the same failure.
	servedLong = time.Minute

	// resignedFor is how long a router that resigned lets the peer take over, at least. A
	// kernel that is slow to let go of the addresses answers the peer's first question,
	// and with fast adverts the budget brings the next one later than the deadline.
	resignedFor = 2 * time.Second

	// A router asks for its own address from no address at all, as a control, for as
	// long as it runs; a host does so for some seconds when it boots (RFC 5227).
	probesFor   = 20 * time.Second
	probeMemory = 2 * time.Minute
	maxProbers  = 8

	ownerPriority = 255 // RFC 9568 §5.2.4: of the router that owns the addresses
)

// storage is what this router runs from.
type storage struct {
	state   Storage
	culprit string
	since   vrrp.Instant
	policy  StoragePolicy
	fenced  bool           // the reset was asked for
	told    []verdict.Rule // what was said of this state, of whichever instance
}

// retiring is what an instance remembers of having resigned.
type retiring struct {
	spent  bool  // it has, for this failure
	served stamp // since when another is heard to serve
	heard  stamp // until when
}

// prober is a station that asks for an address from no address.
type prober struct {
	mac         MAC
	addr        netip.Addr
	first, last vrrp.Instant
}

func (n *Node) takeStorage(e StorageRead) {
	s := &n.storage
	if s.state == e.State {
		s.culprit = e.Culprit
		return
	}
	failed := s.state == StorageFailed
	s.state, s.culprit, s.since, s.fenced = e.State, e.Culprit, n.now, false
	s.told = nil
	switch {
	case e.State == StorageFailed:
		n.note(nil, Alarm, "storage failed: "+e.Culprit)
	case e.State == StorageSlow:
		n.note(nil, Warning, "storage is slow: "+e.Culprit)
	case e.State == StorageHealthy:
		n.note(nil, Info, "storage is healthy")
	}
	for _, i := range n.instances {
		if e.State == StorageHealthy {
			i.retiring.spent = false
		}
		if failed != (e.State == StorageFailed) {
			n.drive(i, vrrp.Reconfigured{Params: n.params(i)})
		}
	}
}

// settleStorage lets a MASTER whose storage has failed resign, once, to a peer that
// lives: before anything else of it breaks, and before it can no longer act.
func (n *Node) settleStorage(i *instance) {
	if i.state() != vrrp.Master || !i.kernel.installed || i.mastery.contested {
		return
	}
	i.retiring.renew()
	v := verdict.Retire(n.fitness(i))
	n.sayFitness(v)
	if v.Act != verdict.Resign {
		return
	}
	together := []*instance{i}
	if i.group != nil {
		together = i.group.members
	}
	for _, j := range together {
		n.resign(j, v)
	}
}

// resign says goodbye, so that the peer waits for its skew only, and gives the
// addresses back.
func (n *Node) resign(i *instance, v verdict.Verdict) {
	i.retiring = retiring{spent: true}
	if i.state() != vrrp.Master {
		return
	}
	i.verdict, i.reason = v, v.Why()
	n.say(i, 0)
	n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown, For: max(i.masterDown(), resignedFor)})
}

// sayFitness says once for the whole router what becomes of its masterships.
func (n *Node) sayFitness(v verdict.Verdict) {
	s := &n.storage
	if v.Finding == verdict.None || slices.Contains(s.told, v.Rule) {
		return
	}
	s.told = append(s.told, v.Rule)
	n.note(nil, Alarm, "degraded ["+v.Rule.String()+"]: "+v.Why())
}

// fitness is what speaks for and against resigning. A peer lives that has asked since
// this router took over: before that it may have died.
func (n *Node) fitness(i *instance) verdict.Fitness {
	asked := i.heart.asked
	owner := i.cfg.VRRP.Priority == ownerPriority // it would preempt whoever took over
	return verdict.Fitness{
		Storage: n.storage.state.evidence(),
		Keep:    tri(n.storage.policy.Keep || owner),
		Spent:   tri(i.retiring.spent),
		Peer:    tri(asked.within(n.now, askedLately) && asked.at > i.mastery.since),
	}
}

// renew lets a MASTER resign again if another has served before it for long enough to
// show that it can.
func (r *retiring) renew() {
	if r.served.ok && r.heard.at.Sub(r.served.at) >= servedLong {
		r.spent = false
	}
	r.served = stamp{}
}

// servedBy follows for how long another MASTER is heard without a gap.
func (r *retiring) servedBy(now vrrp.Instant, gap time.Duration) {
	if !r.served.ok || !r.heard.within(now, gap) {
		r.served.set(now)
	}
	r.heard.set(now)
}

// noteAsker notices the question of a peer for a VIP of ours: it lives, and it would
// take over. Whoever asks from no address at all asks our question. Where the segment
// has a subnet of its own a router asks from its address, as every host does; but it
// goes on asking for that address itself, as a control, and a known peer is known anyway.
func (n *Node) noteAsker(p *port, e Heard) {
	if e.Op != Request {
		return
	}
	if e.Sender.IsUnspecified() && e.Target.Is4() {
		p.addProber(n.now, e.MAC, e.Target)
	}
	ours := e.Sender.IsUnspecified() && e.Target.Is4() || p.isPeer(e.MAC) || p.probes(n.now, e.MAC, e.Sender)
	if !ours || e.MAC == (MAC{}) {
		return
	}
	for _, i := range n.instances {
		if i.serves(p, e.Target) {
			i.heart.asked.set(n.now)
		}
	}
}

// addProber remembers who asks for which address from none.
func (p *port) addProber(now vrrp.Instant, mac MAC, a netip.Addr) {
	p.probers = slices.DeleteFunc(p.probers, func(x prober) bool { return now.Sub(x.last) > probeMemory })
	for k := range p.probers {
		if x := &p.probers[k]; x.mac == mac && x.addr == a {
			x.last = now
			return
		}
	}
	if len(p.probers) < maxProbers {
		p.probers = append(p.probers, prober{mac: mac, addr: a, first: now, last: now})
	}
}

// probes says that a station has asked for its own address for longer than a host
// that boots does.
func (p *port) probes(now vrrp.Instant, mac MAC, own netip.Addr) bool {
	return slices.ContainsFunc(p.probers, func(x prober) bool {
		return x.mac == mac && x.addr == own && x.last.Sub(x.first) >= probesFor && now.Sub(x.last) <= probeMemory
	})
}

// settleFence asks for a reset of this host where its storage has failed for long
// enough and another router serves everything.
func (n *Node) settleFence() {
	s := &n.storage
	if s.fenced || !n.fenceWaits() || n.now.Sub(s.since) < s.policy.Fence || len(n.instances) == 0 {
		return
	}
	for _, i := range n.instances {
		if i.state() != vrrp.Backup || !i.obeyed.within(n.now, i.window()) {
			return
		}
	}
	s.fenced = true
	n.note(nil, Alarm, "storage has failed for "+s.policy.Fence.String()+" and another router serves: this host is reset")
	n.emit(Fence{Reason: s.culprit})
}

func (n *Node) fenceWaits() bool {
	return n.storage.state == StorageFailed && n.storage.policy.Fence != 0
}

func (n *Node) fenceDeadline(d *deadline) {
	if at := n.storage.since.Add(n.storage.policy.Fence); n.fenceWaits() && at > n.now {
		d.want(at)
	}
}

func (n *Node) storageStatus() StorageStatus {
	s := n.storage
	return StorageStatus{
		State: s.state, Culprit: s.culprit, Since: s.since,
		Resigned: slices.ContainsFunc(n.instances, func(i *instance) bool { return i.retiring.spent }),
	}
}

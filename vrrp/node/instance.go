package node

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// bootWait is how long an instance waits for the first carrier of its
// heartbeat port before it starts without it: five seconds, less what the
// questions before the first claim may take, so that a router that boots alone
// is MASTER within five seconds and the master-down interval.
const bootWait = 5*time.Second - 250*time.Millisecond

// instance is one virtual router: its machine and what was made of it.
type instance struct {
	cfg     Instance
	machine *vrrp.Machine
	heart   *port
	serving []*service
	group   *group

	born    vrrp.Instant // when it was configured
	running bool         // the machine was started
	source  netip.Addr   // own address in adverts; kept when the port loses it

	obeyed   stamp      // the last advert that a BACKUP must obey
	lower    stamp      // the last advert of a lower MASTER, heard as BACKUP
	lived    stamp      // the last proof that the peer's box lives
	goodbye  stamp      // the last priority 0
	followed netip.Addr // the MASTER last obeyed

	otherMaster bool // another MASTER was heard or answered since start
	wasMaster   bool // this router was the last MASTER it knows of

	consult *consult
	doubt   doubt
	mastery mastery
	recant  recanting

	displaces bool // preempts although it is told not to: half a service is heard
	retiring  retiring
	kernel    kernel

	faults  []Fault
	partial bool
	quiet   stamp // since when nobody answers on the ports that still serve

	verdict verdict.Verdict
	reason  string // why the state is what it is
	shown   bool   // the first transition was reported
	waits   string // what a takeover was last said to wait for, in this state

	counters [vrrp.NumChecks]uint64
	dropped  [vrrp.NumChecks]stamp // when each check was last spoken of
	remarked map[string]stamp      // when each remark was, by its sentence
	usurped  [3]stamp              // when a lesser MASTER last appeared beside this one
	sent     uint64
	lag      time.Duration // how late the beat is that the machine keeps now
}

// service is one port an instance serves on.
type service struct {
	port      *port
	vips      int
	witnessed stamp // a witness answered, first since this router took over
}

// consult is an open question of the machine.
type consult struct {
	why   vrrp.Why
	since vrrp.Instant
	until vrrp.Instant
}

func (i *instance) state() vrrp.State       { return i.machine.State() }
func (i *instance) interval() time.Duration { return i.machine.MasterInterval() }
func (i *instance) skew() time.Duration     { return i.machine.Skew() }
func (i *instance) masterDown() time.Duration {
	return i.machine.MasterDown()
}

// window is the doubt window: a silence longer than this raises a doubt, and a
// voice older than this proves nothing about now.
func (i *instance) window() time.Duration { return i.interval()*3/2 + i.skew() }

// cadence is how often a question is repeated while nothing else is said, and no
// oftener than the budget pays for a whole burst.
func (i *instance) cadence() time.Duration { return max(min(i.interval(), time.Second), refill) }

// peerFresh says that a BACKUP hears its MASTER.
func (i *instance) peerFresh(now vrrp.Instant) bool {
	return i.running && i.state() == vrrp.Backup &&
		(i.obeyed.within(now, i.window()) || i.lower.within(now, i.window()))
}

func (i *instance) hasVIP(a netip.Addr) bool {
	return slices.ContainsFunc(i.cfg.VIPs, func(v VIP) bool { return v.Prefix.Addr() == a })
}

// serves says that this instance puts the address on that port.
func (i *instance) serves(p *port, a netip.Addr) bool {
	return slices.ContainsFunc(i.cfg.VIPs, func(v VIP) bool { return v.Port == p.name && v.Prefix.Addr() == a })
}

func (i *instance) onServing(p *port) bool { return i.service(p) != nil }

func (i *instance) service(p *port) *service {
	for _, s := range i.serving {
		if s.port == p {
			return s
		}
	}
	return nil
}

// witnessed records the first answer of a witness since this router took over.
func (i *instance) witnessed(p *port, now vrrp.Instant) {
	if s := i.service(p); s != nil && !s.witnessed.ok {
		s.witnessed.set(now)
	}
}

// started starts the machine at the first carrier of the heartbeat port, or
// after a while without it: a router that boots alone must serve, and one
// whose link comes up late must first hear who serves already.
func (n *Node) started(i *instance) bool {
	if i.running {
		return true
	}
	if !i.heart.up() && n.now.Sub(i.born) < bootWait {
		return false
	}
	i.running = true
	i.reason = "started"
	if len(i.faults) > 0 {
		n.drive(i, vrrp.Failed{})
	}
	n.drive(i, vrrp.Start{Source: i.source})
	return true
}

// readSource follows the address that adverts are sent from. When the port
// loses its address the last one stays: a heartbeat does not depend on it.
func (n *Node) readSource(i *instance) {
	a, ok := i.cfg.Source, i.cfg.Source.IsValid()
	if !ok && i.cfg.VRRP.Family == vrrp.IPv6 {
		a, ok = n.linkLocal(i.heart)
	}
	for _, prefix := range i.heart.state.Addresses {
		if !ok && i.cfg.VRRP.Family == vrrp.IPv4 && prefix.Addr().Is4() && !n.isVIP(prefix.Addr()) {
			a, ok = prefix.Addr(), true
		}
	}
	if !ok || a == i.source {
		return
	}
	i.source = a
	if i.running {
		n.drive(i, vrrp.Addressed{Source: a})
	}
}

// drive steps the machine and does what it says.
func (n *Node) drive(i *instance, e vrrp.Event) {
	if _, beat := e.(vrrp.Expired); beat {
		if at, ok := i.machine.Deadline(); ok {
			i.lag = max(0, n.now.Sub(at))
		}
		defer func() { i.lag = 0 }()
	}
	for _, a := range i.machine.Step(n.now, e) {
		switch a := a.(type) {
		case vrrp.Send:
			n.sendAdvert(i, a.Priority)
		case vrrp.Enter:
			n.enter(i, a)
		case vrrp.Consult:
			i.consult = &consult{why: a.Why, since: n.now, until: a.Until}
		case vrrp.Reannounce:
			n.announce(i, i.cfg.Announce.Repeat)
		}
	}
	if i.consult != nil && !i.machine.Status().Consulting {
		i.consult = nil
	}
}

// enter follows a change of state: addresses first, then words. Who is outranked
// says once more that it served. The other may have served as well, on the far side of
// a cable that is whole again, and never heard of this one: it has to announce itself
// where this one was announced last.
func (n *Node) enter(i *instance, e vrrp.Enter) {
	n.moved = true
	i.consult, i.waits = nil, ""
	switch e.Cause {
	case vrrp.CauseRuling, vrrp.CauseFailed, vrrp.CauseStopped: // those have their reasons
	default:
		i.reason = causeText(e.Cause)
	}
	if e.Cause == vrrp.CauseOutranked {
		n.say(i, i.machine.Status().Priority)
	}
	switch {
	case e.To == vrrp.Master:
		n.enterMaster(i, e.Cause)
	case e.From == vrrp.Master:
		n.withdraw(i)
		i.wasMaster = true
	}
	if e.Cause == vrrp.CauseOutranked {
		i.otherMaster, i.wasMaster = true, false
	}
	if e.To != vrrp.Backup {
		i.doubt = doubt{}
	}
	n.emit(Transition{
		Key: i.cfg.Key(), Name: i.cfg.Name, At: n.now, From: e.From, To: e.To,
		Priority: i.cfg.VRRP.Priority, Initial: !i.shown, Verdict: i.verdict, Reason: i.reason,
	})
	i.shown = true
}

// sendAdvert puts an advert on the heartbeat port. The lease is renewed with it.
func (n *Node) sendAdvert(i *instance, priority uint8) {
	if n.say(i, priority) && priority != 0 {
		n.renewIfDue(i)
	}
}

// say puts an advert on the heartbeat port. Without any source address yet there is
// nothing that a peer would accept.
func (n *Node) say(i *instance, priority uint8) bool {
	dst := i.cfg.Group
	if !dst.IsValid() {
		dst = i.cfg.VRRP.Family.Group()
	}
	if !i.source.IsValid() {
		return false
	}
	payload, err := i.cfg.VRRP.Advert(priority).Append(nil, i.source, dst)
	if err != nil {
		n.note(i, Alarm, "cannot encode an advert: "+err.Error())
		return false
	}
	i.sent++
	n.emit(SendAdvert{Key: i.cfg.Key(), Port: i.heart.name, Src: i.source, Dst: dst, Payload: payload, Due: n.now.Add(-i.lag)})
	return true
}

// takeFrame hands an advert to the instance it belongs to. One that belongs to
// another instance of the same sender still proves that its box lives.
func (n *Node) takeFrame(e Frame) {
	p, ok := n.byName[e.Port]
	if !ok || n.own(e.MAC) {
		return
	}
	_, vrid, _ := vrrp.Peek(e.Payload)
	family := vrrp.IPv4
	if e.Src.Is6() {
		family = vrrp.IPv6
	}
	i := n.byKey[Key{Port: e.Port, VRID: vrid, Family: family}]
	if i == nil {
		n.unclaimed++
		return
	}
	advert, check, remarks := vrrp.Receive(vrrp.Packet{Src: e.Src, Dst: e.Dst, TTL: e.TTL, Payload: e.Payload}, i.cfg.VRRP)
	i.counters[check]++
	n.noteDropped(i, check, e.Src)
	if check != vrrp.Accepted || e.Src == i.source || !i.running {
		return
	}
	n.noteRemarks(i, remarks, advert, e.Src)
	p.routers = remember(p.routers, e.Src, maxRouters)
	p.addPeer(e.MAC)
	n.livesElsewhere(i, p)
	n.hear(i, advert, e.Src)
}

// silentFor is how long a check that drops adverts, or a remark about one that is
// obeyed, is not spoken of again; the counters of the checks go on.
const silentFor = 10 * time.Minute

// noteDropped says that adverts are dropped, and why: a router that does not
// accept its peer's password becomes a second MASTER, and nothing else says so.
func (n *Node) noteDropped(i *instance, c vrrp.Check, from netip.Addr) {
	if c == vrrp.Accepted || i.dropped[c].within(n.now, silentFor) {
		return
	}
	i.dropped[c].set(n.now)
	n.note(i, Warning, fmt.Sprintf("an advert of %v is dropped, it fails the check %q: the two routers differ, or it is somebody else's", from, c))
}

// noteRemarks says in what an accepted advert differs from what this router would
// send: the advert counts, but one of the two configurations is wrong.
func (n *Node) noteRemarks(i *instance, r vrrp.Remarks, a vrrp.Advert, from netip.Addr) {
	if r.Has(vrrp.RemarkAddresses) {
		n.remark(i, Warning, "an advert of %v carries other addresses than this router's: %v; the two configurations differ", from, a.Addresses)
	}
	if r.Has(vrrp.RemarkInterval) {
		n.remark(i, Warning, "an advert of %v announces an interval of %v, here it is %v: give both routers the same advert_int",
			from, a.Interval, i.cfg.VRRP.Interval)
	}
	switch {
	case !r.Has(vrrp.RemarkOwner):
	case a.Priority == i.cfg.VRRP.Priority:
		n.remark(i, Warning, "%v says that it owns the addresses, and so does this router: give priority 255 to one of them", from)
	default:
		n.remark(i, Info, "%v sends adverts although this router owns the addresses (priority 255)", from)
	}
}

// remark says a sentence unless it was said lately, of whomever.
func (n *Node) remark(i *instance, l Level, sentence string, args ...any) {
	if i.remarked[sentence].within(n.now, silentFor) {
		return
	}
	if i.remarked == nil {
		i.remarked = map[string]stamp{}
	}
	i.remarked[sentence] = stamp{at: n.now, ok: true}
	n.note(i, l, fmt.Sprintf(sentence, args...))
}

// livesElsewhere tells the other instances on this heartbeat port that the
// peer's box lives.
func (n *Node) livesElsewhere(heard *instance, p *port) {
	for _, i := range n.instances {
		if i != heard && i.heart == p {
			i.lived.set(n.now)
		}
	}
}

func (n *Node) hear(i *instance, a vrrp.Advert, from netip.Addr) {
	before := i.state()
	if before == vrrp.Master {
		n.exchange(i, a)
	}
	n.displace(i, a)
	n.drive(i, vrrp.Heard{Advert: a, From: from})
	s := i.machine.Status()
	switch {
	case a.Priority == 0:
		i.goodbye.set(n.now)
		i.otherMaster = false
	case s.State == vrrp.Backup && s.Heard && s.LastHeard == n.now:
		i.obeyed.set(n.now)
		i.goodbye = stamp{} // somebody serves all the same, or again
		i.otherMaster, i.wasMaster = true, false
		i.retiring.servedBy(n.now, i.window())
		n.follow(i, from)
	case s.State == vrrp.Backup:
		i.lower.set(n.now)
		i.otherMaster = true
	case s.State == vrrp.Master && i.mastery.heard.within(n.now, 0): // an exchange begins
		n.noteUsurper(i, from)
	case s.State == vrrp.Fault: // any MASTER is better than half a service
		i.obeyed.set(n.now)
		i.otherMaster = true
	}
}

// noteUsurper notices a lesser router that becomes MASTER again and again, since it
// hears this one too late or not at all (RFC 9568 §2.5). Each time alone looks harmless.
func (n *Node) noteUsurper(i *instance, from netip.Addr) {
	copy(i.usurped[:], i.usurped[1:])
	i.usurped[len(i.usurped)-1].set(n.now)
	if i.usurped[0].within(n.now, max(time.Minute, 10*i.masterDown())) {
		n.remark(i, Warning, "%v becomes MASTER beside this router again and again, and yields: it hears the adverts of this one too late, or not all of them", from)
	}
}

// displace lets an instance that preempts nobody preempt half a service, whose priority
// is one: what nopreempt protects is a router that serves.
func (n *Node) displace(i *instance, a vrrp.Advert) {
	half := a.Priority == partialPriority && i.machine.Status().Priority > partialPriority
	if a.Priority == 0 || half == i.displaces {
		return
	}
	i.displaces = half
	n.drive(i, vrrp.Reconfigured{Params: n.params(i)})
}

// params are what the machine runs by: a router whose storage has failed preempts
// nobody, and every router preempts half a service.
func (n *Node) params(i *instance) vrrp.Params {
	p := i.cfg.VRRP
	p.Preempt = p.Preempt && n.storage.state != StorageFailed || i.displaces
	return p
}

// follow notices another MASTER: whoever answers for the VIPs now is to be
// learnt again.
func (n *Node) follow(i *instance, from netip.Addr) {
	if from == i.followed {
		return
	}
	i.followed = from
	for _, s := range i.serving {
		s.port.learned = false
		s.port.fast, s.port.nextAsk = fastQuestions, min(s.port.nextAsk, n.now)
	}
}

func causeText(c vrrp.Cause) string {
	switch c {
	case vrrp.CauseStarted:
		return "started; listening for a MASTER"
	case vrrp.CauseOwner:
		return "owner of the addresses started"
	case vrrp.CauseSilence:
		return "no advert for a master-down interval, and no ruling came in time"
	case vrrp.CausePreempt:
		return "the MASTER has a lower priority"
	case vrrp.CauseGoodbye:
		return "the MASTER said goodbye"
	case vrrp.CauseOutranked:
		return "a MASTER that outranks this router was heard"
	case vrrp.CauseFailed:
		return "a port that serves is out of service"
	case vrrp.CauseRepaired:
		return "every port that serves is in service again"
	case vrrp.CauseStopped: // says it itself
	case vrrp.CauseNone, vrrp.CauseRuling:
		return "ruled"
	}
	return c.String()
}

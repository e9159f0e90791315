package node

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// A router in FAULT that hears a MASTER does not offer half a service, however
// silent the segments are.
func TestNoPartialServiceBesideAMaster(t *testing.T) {
	w, a, b := newStory(t)
	b.mum = true
	a.link("p3p1", false)
	w.until("B serves", 5*time.Second, b.serves)
	moves := len(a.moves)
	w.run(time.Minute)
	w.want("A stays in FAULT", a.is(vrrp.Fault) && len(a.moves) == moves && b.serves())
}

func TestPartialServiceFollowsThePorts(t *testing.T) {
	w, a, b := newStory(t)
	for _, x := range []*box{a, b} {
		x.link("p3p1", false)
		x.link("p3p2", false)
	}
	w.run(20 * time.Second)
	w.want("one serves what is left", a.is(vrrp.Master) != b.is(vrrp.Master))
	m := a
	if b.is(vrrp.Master) {
		m = b
	}
	m.link("p3p2", true)
	w.until("and what comes back", time.Second, func() bool { return m.has(netip.MustParseAddr("192.168.20.1")) })
	w.want("but not the rest", !m.has(netip.MustParseAddr("192.168.10.1")))
}

func TestPartialServiceKeepsItsPriorityOverAReload(t *testing.T) {
	w, a, b := newStory(t)
	w.powerOff(b)
	a.link("p3p1", false)
	w.run(20 * time.Second)
	w.want("A serves partially", a.is(vrrp.Master) && a.n.Status().Instances[0].Partial)
	a.cfg = Config{Instances: []Instance{story(120)}}
	a.tell(Reload{Config: a.cfg})
	w.run(time.Second)
	w.want("at priority 1", a.n.Status().Instances[0].Effective == 1)
	a.link("p3p1", true)
	w.run(time.Second)
	w.want("and then at its own", a.n.Status().Instances[0].Effective == 120)
}

func TestFaultHasARuleAndACulprit(t *testing.T) {
	w, a, _ := newStory(t)
	a.link("p3p1", false)
	w.run(time.Millisecond)
	last := a.moves[len(a.moves)-1]
	w.want("the transition names rule and culprit", last.To == vrrp.Fault && last.Verdict.Rule == verdict.FaultLocal && strings.Contains(last.Reason, "p3p1"))
	a.link("p3p2", false)
	a.link("p1p1", false)
	w.run(time.Millisecond)
	w.want("and it is judged again", a.rule() == verdict.FaultIsolated)
}

package node

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// The clock of the brain never goes back.
func TestClockGoesForward(t *testing.T) {
	n := single(t, lone(50, 0))
	at := n.now
	n.Step(at-5, Expired{})
	if n.now != at {
		t.Errorf("it went back by %v", at.Sub(n.now))
	}
	n.Step(at+5, Expired{})
	if n.now != at+5 {
		t.Errorf("it is at %v", n.now.Sub(at))
	}
}

// Each step begins with nothing to do.
func TestStepsDoNotRepeatThemselves(t *testing.T) {
	n := single(t, lone(50, 0))
	first := n.Step(n.now, CarrierLost{Port: cable})
	if second := n.Step(n.now, Expired{}); len(first) == 0 || slices.ContainsFunc(second, func(a Action) bool { return a == Action(ReadPorts{}) }) {
		t.Errorf("%v, and then %v", first, second)
	}
}

// An expiry is given to the machine when it is due, and not while the judge has still to rule in a BACKUP.
func TestExpiryIsGivenToTheMachine(t *testing.T) {
	n, i := deadlineReached(t, lone(50, 0))
	i.consult = nil
	at, _ := i.machine.Deadline()
	for _, c := range []struct {
		name   string
		now    vrrp.Instant
		change func()
		want   bool
	}{{"early", at - 1, nil, false}, {"due", at, nil, true}} {
		n.now = c.now
		i.obeyed = ago(n, 0)
		n.settleInstance(i)
		if got := i.consult != nil; got != c.want {
			t.Errorf("%s: the machine asks %v", c.name, got)
		}
	}
	// it asks; the machine would be MASTER by itself when it has waited, but the judge rules first
	until := i.consult.until
	i.obeyed, i.lower = stamp{}, stamp{}
	n.now = until
	i.cfg.Prior, i.otherMaster = PriorYield, true
	n.settleInstance(i)
	if i.state() != vrrp.Backup {
		t.Errorf("the machine was not held by the judge: %v", i.state())
	}
}

// A BACKUP without a doubt has no verdict, and a bar on its preemption is looked at.
func TestSettlingABackup(t *testing.T) {
	n := calm(t, lone(50, 0))
	i := n.instances[0]
	i.verdict = verdict.Verdict{Rule: verdict.BackupLate}
	i.recant = recanting{barred: true}
	n.settleBackup(i)
	if i.verdict != (verdict.Verdict{}) || i.recant.barred {
		t.Errorf("verdict %v, barred %v", i.verdict, i.recant.barred)
	}
}

// A group that moves its members and members that move their group are looked at until nothing moves.
func TestMembersFollowInOneStep(t *testing.T) {
	b := newPair(t).add("B")
	b.cfg = group2(50)
	n := b.start().n
	s := n.byName["p3p1"].state
	s.Carrier = CarrierDown
	n.Step(n.now.Add(time.Second), PortsRead{Ports: []PortState{s}})
	for _, i := range n.instances {
		if i.state() != vrrp.Fault {
			t.Errorf("%v is %v", i.cfg.Key(), i.state())
		}
	}
	said := 0
	for _, a := range n.out {
		if g, ok := a.(GroupTransition); ok && g.To == vrrp.Fault && g.Name == "G" {
			said++
		}
	}
	if said != 1 {
		t.Errorf("the group's transition is told %d times", said)
	}
}

// A port is known by its name, once, and the ports stand in the order of their names.
func TestPortsStandInOrder(t *testing.T) {
	n := New(0, Config{})
	for _, name := range []Port{"c", "a", "b", "a"} {
		if p := n.port(name); p.name != name || n.byName[name] != p {
			t.Errorf("%s is %s", name, p.name)
		}
	}
	var got []Port
	for _, p := range n.ports {
		got = append(got, p.name)
	}
	if want := []Port{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// An address that the heartbeat port gets is where adverts come from, from the next step on.
func TestNewAddressIsTheSource(t *testing.T) {
	n := single(t, lone(50, 0))
	s := n.byName[cable].state
	s.Addresses = []netip.Prefix{netip.MustParsePrefix("10.255.0.77/24")}
	n.Step(n.now, PortsRead{Ports: []PortState{s}})
	if got := n.instances[0].source; got != addr("10.255.0.77") {
		t.Errorf("adverts come from %v", got)
	}
}

// What the kernel knows of neighbours becomes a witness.
func TestNeighboursAreTaken(t *testing.T) {
	n := single(t, lone(50, 0))
	n.Step(n.now, Neighbours{Port: "p3p1", Gateways: []netip.Addr{host(1)}})
	if !slices.Contains(n.byName["p3p1"].witnesses, host(1)) {
		t.Errorf("witnesses %v", n.byName["p3p1"].witnesses)
	}
}

// An owner whose questions take longer than its machine waits is MASTER by the RFC.
func TestOwnerDoesNotWaitForEver(t *testing.T) {
	n := single(t, lone(255, 0))
	i := n.instances[0]
	n.inquire(i).burst.next = n.now.Add(time.Hour)
	n.now = i.consult.until
	n.settleInstance(i)
	if i.state() != vrrp.Master {
		t.Errorf("%v", i.state())
	}
}

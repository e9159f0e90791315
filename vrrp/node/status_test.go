package node

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// What status shows of an instance.
func TestStatusOfAnInstance(t *testing.T) {
	n, i := established(t, story(100))
	i.partial, i.sent, i.reason, i.counters[vrrp.CheckTTL] = true, 7, "because", 3
	i.faults = []Fault{{Cause: CauseCarrier}}
	i.verdict = verdict.Verdict{Rule: verdict.MasterOrder}
	n.unclaimed = 5
	n.weigh(i)
	s := n.Status()
	got := s.Instances[0]
	if s.Now != n.now || s.Unclaimed != 5 || len(s.Instances) != 1 || len(s.Ports) != 4 {
		t.Errorf("at %v, %d unclaimed, %d instances, %d ports", s.Now, s.Unclaimed, len(s.Instances), len(s.Ports))
	}
	if got.Key != i.cfg.Key() || got.Name != "VI_0" || got.State != vrrp.Master || got.Since != i.machine.Status().Since || got.Priority != 100 || got.Effective != 1 ||
		!got.Partial || !got.Holding || !got.Installed || got.Lease != 3*time.Second || got.Verdict != i.verdict || got.Reason != "because" ||
		!slices.Equal(got.Faults, i.faults) || got.Counters != i.counters || got.Sent != 7 || !slices.Equal(got.VIPs, i.cfg.VIPs) {
		t.Errorf("shown %+v", got)
	}
	got.Faults[0], got.VIPs[0] = Fault{}, VIP{}
	if i.faults[0] == (Fault{}) || i.cfg.VIPs[0] == (VIP{}) {
		t.Error("what is shown is not a copy")
	}
}

// A doubt is shown with its cause, and a MASTER's dark heartbeat as what it is.
func TestStatusOfADoubt(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   string
	}{
		{"none", func(n *Node, i *instance) {}, ""},
		{"a silence", func(n *Node, i *instance) { i.doubt = doubt{on: true, cause: doubtSilence} }, "adverts stopped"},
		{"a dark cable, without a doubt", func(n *Node, i *instance) { i.heart.state.Carrier = CarrierDown }, ""},
		{"a dark cable of a MASTER", func(n *Node, i *instance) {
			i.heart.state.Carrier = CarrierDown
			n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
		}, "carrier lost on the heartbeat port"},
		{"a MASTER", func(n *Node, i *instance) { n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver}) }, ""},
	} {
		n := calm(t, lone(50, 0))
		c.change(n, n.instances[0])
		if got := n.Status().Instances[0].Doubt; got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	seen := map[string]bool{}
	for c := doubtNone; c <= doubtDeadline; c++ {
		if seen[c.String()] || (c.String() == "") != (c == doubtNone) {
			t.Errorf("cause %d is called %q", c, c)
		}
		seen[c.String()] = true
	}
}

// What status shows of a port.
func TestStatusOfAPort(t *testing.T) {
	n := calm(t, lone(50, 0))
	p, h := n.byName["p3p1"], n.byName[cable]
	p.state.Driver, p.heard, p.upSince = "sim", false, n.now
	p.addPeer(peerMAC)
	h.flaps = n.now + 1
	for _, c := range []struct {
		name       string
		change     func()
		calibrated bool
		witnesses  []netip.Addr
	}{
		{"nothing answers", func() {}, false, nil},
		{"a witness", func() { p.target(addr(gates[0])).answered[unicast].set(n.now) }, false, []netip.Addr{addr(gates[0])}},
		{"the virtual address", func() { p.target(addr("192.168.10.1")).answered[broadcast].set(n.now) }, true, []netip.Addr{addr(gates[0])}},
		{"blind", func() { p.blind = true }, false, []netip.Addr{addr(gates[0])}},
		{"long ago", func() { p.blind, n.now = false, n.now.Add(time.Minute+1) }, false, nil},
		{"forgotten", func() { p.targets = map[netip.Addr]*target{} }, false, nil},
	} {
		c.change()
		got := n.portStatus(p)
		if got.Calibrated != c.calibrated || !slices.Equal(got.Witnesses, c.witnesses) || got.Blind != p.blind || got.Mute != (n.now.Sub(p.upSince) < time.Minute) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	got := n.portStatus(p)
	if got.Port != "p3p1" || !got.Present || !got.AdminUp || got.Carrier != CarrierUp || got.Driver != "sim" || got.Flapping ||
		!slices.Equal(got.Peers, []MAC{peerMAC}) || !slices.Equal(got.Roles, []Role{RoleServing}) {
		t.Errorf("a port that serves: %+v", got)
	}
	h.heard, h.upSince = false, n.now
	if got := n.portStatus(h); !slices.Equal(got.Roles, []Role{RoleHeartbeat}) || got.Mute || n.now > h.flaps && got.Flapping {
		t.Errorf("the heartbeat port: %+v", got)
	}
	h.flaps = n.now + 1
	if !n.portStatus(h).Flapping {
		t.Error("a flapping port is not shown as one")
	}
	cfg := lone(50, 0)
	cfg.VIPs[0].Port = cable
	if got := single(t, cfg).Status().Ports[0].Roles; !slices.Equal(got, []Role{RoleHeartbeat, RoleServing}) {
		t.Errorf("a port that is both: %v", got)
	}
}

// An address of another port does not make this one calibrated.
func TestCalibrationIsOfAPort(t *testing.T) {
	n := calm(t, story(50))
	p := n.byName["p3p1"]
	p.target(addr("192.168.20.1")).answered[broadcast].set(n.now)
	if n.portCalibrated(p) {
		t.Error("it counts for a port that does not serve it")
	}
}

// The form in which hardware addresses and keys are written.
func TestFormOfAHardwareAddress(t *testing.T) {
	if got, want := (MAC{0, 1, 0x2a, 3, 4, 0xff}).String(), "00:01:2a:03:04:ff"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

package node

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"standfast/vrrp"
)

// addr is a shorthand.
func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// single makes a brain in a world of its own, that was told of its ports and nothing else.
func single(t *testing.T, cfg ...Instance) *Node {
	t.Helper()
	b := newPair(t).add("B", cfg...).start()
	b.n.out = nil
	return b.n
}

// questions are the questions among what a brain wants done.
func questions(actions []Action) (list []Ask) {
	for _, a := range actions {
		if q, ok := a.(Ask); ok {
			list = append(list, q)
		}
	}
	return list
}

// remarks are the notes among what a brain wants done.
func remarks(actions []Action) (list []Note) {
	for _, a := range actions {
		if n, ok := a.(Note); ok {
			list = append(list, n)
		}
	}
	return list
}

// A port has twelve frames a second, which do not pile up; a burst may go one second ahead.
func TestBudgetOfAPort(t *testing.T) {
	now := vrrp.Instant(time.Hour)
	spent := func(p *port, burst bool) (k int) {
		for p.spend(now, burst) {
			k++
		}
		return k
	}
	p := newPort("p")
	p.filled = now
	for frames, want := range map[int]bool{0: true, 24: true, 25: false} {
		if got := p.affords(now, frames); got != want {
			t.Errorf("a burst of %d frames is affordable: %v, want %v", frames, got, want)
		}
	}
	if got := spent(p, false); got != budgetPerSecond {
		t.Errorf("%d frames at once, want %d", got, budgetPerSecond)
	}
	if got := spent(p, true); got != budgetBorrow {
		t.Errorf("a burst borrows %d frames, want %d", got, budgetBorrow)
	}
	if spent(p, false)+spent(p, true) != 0 {
		t.Error("an empty budget has frames")
	}
	now = now.Add(500 * time.Millisecond)
	if p.affords(now, 7) || !p.affords(now, 6) {
		t.Error("half a second does not pay for six frames of a burst, or for more")
	}
	if got := spent(p, true); got != 6 {
		t.Errorf("half a second pays for %d frames of a burst, want 6", got)
	}
	now = now.Add(2 * time.Second)
	if got := spent(p, false); got != budgetPerSecond {
		t.Errorf("two seconds pay the debt and %d frames, want %d", got, budgetPerSecond)
	}
	now = now.Add(time.Hour)
	if got := spent(p, false); got != budgetPerSecond {
		t.Errorf("%d frames after an hour, want %d", got, budgetPerSecond)
	}
}

// Of too many addresses the one asked longest ago is forgotten; among equals the lowest.
func TestTargetsAreBounded(t *testing.T) {
	numbered := func(k byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, k}) }
	for _, c := range []struct {
		name      string
		asked     func(k byte) vrrp.Instant
		forgotten byte
	}{
		{"the first asked", func(k byte) vrrp.Instant { return vrrp.Instant(k) }, 1},
		{"the last in the list", func(k byte) vrrp.Instant { return vrrp.Instant(200 - int(k)) }, maxTargets},
		{"in the middle", func(k byte) vrrp.Instant { return vrrp.Instant(max(int(k), 40-int(k))) }, 20},
		{"all at once", func(byte) vrrp.Instant { return 7 }, 1},
		{"two at once", func(k byte) vrrp.Instant { return vrrp.Instant(k / 2 * 2 % 60) }, 1},
	} {
		for range 20 { // a map has no order
			p := newPort("p")
			for k := byte(1); k <= maxTargets; k++ {
				p.target(numbered(k)).lastAsk.set(c.asked(k))
			}
			if len(p.targets) != maxTargets {
				t.Fatalf("%d targets are kept, want %d", len(p.targets), maxTargets)
			}
			p.target(numbered(200))
			if p.targets[numbered(c.forgotten)] != nil || len(p.targets) != maxTargets || p.targets[numbered(200)] == nil {
				t.Fatalf("%s: %d is kept, of %d", c.name, c.forgotten, len(p.targets))
			}
		}
	}
}

// An answer makes silences of its own form count for a minute.
func TestCalibrationAges(t *testing.T) {
	now := vrrp.Instant(time.Hour)
	for f, other := range map[form]form{broadcast: unicast, unicast: broadcast} {
		x := &target{}
		x.answered[f].set(now)
		for age, want := range map[time.Duration]bool{0: true, time.Minute: true, time.Minute + 1: false} {
			at := now.Add(age)
			if x.calibrated(f, at) != want || x.answers(at) != want || x.calibrated(other, at) {
				t.Errorf("form %d, %v later: calibrated %v, answers %v, the other form %v", f, age, x.calibrated(f, at), x.answers(at), x.calibrated(other, at))
			}
		}
	}
}

// A round waits for twice the round trip, within limits.
func TestWaitOfARound(t *testing.T) {
	for rtt, want := range map[time.Duration]time.Duration{
		0: 20 * time.Millisecond, 1: 2 * time.Millisecond, time.Millisecond: 2 * time.Millisecond, 1100 * time.Microsecond: 2200 * time.Microsecond,
		10 * time.Millisecond: 20 * time.Millisecond, 25 * time.Millisecond: 50 * time.Millisecond, time.Second: 50 * time.Millisecond,
	} {
		p := &port{rtt: rtt}
		if got := p.wait(); got != want {
			t.Errorf("round trip %v: waits %v, want %v", rtt, got, want)
		}
	}
}

// Round trips are believed at once when they grow, and an eighth of the way when they shrink.
func TestRoundTripsAreLearnt(t *testing.T) {
	p := &port{}
	for _, step := range []struct{ rtt, want time.Duration }{
		{8 * time.Millisecond, 8 * time.Millisecond}, {16 * time.Millisecond, 16 * time.Millisecond},
		{8 * time.Millisecond, 15 * time.Millisecond}, {0, 13125 * time.Microsecond}, {14 * time.Millisecond, 14 * time.Millisecond},
	} {
		if p.learn(step.rtt); p.rtt != step.want {
			t.Errorf("after %v: %v, want %v", step.rtt, p.rtt, step.want)
		}
	}
}

// Whom a question goes to and whom it comes from.
func TestFormsOfAQuestion(t *testing.T) {
	peer, host := MAC{2, 'A', 1}, MAC{2, 0xcc, 1}
	four, six := dual(50).Instances[0], dual(50).Instances[1]
	lan := PortState{Port: "p3p1", Present: true, AdminUp: true, Carrier: CarrierUp, MAC: MAC{2, 'B', 1}}
	local := netip.MustParsePrefix("fe80::b/64")
	none, zero := netip.Addr{}, netip.IPv4Unspecified()
	for _, c := range []struct {
		name      string
		cfg       Instance
		addresses []netip.Prefix
		peer      MAC // as it was last seen
		target    netip.Addr
		answered  MAC // by whom
		form      form
		sender    netip.Addr // none: cannot be asked
		to        MAC
	}{
		{"broadcast, no address in the subnet", four, []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}, peer, addr("192.168.10.1"), host, broadcast, zero, MAC{}},
		{"broadcast from an own address", four, []netip.Prefix{netip.MustParsePrefix("192.168.10.7/24")}, peer, addr("192.168.10.1"), host, broadcast, addr("192.168.10.7"), MAC{}},
		{"never from the virtual address", four, []netip.Prefix{netip.MustParsePrefix("192.168.10.1/24")}, peer, addr("192.168.10.9"), host, broadcast, zero, MAC{}},
		{"unicast to whom answered", four, nil, peer, addr("192.168.10.1"), host, unicast, zero, host},
		{"unicast for a virtual address to the peer", four, nil, peer, addr("192.168.10.1"), MAC{}, unicast, zero, peer},
		{"unicast for another to nobody", four, nil, peer, addr("192.168.10.9"), MAC{}, unicast, none, MAC{}},
		{"unicast without a peer", four, nil, MAC{}, addr("192.168.10.1"), MAC{}, unicast, none, MAC{}},
		{"neighbour discovery", six, []netip.Prefix{netip.MustParsePrefix("2001:db8:1::7/64"), local}, peer, addr("2001:db8:1::1"), host, broadcast, local.Addr(), MAC{}},
		{"neighbour discovery by unicast", six, []netip.Prefix{local}, peer, addr("2001:db8:1::1"), host, unicast, local.Addr(), host},
		{"neighbour discovery without a link-local address", six, []netip.Prefix{netip.MustParsePrefix("2001:db8:1::7/64")}, peer, addr("2001:db8:1::1"), host, broadcast, none, MAC{}},
		{"neighbour discovery with an IPv4 address only", six, []netip.Prefix{netip.MustParsePrefix("169.254.0.7/16")}, peer, addr("2001:db8:1::1"), host, broadcast, none, MAC{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, c.cfg)
			lan.Addresses = c.addresses
			p := n.byName["p3p1"]
			n.readPort(p, lan)
			p.addPeer(c.peer)
			x := p.target(c.target)
			x.mac = c.answered
			before := p.tokens
			asked := n.question(p, x, c.form, false)
			want := []Ask{{Port: "p3p1", Target: c.target, Sender: c.sender, To: c.to}}
			if !c.sender.IsValid() {
				want = nil
			}
			if asked != (want != nil) || before-p.tokens != float64(len(want)) {
				t.Errorf("asked %v, for %v frames", asked, before-p.tokens)
			}
			if diff := cmp.Diff(want, questions(n.out), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("questions (-want +got):\n%s", diff)
			}
			if asked && (!x.lastAsk.within(n.now, 0) || len(x.pending) != 1 || x.pending[0].form != c.form || x.pending[0].to != c.to || x.pending[0].at != n.now) {
				t.Errorf("it is remembered as %+v, last asked %+v", x.pending, x.lastAsk)
			}
			p.tokens = 0
			if n.question(p, x, c.form, false) {
				t.Error("asked beyond the budget")
			}
			if got := n.question(p, x, c.form, true); got != asked {
				t.Errorf("a burst that borrows asked %v", got)
			}
		})
	}
}

// Who answered a broadcast is asked himself, once, and on credit.
func TestConfirmation(t *testing.T) {
	n := single(t, lone(50, 0))
	p := n.byName["p3p1"]
	x := p.target(addr("192.168.10.1"))
	p.tokens = 0
	for range 2 {
		n.confirm(p, x, MAC{2, 1})
	}
	n.confirm(p, x, MAC{2, 2})
	var to []MAC
	for _, q := range questions(n.out) {
		to = append(to, q.To)
	}
	if want := []MAC{{2, 1}, {2, 2}}; !slices.Equal(to, want) {
		t.Errorf("asked %v, want %v", to, want)
	}
	n.out = nil
	six := p.target(addr("2001:db8::1"))
	p.state.Addresses = nil
	n.confirm(p, six, MAC{2, 1})
	if len(questions(n.out)) > 0 {
		t.Errorf("asked from no address: %v", n.out)
	}
}

// An answer belongs to the oldest question of its form, for a tenth of a second, and to a question belong four answers.
func TestAnswersBelongToTheOldestQuestion(t *testing.T) {
	now := vrrp.Instant(time.Hour)
	x := &target{pending: []pending{{at: now.Add(-answerWindow - 1)}, {at: now.Add(-answerWindow)}, {at: now - 5}}}
	var got []vrrp.Instant
	for k := range byte(9) {
		q, _, ok := x.match(now, MAC{2, k})
		if !ok {
			continue
		}
		got = append(got, q.at)
	}
	want := slices.Concat(slices.Repeat([]vrrp.Instant{now.Add(-answerWindow)}, maxAnswers), slices.Repeat([]vrrp.Instant{now - 5}, maxAnswers))
	if !slices.Equal(got, want) {
		t.Errorf("nine stations answered the questions of %v, want %v", got, want)
	}
}

package node

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// calm is a brain whose MASTER is heard, with a doubt about nothing.
func calm(t *testing.T, cfg ...Instance) *Node {
	t.Helper()
	n := single(t, cfg...)
	for _, i := range n.instances {
		i.obeyed.set(n.now)
	}
	return n
}

// In peacetime a port asks for the control, the virtual address and the witness, in both forms where it can.
func TestTurnsOfACalibration(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Node, *port)
		want   []string
	}{
		{"nobody known", func(*Node, *port) {}, []string{"control *", "vip *", "gate *"}},
		{"both known", func(n *Node, p *port) {
			p.target(addr("192.168.10.1")).mac = peerMAC
			p.target(addr(gates[0])).mac = MAC{2, 0xff}
		}, []string{"control *", "vip *", "vip 02:41:01:00:00:00", "gate *", "gate 02:ff:00:00:00:00"}},
		{"the MASTER is not heard", func(n *Node, p *port) { n.instances[0].obeyed = stamp{} }, []string{"control *", "gate *"}},
		{"the MASTER is in doubt", func(n *Node, p *port) { n.instances[0].doubt.on = true }, []string{"control *", "gate *"}},
		{"no witness", func(n *Node, p *port) { p.dropWitness(addr(gates[0])) }, []string{"control *", "vip *"}},
		{"nothing", func(n *Node, p *port) {
			n.instances[0].cfg.VIPs = nil
			p.dropWitness(addr(gates[0]))
		}, []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := calm(t, lone(50, 0))
			p := n.byName["p3p1"]
			p.targets = map[netip.Addr]*target{}
			p.turn, p.fast = 0, 0
			c.change(n, p)
			name := map[netip.Addr]string{addr("192.168.10.0"): "control ", addr("192.168.10.1"): "vip ", addr(gates[0]): "gate "}
			var got []string
			for range 2 * len(c.want) {
				n.out = nil
				p.tokens, p.nextAsk = budgetPerSecond, n.now
				n.calibrate(p)
				if p.nextAsk != n.now.Add(calibrateEvery) {
					t.Errorf("the next question comes after %v", p.nextAsk.Sub(n.now))
				}
				text := ""
				for _, q := range questions(n.out) {
					to := "*"
					if q.To != (MAC{}) {
						to = q.To.String()
					}
					text += name[q.Target] + to
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(append(c.want, c.want...), got); diff != "" {
				t.Errorf("two rounds of questions (-want +got):\n%s", diff)
			}
		})
	}
}

// When a port asks: only where it serves and has carrier, fast at first, not beside a burst, and not beyond its budget.
func TestPaceOfACalibration(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, p *port)
		asked  bool
		pause  time.Duration // 0: it is not looked at
		fast   int
	}{
		{"fast", func(n *Node, p *port) { p.fast = 2 }, true, calibrateFast, 1},
		{"the last fast one", func(n *Node, p *port) { p.fast = 1 }, true, calibrateFast, 0},
		{"slow", func(n *Node, p *port) {}, true, calibrateEvery, 0},
		{"not yet", func(n *Node, p *port) { p.nextAsk = n.now + 1 }, false, 0, 0},
		{"it does not serve", func(n *Node, p *port) { p.serving = false }, false, 0, 0},
		{"no carrier", func(n *Node, p *port) { p.state.Carrier = CarrierDown }, false, 0, 0},
		{"a burst runs", func(n *Node, p *port) {
			n.inquiries = []*inquiry{{burst: &burst{asks: []*asking{{port: p}}}}}
		}, false, calibrateFast, 0},
		{"no budget", func(n *Node, p *port) { p.fast, p.tokens = 2, 0 }, false, calibrateEvery, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := calm(t, lone(50, 0))
			p := n.byName["p3p1"]
			p.nextAsk, p.fast, p.tokens = n.now, 0, 1
			c.change(n, p)
			before, turn := p.nextAsk, p.turn%turns
			n.calibrate(p)
			if got := len(questions(n.out)) > 0; got != c.asked {
				t.Errorf("asked: %v", got)
			}
			if !c.asked && p.turn%turns != turn {
				t.Errorf("what could not be asked has had its turn: %d is next, not %d", p.turn%turns, turn)
			}
			want := n.now.Add(c.pause)
			if c.pause == 0 {
				want = before
			}
			if p.nextAsk != want || p.fast != c.fast {
				t.Errorf("next after %v, %d fast ones left; want %v, %d", p.nextAsk.Sub(n.now), p.fast, want.Sub(n.now), c.fast)
			}
		})
	}
}

// A port is woken for its next question where it asks at all.
func TestDeadlineOfACalibration(t *testing.T) {
	n := calm(t, lone(50, 0))
	p := n.byName["p3p1"]
	p.nextAsk = n.now + 7
	for _, c := range []struct {
		serving bool
		carrier Carrier
		want    deadline
	}{
		{true, CarrierUp, deadline{n.now + 7, true}}, {false, CarrierUp, deadline{}}, {true, CarrierDown, deadline{}},
	} {
		var d deadline
		p.serving, p.state.Carrier = c.serving, c.carrier
		if p.deadlines(n.now, &d); d != c.want {
			t.Errorf("serving %v, carrier %d: %+v, want %+v", c.serving, c.carrier, d, c.want)
		}
	}
	var d deadline
	p.serving, p.state.Carrier = true, CarrierUp
	if p.deadlines(n.now+9, &d); d.at != n.now+9 {
		t.Errorf("a deadline of the past: %v", d)
	}
}

// Of several virtual addresses the one asked longest ago is next, but both forms of one come before another.
func TestVirtualAddressToCalibrate(t *testing.T) {
	cfg := lone(50, 0)
	for _, v := range []string{"192.168.10.2/24", "192.168.10.3/24"} {
		cfg.VIPs = append(cfg.VIPs, VIP{Prefix: netip.MustParsePrefix(v), Port: "p3p1"})
	}
	cfg.VIPs = append([]VIP{{Prefix: netip.MustParsePrefix("192.168.20.1/24"), Port: "p3p2"}}, cfg.VIPs...)
	type told struct{ asked, broadcast, unicast time.Duration } // how long ago; 0 is never
	for _, c := range []struct {
		name string
		told [3]told
		want byte
	}{
		{"none asked", [3]told{}, 1},
		{"the first asked", [3]told{{1, 0, 0}}, 2},
		{"the last asked long ago", [3]told{{1, 0, 0}, {2, 0, 0}, {3, 0, 0}}, 3},
		{"the first asked long ago", [3]told{{3, 0, 0}, {2, 0, 0}, {1, 0, 0}}, 1},
		{"one never", [3]told{{9, 0, 0}, {9, 0, 0}, {}}, 3},
		{"one half", [3]told{{}, {1, 1, 0}, {}}, 2},
		{"the other half", [3]told{{}, {1, 0, 1}, {}}, 2},
		{"one whole", [3]told{{9, 9, 9}, {1, 1, 1}, {5, 0, 0}}, 1},
		{"two halves", [3]told{{1, 1, 0}, {9, 9, 9}, {2, 0, 2}}, 3},
	} {
		n := calm(t, cfg)
		p := n.byName["p3p1"]
		p.targets = map[netip.Addr]*target{}
		for k, x := range c.told {
			y := p.target(netip.AddrFrom4([4]byte{192, 168, 10, byte(k + 1)}))
			for at, s := range map[*stamp]time.Duration{&y.lastAsk: x.asked, &y.answered[broadcast]: x.broadcast, &y.answered[unicast]: x.unicast} {
				if s > 0 {
					at.set(n.now.Add(-s))
				}
			}
		}
		if got := n.calibrationVIP(p).addr.As4()[3]; got != c.want {
			t.Errorf("%s: the next is %d, want %d", c.name, got, c.want)
		}
	}
}

// Only those whose MASTER is heard, without a doubt, and who serve on the port have something to calibrate.
func TestWhoseVirtualAddressToCalibrate(t *testing.T) {
	n := calm(t, neighbours(50).Instances...)
	p := n.byName["p3p1"]
	n.instances[0].obeyed = stamp{}
	if got := n.calibrationVIP(p); got == nil || got.addr != addr("192.168.10.2") {
		t.Errorf("the first does not hear its MASTER, and the next is %v", got)
	}
	n.instances[1].doubt.on = true
	if got := n.calibrationVIP(p); got != nil {
		t.Errorf("nobody hears a MASTER without doubt, and the next is %v", got.addr)
	}
}

// Three questions in a row without an answer, to either form, make a port blind, and are told.
func TestBlindness(t *testing.T) {
	for _, c := range []struct {
		name     string
		asked    bool
		answered [forms]time.Duration // after the last question; -1: before it, -9: never
		misses   int
		want     int
		blind    bool
	}{
		{"never asked", false, [forms]time.Duration{-9, -9}, 2, 2, false},
		{"no answer at all", true, [forms]time.Duration{-9, -9}, 0, 1, false},
		{"no answer, the third time", true, [forms]time.Duration{-9, -9}, 2, 3, true},
		{"no answer, the fourth time", true, [forms]time.Duration{-9, -9}, 3, 4, false},
		{"an old answer", true, [forms]time.Duration{-1, -9}, 1, 2, false},
		{"old answers", true, [forms]time.Duration{-1, -1}, 2, 3, true},
		{"an answer", true, [forms]time.Duration{0, -9}, 2, 0, false},
		{"an answer to a unicast", true, [forms]time.Duration{-9, 5}, 2, 0, false},
		{"an answer to the other form", true, [forms]time.Duration{-1, 5}, 2, 0, false},
		{"an answer to the first form", true, [forms]time.Duration{5, -1}, 2, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := calm(t, lone(50, 0))
			p := n.byName["p3p1"]
			x := &target{}
			if c.asked {
				x.lastAsk.set(n.now)
			}
			for f, d := range c.answered {
				if d > -9 {
					x.answered[f].set(n.now.Add(d))
				}
			}
			before := x.answered
			p.misses, p.blind = c.misses, false
			n.countMiss(p, x)
			if p.misses != c.want || p.blind != c.blind || (x.answered == [forms]stamp{}) != (c.blind || before == [forms]stamp{}) {
				t.Errorf("%d misses, blind %v, answers %v; want %d, %v", p.misses, p.blind, x.answered, c.want, c.blind)
			}
			if got := remarks(n.out); (len(got) == 1) != c.blind {
				t.Errorf("told %v", got)
			}
		})
	}
}

// A port on which nobody answers for the virtual address becomes blind by its own calibration.
func TestCalibrationNoticesBlindness(t *testing.T) {
	n := calm(t, lone(50, 0))
	p := n.byName["p3p1"]
	for k := 0; k < 10 && !p.blind; k++ {
		n.now = n.now.Add(5 * time.Second)
		n.instances[0].obeyed.set(n.now)
		p.nextAsk = n.now
		n.calibrate(p)
	}
	if !p.blind {
		t.Errorf("after ten questions: %d misses", p.misses)
	}
}

// The one question that is possible is put at once, whichever would be next.
func TestOnlyPossibleQuestion(t *testing.T) {
	for turn := range turns {
		n := single(t, lone(50, 0))
		p := n.byName["p3p1"]
		p.dropWitness(addr(gates[0]))
		p.turn, p.nextAsk, n.out = turn, n.now, nil
		n.calibrate(p)
		if q := questions(n.out); len(q) != 1 || q[0].Target != addr("192.168.10.0") {
			t.Errorf("turn %d: asked %v", turn, q)
		}
	}
}

// The control is our own address in the subnet of a virtual one, or the address of the network, where there is one.
func TestControlAddress(t *testing.T) {
	for _, c := range []struct {
		name string
		vips []string
		own  string
		want netip.Addr
	}{
		{"the network", []string{"192.168.10.1/24"}, "10.0.0.1/8", addr("192.168.10.0")},
		{"our own", []string{"192.168.10.1/24"}, "192.168.10.7/24", addr("192.168.10.7")},
		{"the smallest network", []string{"192.168.10.1/30"}, "10.0.0.1/8", addr("192.168.10.0")},
		{"none for two", []string{"192.168.10.1/31"}, "192.168.10.0/31", netip.Addr{}},
		{"none for one", []string{"192.168.10.1/32"}, "192.168.10.7/24", netip.Addr{}},
		{"none in a large network of IPv6", []string{"2001:db8::1/28"}, "2001:db8::7/28", netip.Addr{}},
		{"none in IPv6", []string{"2001:db8::1/64"}, "2001:db8::7/64", netip.Addr{}},
		{"the second", []string{"192.168.10.1/32", "192.168.11.1/24"}, "10.0.0.1/8", addr("192.168.11.0")},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := lone(50, 0)
			cfg.VIPs = []VIP{{Prefix: netip.MustParsePrefix("203.0.113.1/24"), Port: "p1p1"}}
			for _, v := range c.vips {
				cfg.VIPs = append(cfg.VIPs, VIP{Prefix: netip.MustParsePrefix(v), Port: "p3p1"})
			}
			n := calm(t, cfg)
			p := n.byName["p3p1"]
			p.state.Addresses = []netip.Prefix{netip.MustParsePrefix(c.own)}
			n.out = nil
			got, ok := n.controlAddress(p)
			if got != c.want || ok != c.want.IsValid() || n.askControl(p) != ok || n.isControl(p, c.want) != ok || n.isControl(p, host(1)) {
				t.Errorf("the control is %v, want %v", got, c.want)
			}
			var want []Ask
			if ok {
				want = []Ask{{Port: "p3p1", Target: c.want, Sender: netip.IPv4Unspecified()}}
			}
			if asked := questions(n.out); !slices.Equal(asked, want) {
				t.Errorf("asked %v, want %v", asked, want)
			}
		})
	}
}

// The three best witnesses are asked in turn; one never asked comes first.
func TestWitnessesTakeTurns(t *testing.T) {
	n := calm(t, lone(50, 0))
	p := n.byName["p3p1"]
	for k := range byte(3) {
		n.addWitness(p, host(k), rankOverheard, MAC{2, 0xcc, k})
	}
	var got []netip.Addr
	for range 6 {
		n.now = n.now.Add(time.Second)
		n.out = nil
		if !n.askWitness(p, broadcast) {
			t.Fatal("nobody is asked")
		}
		got = append(got, questions(n.out)[0].Target)
	}
	// never asked come first, as long as there are any, and then whoever was asked longest ago of the first three
	want := []netip.Addr{addr(gates[0]), host(0), host(1), host(2), addr(gates[0]), host(0)}
	if !slices.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
	for k, at := range map[netip.Addr]time.Duration{addr(gates[0]): 5, host(0): 7, host(1): 9, host(2): 11} {
		p.target(k).lastAsk = ago(n, at*time.Second)
	}
	n.out = nil
	n.askWitness(p, broadcast) // the fourth was asked longest ago, and is a reserve
	if got := questions(n.out)[0].Target; got != host(1) {
		t.Errorf("asked %v, not whoever of the first three was asked longest ago", got)
	}
	p.tokens = 0
	if n.askWitness(p, broadcast) {
		t.Error("asked beyond the budget")
	}
}

// A port that serves both families asks witnesses of both in turn, and otherwise those of its own.
func TestFamiliesOfWitnesses(t *testing.T) {
	four, six := lone(50, 0), dual(50).Instances[1]
	for _, c := range []struct {
		name string
		cfg  []Instance
		want []bool
	}{
		{"IPv4", []Instance{four}, []bool{false, false, false, false}},
		{"IPv6", []Instance{six}, []bool{true, true, true, true}},
		{"both", []Instance{four, six}, []bool{false, true, false, true}},
		{"both, the other way round", []Instance{six, four}, []bool{false, true, false, true}},
		{"IPv6, and IPv4 on another port", []Instance{lone(50, 1), six}, []bool{true, true, true, true}},
	} {
		n := calm(t, c.cfg...)
		p := n.byName["p3p1"]
		var got []bool
		for turn := range 4 * turns {
			p.turn = turn
			if v6 := n.asksIPv6(p); turn%turns == 0 {
				got = append(got, v6)
			} else if v6 != got[len(got)-1] {
				t.Errorf("%s: the family changes in the middle of a round", c.name)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: IPv6 %v, want %v", c.name, got, c.want)
		}
	}
}

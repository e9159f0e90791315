package verdict

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"
)

// Readings are not finite, but Observe treats them as two parts that know nothing of each other: what is read of the ports, and
// the rest. Of a port there are 1600 readings; every pair of them is visited. Of the rest a grid is visited that has a value on each
// side of every comparison that Observe makes.

// TestGridOfParts says that the two parts are separate: what the ports give does not depend on the rest, nor the rest on the ports.
func TestGridOfParts(t *testing.T) {
	ports := [][]PortReading{nil, {silentPort()}, {{Link: LinkUp, VIP: ReplyPeer}}, {{Link: LinkDown}, {Link: LinkUp}}}
	for r := range everyRest() {
		var first Evidence
		for k, p := range ports {
			r.Ports = p
			e := Observe(r, Thresholds{Window: window})
			alone := dark()
			alone.Ports = p
			want := Observe(alone, Thresholds{Window: window})
			if !r.Doubting {
				want = Evidence{}
			}
			if e.VIP != want.VIP || e.Serving != want.Serving || e.Silence != want.Silence {
				t.Fatalf("%+v: %v, but for the rest %v", r, e, want)
			}
			if k == 0 {
				first = e
			}
			if e.Voice != first.Voice || e.Self != first.Self || e.Crowd != first.Crowd || e.Heartbeat != first.Heartbeat {
				t.Fatalf("%+v: %v, with other ports %v", r, e, first)
			}
		}
	}
}

// everyRest yields a grid of all readings but those of the ports.
func everyRest() iter.Seq[Readings] {
	ages := []Age{{}}
	for _, d := range []time.Duration{0, 1, window - 1, window, window + 1, 3 * window} {
		ages = append(ages, Age{Known: true, D: d})
	}
	doubts := []time.Duration{0, 1, 2, window, window + 1, window + 2, 3*window + 1}
	return func(yield func(Readings) bool) {
		for _, served := range ages {
			for _, lived := range ages {
				for _, doubt := range doubts {
					for _, late := range []time.Duration{0, window, window + 1} {
						for _, routers := range []int{-1, 0, 1, 2} {
							for flags := range 8 {
								r := Readings{Doubting: flags&1 == 0, Carrier: flags&2 == 0, Listened: flags&4 == 0,
									Doubt: doubt, Served: served, Lived: lived, Late: late, Routers: routers, Heartbeat: LinkDown}
								if !yield(r) {
									return
								}
							}
						}
					}
				}
			}
		}
	}
}

// observed judges readings of that rest with ports that prove a death, so that the rest decides.
func observed(r Readings, t time.Duration) Verdict {
	r.Ports = []PortReading{silentPort()}
	return Judge(Observe(r, Thresholds{Window: t}))
}

// TestGridAgainstProse holds the rest against its rules written a second time.
func TestGridAgainstProse(t *testing.T) {
	fresh := func(a Age, doubt time.Duration) bool { return a.Known && a.D < doubt && a.D <= window }
	prose := func(r Readings) Rule {
		switch {
		case !r.Doubting:
			return BackupNoDoubt
		case fresh(r.Served, r.Doubt):
			return BackupPeerAlive
		case r.Late > window && !r.Listened:
			return BackupLate
		case fresh(r.Lived, r.Doubt):
			return BackupUnproven
		case r.Carrier && r.Routers != 0 && r.Routers != 1:
			return BackupPeerDeadWait
		}
		return BackupPeerDead
	}
	for r := range everyRest() {
		if got, want := observed(r, window).Rule, prose(r); got != want {
			t.Fatalf("%+v: %v, the prose says %v", r, got, want)
		}
	}
}

// TestGridOfRest changes one reading of the rest at a time, each in the direction in which it speaks less for a claim, and wants no
// verdict to become bolder; and lets time pass in which nothing is heard, and wants none to become less bold.
func TestGridOfRest(t *testing.T) {
	younger := func(a Age) iter.Seq[Age] {
		return func(yield func(Age) bool) {
			for _, d := range []time.Duration{0, 1, window - 1, window, window + 1, 3 * window} {
				if (!a.Known || d < a.D) && !yield(Age{Known: true, D: d}) {
					return
				}
			}
		}
	}
	less := func(r Readings) (list []Readings) {
		add := func(change func(*Readings)) {
			c := r
			change(&c)
			list = append(list, c)
		}
		for a := range younger(r.Served) {
			add(func(c *Readings) { c.Served = a })
		}
		for a := range younger(r.Lived) {
			add(func(c *Readings) { c.Lived = a })
		}
		add(func(c *Readings) { c.Doubting = false })
		add(func(c *Readings) { c.Late += window })
		add(func(c *Readings) { c.Listened = false })
		add(func(c *Readings) { c.Carrier = true })
		add(func(c *Readings) { c.Doubt += window }) // what was heard meanwhile is then younger than the doubt
		if r.Routers >= 0 {
			add(func(c *Readings) { c.Routers = -1 })
			add(func(c *Readings) { c.Routers++ })
		}
		return list
	}
	size, steps := 0, 0
	for r := range everyRest() {
		size++
		v := observed(r, window)
		for _, c := range less(r) {
			steps++
			if w := observed(c, window); boldness(w, true) > boldness(v, true) || w.Finding == PeerDead && v.Finding != PeerDead {
				t.Fatalf("%+v is %v, but with less for it %+v is %v", r, v.Rule, c, w.Rule)
			}
		}
		for _, dt := range []time.Duration{1, window - 1, window, 4 * window} {
			later := r
			later.Doubt, later.Served.D, later.Lived.D = r.Doubt+dt, r.Served.D+dt, r.Lived.D+dt
			steps++
			if w := observed(later, window); boldness(w, true) < boldness(v, true) || v.Finding == PeerDead && w.Finding != PeerDead {
				t.Fatalf("%+v is %v, but %v of silence later %v", r, v.Rule, dt, w.Rule)
			}
		}
		if v := observed(r, 0); v.Finding == PeerDead {
			t.Fatalf("%+v: %v without a window", r, v.Rule)
		}
	}
	t.Logf("%d steps between %d readings", steps, size)
}

// open says, in the words of this test, that a port has been asked nothing although it could answer.
func open(p PortReading) bool {
	return p.VIP == ReplyUnknown && !p.HeartbeatOnly && !p.NoVIP && (p.Link == LinkUp || p.Link == LinkUnknown)
}

// telling says that the silence of this port proves something.
func telling(p PortReading) bool {
	asked := p.VIP == ReplySilent || p.VIP == ReplyUnconfirmed || p.VIP == ReplyStranger
	return asked && !p.HeartbeatOnly && p.Link == LinkUp && p.Calibrated && p.Witness && !p.Blind && !p.Mute
}

// deadBy is the whole judgement of the ports in one sentence: one of them tells, none is open, and the peer answers on none.
func deadBy(ports []PortReading) bool {
	answered := slices.ContainsFunc(ports, func(p PortReading) bool { return p.VIP == ReplyPeer })
	return slices.ContainsFunc(ports, telling) && !slices.ContainsFunc(ports, open) && !answered
}

// TestGridOfTwoPorts visits every pair of port readings, in both orders.
func TestGridOfTwoPorts(t *testing.T) {
	all := everyPort()
	r := dark()
	r.Ports = make([]PortReading, 2)
	dead := 0
	for _, a := range all {
		for _, b := range all {
			r.Ports[0], r.Ports[1] = a, b
			v := Judge(Observe(r, Thresholds{Window: window}))
			if (a.VIP == ReplyPeer || b.VIP == ReplyPeer) != (v.Finding == Contested) {
				t.Fatalf("%+v and %+v: %v", a, b, v.Rule)
			}
			if v.Finding != PeerDead {
				if deadBy(r.Ports) {
					t.Fatalf("%+v and %+v: %v", a, b, v.Rule)
				}
				continue
			}
			dead++
			stranger := a.VIP == ReplyStranger || b.VIP == ReplyStranger
			if !deadBy(r.Ports) || stranger != (v.Act == AtDeadline) {
				t.Fatalf("%+v and %+v: %v, %v", a, b, v.Rule, v.Act)
			}
		}
	}
	t.Logf("%d of %d pairs of ports prove a death", dead, len(all)*len(all))
}

// TestGridOfThreePorts visits every triple of ports that differ in what counts, so that a third port is no more than a second.
func TestGridOfThreePorts(t *testing.T) {
	few := differing(everyPort())
	r := dark()
	dead := 0
	for _, a := range few {
		for _, b := range few {
			for _, c := range few {
				r.Ports = []PortReading{a, b, c}
				got := Judge(Observe(r, Thresholds{Window: window})).Finding == PeerDead
				if got != deadBy(r.Ports) {
					t.Fatalf("%+v, %+v and %+v: dead %v", a, b, c, got)
				}
				if got {
					dead++
				}
			}
		}
	}
	t.Logf("%d of %d triples of ports prove a death", dead, len(few)*len(few)*len(few))
}

// differing keeps one port of each kind: its evidence when it is the only one, and whether it is open or telling.
func differing(all []PortReading) []PortReading {
	var few []PortReading
	seen := map[string]bool{}
	for _, p := range all {
		r := dark()
		r.Ports = []PortReading{p}
		kind := fmt.Sprint(Observe(r, Thresholds{Window: window}), open(p), telling(p))
		if !seen[kind] {
			seen[kind] = true
			few = append(few, p)
		}
	}
	return few
}

// TestGridOfFailingPorts takes from one port, beside any other, one thing that speaks for a death, and wants none to come of it. The
// one exception is a question that is open: it cannot be asked any more when its port has failed, and then the other ports decide.
func TestGridOfFailingPorts(t *testing.T) {
	less := func(p PortReading) (list []PortReading) {
		for l := range numLinks {
			fails := p.Link == LinkUp && l != LinkUp || p.Link == LinkUnknown && l > LinkUp
			if fails && !open(p) {
				c := p
				c.Link = l
				list = append(list, c)
			}
		}
		for _, change := range []func(*PortReading){
			func(c *PortReading) { c.Calibrated = false },
			func(c *PortReading) { c.Witness = false },
			func(c *PortReading) { c.Blind = true },
			func(c *PortReading) { c.Mute = true },
			func(c *PortReading) { c.VIP = ReplyPeer },
		} {
			c := p
			change(&c)
			list = append(list, c)
		}
		if p.VIP != ReplyPeer {
			c := p
			c.VIP = ReplyUnknown
			list = append(list, c)
		}
		return list
	}
	r := dark()
	r.Ports = make([]PortReading, 2)
	judged := func(a, b PortReading) Verdict {
		r.Ports[0], r.Ports[1] = a, b
		return Judge(Observe(r, Thresholds{Window: window}))
	}
	steps := 0
	for _, beside := range differing(everyPort()) {
		for _, p := range everyPort() {
			before := judged(beside, p)
			for _, worse := range less(p) {
				steps++
				if after := judged(beside, worse); after.Finding == PeerDead && before.Finding != PeerDead {
					t.Fatalf("beside %+v, %+v is %v, and %+v is %v", beside, p, before.Rule, worse, after.Rule)
				}
			}
		}
	}
	t.Logf("%d steps", steps)
}

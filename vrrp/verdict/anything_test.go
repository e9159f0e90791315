package verdict

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawReadings draws readings of any kind, sensible or not, for up to four ports.
func drawReadings(t *rapid.T) Readings {
	age := func(name string) Age {
		return Age{Known: rapid.Bool().Draw(t, name+" known"), D: drawDuration(t, name)}
	}
	r := Readings{
		Doubting:  rapid.Bool().Draw(t, "doubting"),
		Doubt:     drawDuration(t, "doubt"),
		Carrier:   rapid.Bool().Draw(t, "carrier"),
		Served:    age("served"),
		Lived:     age("lived"),
		Late:      drawDuration(t, "late"),
		Listened:  rapid.Bool().Draw(t, "listened"),
		Routers:   rapid.IntRange(-1, 3).Draw(t, "routers"),
		Heartbeat: rapid.SampledFrom(every(numLinks)).Draw(t, "heartbeat"),
		Powered:   rapid.Bool().Draw(t, "powered"),
		Storage:   rapid.SampledFrom(every(numStorages)).Draw(t, "storage"),
	}
	r.Ports = rapid.SliceOfN(rapid.SampledFrom(everyPort()), 0, 4).Draw(t, "ports")
	return r
}

// drawDuration draws around the window, where things change, and beyond all reason.
func drawDuration(t *rapid.T, name string) time.Duration {
	return rapid.OneOf(
		rapid.SampledFrom([]time.Duration{-1, 0, 1, window - 1, window, window + 1}),
		rapid.Map(rapid.Int64(), func(d int64) time.Duration { return time.Duration(d) }),
	).Draw(t, name)
}

// TestAnythingInRange says that whatever is read becomes evidence inside the enumerated space, the same each time.
func TestAnythingInRange(t *testing.T) {
	space := map[Evidence]bool{}
	for e := range everyEvidence() {
		space[e] = true
	}
	rapid.Check(t, func(t *rapid.T) {
		r, threshold := drawReadings(t), Thresholds{Window: drawDuration(t, "window")}
		e := Observe(r, threshold)
		if !space[e] {
			t.Fatalf("%v is outside of the space", e)
		}
		if again := Observe(r, threshold); again != e {
			t.Fatalf("%v, then %v", e, again)
		}
	})
}

// TestAnythingDead says what must be true of any readings at all that end in a death.
func TestAnythingDead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawReadings(t)
		v := Judge(Observe(r, Thresholds{Window: window}))
		if v.Finding != PeerDead {
			return
		}
		switch {
		case !r.Doubting:
			t.Fatal("dead without a doubt")
		case r.Late > window && !r.Listened:
			t.Fatal("dead although this router slept")
		case !slices.ContainsFunc(r.Ports, func(p PortReading) bool {
			return p.Link == LinkUp && !p.HeartbeatOnly && p.Calibrated && p.Witness && !p.Blind && !p.Mute
		}):
			t.Fatal("dead, and no port proves it")
		}
		for _, a := range []Age{r.Served, r.Lived} {
			if a.Known && a.D < r.Doubt && a.D <= window {
				t.Fatalf("dead although heard %v ago", a.D)
			}
		}
		for i, p := range r.Ports {
			if p.VIP == ReplyPeer {
				t.Fatalf("dead although it answers on port %d", i)
			}
			if p.VIP == ReplyUnknown && p.Link == LinkUp && !p.HeartbeatOnly && !p.NoVIP {
				t.Fatalf("dead although port %d has not been asked", i)
			}
		}
	})
}

// now is the age of something that was heard before and again just now.
func now(before Age) Age {
	if !before.Known {
		return Age{Known: true}
	}
	return Age{Known: true, D: min(before.D, 0)} // no proof takes a younger one away
}

// TestAnythingMonotone adds a proof of a local fault or of life to any readings at all: no death comes of it.
func TestAnythingMonotone(t *testing.T) {
	proofs := map[string]func(*Readings){
		"advert":         func(r *Readings) { r.Served = now(r.Served) },
		"box":            func(r *Readings) { r.Lived = now(r.Lived) },
		"stall":          func(r *Readings) { r.Late, r.Listened = window+1, false },
		"admin down":     func(r *Readings) { r.Heartbeat = LinkAdminDown },
		"card gone":      func(r *Readings) { r.Heartbeat = LinkGone },
		"answer":         func(r *Readings) { r.Ports = append(r.Ports, PortReading{Link: LinkUp, VIP: ReplyPeer}) },
		"cable port":     func(r *Readings) { r.Ports = append(r.Ports, PortReading{HeartbeatOnly: true, VIP: ReplySilent}) },
		"open question":  func(r *Readings) { r.Ports = append(r.Ports, PortReading{Link: LinkUp}) },
		"a mute port":    func(r *Readings) { r.Ports = append(r.Ports, PortReading{Link: LinkUp, VIP: ReplySilent, Mute: true}) },
		"more routers":   func(r *Readings) { r.Routers = 5 },
		"nothing at all": func(*Readings) {},
	}
	for name, add := range proofs {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				r := drawReadings(t)
				before := Judge(Observe(r, Thresholds{Window: window}))
				more := r
				more.Ports = slices.Clone(r.Ports)
				add(&more)
				after := Judge(Observe(more, Thresholds{Window: window}))
				if after.Finding == PeerDead && before.Finding != PeerDead {
					t.Fatalf("%v became %v", before.Rule, after.Rule)
				}
			})
		})
	}
}

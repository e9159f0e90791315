package world

import (
	"math/rand/v2"
	"time"
)

// Plan is what goes wrong in a world, in the order of time. It has rounds: in each a few
// faults begin and end as they please, then everything heals and the world has to settle.
type Plan []Round

// Round is one batch of faults and the heal that ends it.
type Round struct {
	Faults []Fault
	Heal   time.Duration // since the world began
}

// warmUp is how long a world is left alone at its beginning, and after a heal.
func (s Scene) warmUp() time.Duration { return 20*time.Second + 8*s.Interval }

// settle is how long a world may take after a heal until nothing moves any more: a switch
// port may be mute for a minute, a kernel that refused rests for half of one.
func (s Scene) settle() time.Duration { return 75*time.Second + 12*s.Interval }

// calm is how long nothing may move after that.
func (s Scene) calm() time.Duration { return 20*time.Second + 10*s.Interval }

// DrawPlan makes the plan of a seed.
func DrawPlan(seed uint64) Plan {
	s := DrawScene(seed)
	r := rand.New(rand.NewPCG(seed, 2))
	at := s.warmUp()
	var plan Plan
	rounds := 3
	if s.Interval < 100*time.Millisecond {
		rounds = 1
	}
	for range rounds {
		var round Round
		end := at
		for range 4 + r.IntN(13) {
			f := drawFault(r, s)
			f.At = at
			round.Faults = append(round.Faults, f)
			end = max(end, at+f.For)
			at += tidy(drawPause(r, s))
		}
		round.Heal = min(end, at) + tidy(drawPause(r, s))
		plan = append(plan, round)
		at = round.Heal + s.settle() + s.calm()
	}
	return plan
}

// drawPause is the time to the next fault: often none, so that things go wrong together.
func drawPause(r *rand.Rand, s Scene) time.Duration {
	switch r.IntN(4) {
	case 0:
		return time.Duration(r.Int64N(int64(20 * time.Millisecond)))
	case 1:
		return time.Duration(r.Int64N(int64(s.Interval)))
	case 2:
		return time.Duration(r.Int64N(int64(4 * s.Interval)))
	}
	return time.Duration(r.Int64N(int64(8*time.Second + 2*s.Interval)))
}

// drawFault picks one from the menu.
func drawFault(r *rand.Rand, s Scene) Fault {
	f := Fault{Kind: Kind(r.IntN(int(NumKinds))), Router: r.IntN(s.Routers), Segment: lan10 + r.IntN(numSegments-lan10)}
	f.For = drawFor(r, s)
	switch f.Kind {
	case DyingPorts:
		f.N = r.IntN(10000)
		f.For += time.Duration(f.N) * time.Millisecond
	case Stopped, Suspended:
		f.For = time.Millisecond << r.IntN(16)
	case Busy:
		f.N = 1 + r.IntN(60)
	case CableFlap:
		f.N = 2 + r.IntN(12)
	case OneWay, OneWayHeartbeat:
		f.N = (f.Router + 1 + r.IntN(s.Routers-1)) % s.Routers
	case AdminDown, NICGone, Unplugged:
		if one(r, 3) {
			f.Segment = s.heart()
		}
	case SwitchReboot:
		f.N = r.IntN(31)
	case SwitchDead:
		f.N = r.IntN(3)
		f.For *= 2
	case SpanningTree:
		f.For = time.Duration(r.Int64N(int64(45 * time.Second)))
	case LANSplit:
		f.N = r.IntN(2)
	case WitnessSlow:
		f.N = 1 + r.IntN(200)
	case FrameLoss, FrameDouble, FrameCorrupt:
		f.N = 1 + r.IntN(20)
	case FrameLate:
		f.N = 1 + r.IntN(80)
	case HostileAdverts:
		f.N = 1 + r.IntN(60)
	case RTNLHeld:
		f.For = time.Duration(r.Int64N(int64(5 * time.Second)))
	case KernelSlow:
		f.N = 1 + r.IntN(3000)
	default:
	}
	f.For = tidy(f.For)
	return f.canonical()
}

func drawFor(r *rand.Rand, s Scene) time.Duration {
	switch r.IntN(3) {
	case 0:
		return time.Duration(r.Int64N(int64(4 * s.Interval)))
	case 1:
		return time.Duration(r.Int64N(int64(10 * time.Second)))
	}
	return time.Duration(r.Int64N(int64(30*time.Second + 4*s.Interval)))
}

// tidy keeps the first three digits of a duration, so that a story can be read.
func tidy(d time.Duration) time.Duration {
	grain := time.Duration(1)
	for d/grain >= 1000 {
		grain *= 10
	}
	return d / grain * grain
}

package world

import (
	"math/rand/v2"
	"time"
)

// maxRouters is the most routers a world has.
const maxRouters = 3

// Shape is what the routers are configured to do.
type Shape uint8

// The shapes.
const (
	Single     Shape = iota // one virtual router, three addresses on three segments
	Dual                    // the same for IPv4 and IPv6
	Grouped                 // two virtual routers in one sync group
	Neighbours              // two virtual routers on one segment, one MASTER each
	Six                     // IPv6 only
	OnLAN                   // VRRP on a segment that also serves
	numShapes
)

var shapeNames = [numShapes]string{"single", "dual", "grouped", "neighbours", "six", "on-lan"}

// String is the word of a story file.
func (s Shape) String() string { return shapeNames[s] }

// Peer is what router B runs.
type Peer uint8

// The peers.
const (
	Ours       Peer = iota // standfast, as all the others
	Keepalived             // plain VRRP that is FAULT when its heartbeat port is dark
	Untracked              // plain VRRP with dont_track_primary
	numPeers
)

var peerNames = [numPeers]string{"standfast", "keepalived", "keepalived-dont-track"}

// String is the word of a story file.
func (p Peer) String() string { return peerNames[p] }

// Scene is what a world is made of before anything goes wrong.
type Scene struct {
	Seed      uint64        // decides latencies, lateness and luck while the story runs
	Routers   int           // 2 or 3
	Shape     Shape         //
	Peer      Peer          // what router B runs
	Interval  time.Duration // advert_int
	Version   int           // VRRP version 2 or 3
	Nopreempt bool          //
	Equal     bool          // equal priorities, timers in phase
	Owned     bool          // ports have an address of their own in the subnet of the virtual one
	Switched  bool          // the heartbeat runs through a switch; false: a crossover cable
	Fibre     bool          // carrier drops at once; false: copper, 350 or 750 ms later
	Take      bool          // fault_contested take
	Prior     int           // fault_prior: 0 serve, 1 yield, 2 incumbent
	Loss      float64       // of frames, always, 0…0.02
}

// DrawScene makes the scene of a seed.
func DrawScene(seed uint64) Scene {
	r := rand.New(rand.NewPCG(seed, 1))
	intervals := [...]time.Duration{100 * time.Millisecond, 3 * time.Second, 10 * time.Millisecond}
	s := Scene{Seed: seed, Routers: 2, Interval: time.Second, Version: 3}
	if k := r.IntN(16); k < len(intervals) {
		s.Interval = intervals[k]
	}
	s.Shape = Shape(r.IntN(int(numShapes)))
	if one(r, 5) {
		s.Routers = 3
	}
	if one(r, 8) && s.Shape != Grouped {
		s.Peer = Peer(1 + r.IntN(2))
	}
	if v4 := s.Shape != Dual && s.Shape != Six; v4 && s.Interval >= time.Second && one(r, 2) {
		s.Version = 2
	}
	s.Nopreempt = one(r, 3)
	s.Equal = one(r, 6)
	s.Owned = one(r, 2)
	s.Switched = s.Routers > 2 || s.Shape == OnLAN || one(r, 5)
	s.Fibre = one(r, 3)
	s.Take = one(r, 24)
	if one(r, 8) {
		s.Prior = 1 + r.IntN(2)
	}
	if one(r, 6) {
		s.Loss = 0.02 * r.Float64()
	}
	return s
}

// one is true once in n times.
func one(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

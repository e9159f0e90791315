// Package world is a simulated pair of routers: two or three real brains (package
// node), the ports, cables, switches and kernels around them, and everything that
// can go wrong with those.
//
// One 64-bit seed decides everything: the scene (configuration, wiring, policies),
// the plan (which faults, when, for how long) and the weather (latency, loss,
// lateness). The same seed gives the same events, always.
//
//	r := world.Run(seed)
//	if r.Violation != nil {
//		story := world.Shrink(world.StoryOf(seed)) // a text that replays it
//	}
//
// A world is discrete: one queue of events, one clock, no goroutines. Physical
// state is derived, never remembered twice: a carrier follows from power, plugs,
// switches and the far end, and a frame arrives if, at that moment, every one of
// them lets it pass. A fault only pulls at one of these strings, counts how often
// it is pulled, and lets go of it when it heals, so faults overlap freely.
//
// After every event the invariants are checked. What they say, and where they say
// nothing, is in invariant.go: an exemption is a sentence there, with its reason.
//
// # Where to find what
//
//   - world.go, queue.go: the clock, and a run from its plan to its result
//   - scene.go, config.go: what a world is made of, drawn from a seed
//   - router.go, kernel.go: a router: a brain with its stumbles, and a kernel with
//     addresses, leases and a lock
//   - nic.go, segment.go, station.go: ports, cables and switches, and who else
//     answers there
//   - plain.go: a peer that is plain keepalived
//   - fault.go, fault_machine.go, fault_network.go, plan.go: the menu of faults, and
//     which of them come when
//   - invariant.go: what must hold
//   - story.go, text.go, phrase.go, telling.go: a run, its text that replays, and the
//     transcript of what happened
//   - shrink.go: the smallest story that still fails
package world

package world

import "standfast/vrrp"

// Story is a run that can be told again: a scene and a plan.
type Story struct {
	Scene Scene
	Plan  Plan
}

// StoryOf is the story of a seed.
func StoryOf(seed uint64) Story { return Story{Scene: DrawScene(seed), Plan: DrawPlan(seed)} }

// Tell plays the story and keeps a transcript.
func (s Story) Tell() Result { return s.play(transcript{wanted: true}) }

// TellAll does so with every event that a router was told of, and every action it wanted.
func (s Story) TellAll() Result { return s.play(transcript{wanted: true, all: true}) }

// play lets everything happen.
func (s Story) play(t transcript) Result {
	w := newWorld(s.Scene)
	w.transcript = t
	w.introduce()
	for _, r := range w.routers {
		r.start()
		if !s.Scene.Equal {
			w.run(w.now.Add(w.within(2 * s.Scene.Interval)))
		}
	}
	w.run(epoch.Add(s.Scene.warmUp()))
	for _, round := range s.Plan {
		w.round(round)
	}
	w.result.Simulated = w.elapsed()
	w.result.Transcript = w.transcript.lines
	return w.result
}

// round lets the faults of a round happen, heals everything, and wants calm.
func (w *World) round(p Round) {
	w.weather.loss = w.scene.Loss
	for _, f := range p.Faults {
		w.run(epoch.Add(f.At))
		if w.result.Violation != nil {
			return
		}
		w.inject(f)
	}
	w.run(epoch.Add(p.Heal))
	if w.result.Violation != nil {
		return
	}
	w.heal()
	clear(w.judge.moves[:])
	w.judge.healed = w.now
	w.run(epoch.Add(p.Heal + w.scene.settle()))
	w.judge.settled()
	w.judge.calm = true
	w.run(epoch.Add(p.Heal + w.scene.settle() + w.scene.calm()))
	w.judge.calm, w.judge.healed = false, 0
	w.result.Heals++
}

// mostMoves is how many transitions a virtual router may take to settle, I4: four for a pair, and two more
// for each further router, which may serve on the way, and for one that is plain VRRP and does not ask.
func (s Scene) mostMoves() int {
	moves := 4 + 2*(s.Routers-2)
	if s.Peer != Ours {
		moves += 2
	}
	return moves
}

// settled is I4's: in the end there is one MASTER, it has every address, and it did not take
// long to find out who it is.
func (j *judge) settled() {
	w := j.w
	for n := range w.virtuals {
		masters := 0
		for _, r := range w.routers {
			if r.state[n] == vrrp.Master && r.runs() {
				masters++
				j.believed(n, r)
			}
			for v, x := range w.vips {
				if x.virtual == n && r.kernel.has(v) != (r.state[n] == vrrp.Master) {
					w.violated("I4", "%s is %s, and of %v it holds: %v", r.name, r.state[n], x.prefix.Addr(), r.kernel.has(v))
				}
			}
		}
		name := w.routers[0].config.Instances[n].Name
		if masters > 1 || masters == 0 && w.scene.Prior == 0 {
			w.violated("I4", "%s has %d MASTERs %v after the heal", name, masters, w.scene.settle())
		}
		if j.moves[n] > w.scene.mostMoves() {
			w.violated("I4", "%s took %d transitions to settle", name, j.moves[n])
		}
	}
}

// believed is I4's as well: the gateways send to the MASTER, and not to whom they last heard before.
func (j *judge) believed(n int, master *router) {
	w := j.w
	for v, x := range w.vips {
		if b := w.segments[x.segment].believed[v]; x.virtual == n && b != nil && b != master && !master.plain && !w.scene.Take {
			w.violated("I4", "%s serves %v, and the gateway of %s still sends to %s", master.name, x.prefix.Addr(), segmentNames[x.segment], b.name)
		}
	}
}

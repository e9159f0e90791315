package world

import (
	"time"

	"standfast/vrrp/node"
)

func (w *World) powerOff(f Fault) func() {
	r := w.routers[f.Router]
	undo := count(&r.off)
	r.end()
	r.kernel.reset()
	return func() {
		undo()
		w.after(r.bootTime(), r.comeUp)
	}
}

// bootTime is how long a machine takes from power to its first process.
func (r *router) bootTime() time.Duration {
	d := 2*time.Second + r.world.within(10*time.Second)
	if r.sluggish > 0 {
		d *= 3
	}
	return d
}

// comeUp starts the process of a machine that has none, if it can.
func (r *router) comeUp() {
	if r.brain == nil && !r.dead() && r.wornOut == 0 {
		r.start()
		r.world.relink()
	}
}

// dyingPorts lets the ports of a machine go one by one before the power goes: N is the
// time that takes in ms.
func (w *World) dyingPorts(f Fault) func() {
	r := w.routers[f.Router]
	var undo []func()
	over := false
	for _, p := range r.nics {
		w.after(w.within(time.Duration(f.N)*time.Millisecond), func() {
			if !over {
				undo = append(undo, count(&p.unplugged))
				w.relink()
			}
		})
	}
	w.after(time.Duration(f.N)*time.Millisecond, func() {
		if !over {
			undo = append(undo, w.powerOff(f))
			w.relink()
		}
	})
	return func() {
		over = true
		for _, u := range undo {
			u()
		}
	}
}

// hang stops a machine with its links up, until it is reset.
func (w *World) hang(f Fault) func() {
	r := w.routers[f.Router]
	undo := count(&r.hung)
	return func() {
		undo()
		if r.hung == 0 && r.off == 0 {
			w.powerOff(f)()
		}
	}
}

func (w *World) sigstop(f Fault) func() {
	r := w.routers[f.Router]
	undo := count(&r.paused)
	return func() {
		undo()
		r.seen.stalled = w.now
		r.wake()
	}
}

func (w *World) suspend(f Fault) func() {
	r := w.routers[f.Router]
	undo := count(&r.suspended)
	began := w.now
	return func() {
		undo()
		r.seen.stalled = w.now
		if r.suspended == 0 {
			r.kernel.resume(w.now.Sub(began))
		}
		r.wake()
	}
}

func (w *World) sigkill(f Fault) func() {
	r := w.routers[f.Router]
	r.end()
	return r.comeUp
}

func (w *World) restart(f Fault) func() {
	r := w.routers[f.Router]
	if !r.runs() {
		return nil
	}
	r.seen.stopping = true
	r.take(node.Stop{})
	boots := r.boots
	w.after(20*time.Millisecond, func() {
		if boots == r.boots {
			r.end()
			r.kernel.sweep()
		}
	})
	return r.comeUp
}

// busy makes a process run late by up to N ms, again and again.
func (w *World) busy(f Fault) func() {
	r := w.routers[f.Router]
	over, paused := false, false
	var next func()
	next = func() {
		w.after(w.within(500*time.Millisecond), func() {
			if over {
				return
			}
			paused = true
			r.paused++
			w.after(w.within(time.Duration(f.N)*time.Millisecond), func() {
				if paused {
					paused = false
					r.paused--
					r.seen.stalled = w.now
					r.wake()
				}
				if !over {
					next()
				}
			})
		})
	}
	next()
	return func() {
		over = true
		if paused {
			paused = false
			r.paused--
			r.seen.stalled = w.now
			r.wake()
		}
	}
}

func (w *World) storageFails(f Fault) func() {
	r := w.routers[f.Router]
	undo := count(&r.wornOut)
	r.tellStorage(failureTime)
	return func() {
		undo()
		r.tellStorage(recoveryTime)
		w.after(r.bootTime(), r.comeUp)
	}
}

func (w *World) storageSlow(f Fault) func() {
	r := w.routers[f.Router]
	undo := count(&r.sluggish)
	r.tellStorage(failureTime)
	return func() {
		undo()
		r.tellStorage(recoveryTime)
	}
}

func (w *World) reload(f Fault) func() {
	r := w.routers[f.Router]
	if !r.plain {
		r.take(node.Reload{Config: r.config})
	}
	return nil
}

func (w *World) rtnlHeld(f Fault) func() {
	k := &w.routers[f.Router].kernel
	k.held++
	return k.release
}

// kernelSlow makes changes of addresses take N ms.
func (w *World) kernelSlow(f Fault) func() {
	k := &w.routers[f.Router].kernel
	had := k.time
	k.time = time.Duration(f.N) * time.Millisecond
	return func() {
		k.time = min(had, 300*time.Microsecond)
		k.troubled = w.now
	}
}

func (w *World) kernelRefuses(f Fault) func() {
	k := &w.routers[f.Router].kernel
	undo := count(&k.refuse)
	return func() {
		undo()
		k.troubled = w.now
	}
}

func (w *World) addressesDeleted(f Fault) func() {
	w.routers[f.Router].kernel.delete()
	return nil
}

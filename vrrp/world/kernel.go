package world

import (
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
)

// maxVIPs is the most virtual addresses a scene has.
const maxVIPs = 6

// kernel is a router's: addresses with leases, behind one lock.
type kernel struct {
	router *router
	time   time.Duration // that a change takes
	held   int           // RTNL is held by somebody else
	refuse int           // every change is refused
	owned  [maxVIPs]owned
	wishes [maxVirtuals]int // changes asked for; a newer one replaces an older
	behind []func()         // waits for the lock
	slow   int              // changes under way that take long
	// troubled is when it last did not do at once as it was told.
	troubled vrrp.Instant
}

// owned is one virtual address.
type owned struct {
	on    bool
	until vrrp.Instant // end of its lease; 0: none
	turn  int
}

func (k *kernel) has(v int) bool { return k.owned[v].on }

// longChange is when a change of addresses takes so long that it explains things.
const longChange = 10 * time.Millisecond

// sound says that changes are made at once.
func (k *kernel) sound() bool {
	return k.held == 0 && k.refuse == 0 && k.slow == 0 && k.time < longChange
}

// locked does something under the lock, or as soon as it is free and the machine runs.
func (k *kernel) locked(do func()) {
	if k.held > 0 || k.router.suspended > 0 {
		k.behind = append(k.behind, do)
		return
	}
	do()
}

// release lets go of the lock.
func (k *kernel) release() {
	k.held--
	k.troubled = k.router.world.now
	k.drain()
}

// drain lets what waited happen, in any order: the kernel's timer may be quicker than the
// renewal that waited for longer.
func (k *kernel) drain() {
	if k.held > 0 || k.router.suspended > 0 {
		return
	}
	list := k.behind
	k.behind = nil
	k.router.world.luck.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	for _, do := range list {
		do()
	}
}

// change makes a change in the kernel's time unless something newer is wished for.
func (k *kernel) change(n int, do func()) {
	k.wishes[n]++
	turn, r := k.wishes[n], k.router
	long := k.held > 0 || k.time >= longChange
	if long {
		k.slow++
	}
	r.soon(k.time+r.world.within(k.time), func() {
		k.locked(func() {
			if long {
				k.slow--
				k.troubled = r.world.now
			}
			if turn == k.wishes[n] && r.brain != nil && !r.dead() {
				do()
			}
		})
	})
}

func (k *kernel) install(a node.Install) {
	r := k.router
	n := r.virtual(a.Key)
	begin := r.world.now
	k.change(n, func() {
		took := r.world.now.Sub(begin)
		if k.refuse > 0 {
			k.troubled = r.world.now
			r.take(node.Installed{Key: a.Key, Err: "file exists", Took: took})
			return
		}
		for v, x := range r.world.vips {
			if x.virtual != n {
				continue
			}
			if p := r.nics[x.segment]; p.gone > 0 || without(a, x.segment) {
				k.drop(v)
				continue
			}
			k.put(v, a.Lease)
		}
		r.take(node.Installed{Key: a.Key, Serving: true, Took: took})
	})
}

func without(a node.Install, segment int) bool {
	for _, p := range a.Without {
		if segmentOf(p) == segment {
			return true
		}
	}
	return false
}

func (k *kernel) withdraw(key node.Key) {
	r := k.router
	n := r.virtual(key)
	begin := r.world.now
	k.change(n, func() {
		for v, x := range r.world.vips {
			if x.virtual == n {
				k.drop(v)
			}
		}
		r.take(node.Withdrawn{Key: key, Took: r.world.now.Sub(begin)})
	})
}

// renew runs beside the changes. What has expired is not there to be renewed.
func (k *kernel) renew(a node.Renew) {
	r := k.router
	n := r.virtual(a.Key)
	begin := r.world.now
	r.soon(k.time, func() {
		k.locked(func() {
			if r.brain == nil || r.dead() {
				return
			}
			e := node.Renewed{Key: a.Key, Took: r.world.now.Sub(begin)}
			if e.Took >= longChange {
				k.troubled = r.world.now
			}
			for v, x := range r.world.vips {
				if x.virtual == n && k.owned[v].on {
					k.put(v, a.Lease)
				}
			}
			r.take(e)
		})
	})
}

// put gives an address a lease from now on.
func (k *kernel) put(v int, lease time.Duration) {
	w := k.router.world
	o := &k.owned[v]
	if !o.on {
		w.sayAlso(k.router.name+" has", w.vips[v].prefix.Addr())
	}
	o.on, o.until = true, 0
	o.turn++
	if lease == 0 {
		return
	}
	o.until = w.now.Add(lease)
	k.expire(v, o.turn, lease+w.within(lateness(lease)))
}

// lateness is how late the kernel's timer may be.
func lateness(lease time.Duration) time.Duration {
	return 900*time.Millisecond + max(lease-3*time.Second, 0)/14
}

// expire takes an address away when its lease is over, under the lock. A timer that
// had to wait for the lock may take away even what was renewed meanwhile. Leases
// run on a clock that stands still while the machine is suspended.
func (k *kernel) expire(v, turn int, d time.Duration) {
	r := k.router
	due := r.world.now.Add(d)
	r.world.after(d, func() {
		k.locked(func() {
			o := &k.owned[v]
			overtaken := o.turn != turn && (r.world.now == due || r.world.luck.IntN(2) == 0)
			if !o.on || overtaken || r.dead() {
				return
			}
			k.drop(v)
			r.take(node.Deleted{Key: r.config.Instances[r.world.vips[v].virtual].Key()})
		})
	})
}

// resume lets the leases run on after a suspension.
func (k *kernel) resume(slept time.Duration) {
	w := k.router.world
	for v := range k.owned {
		if o := &k.owned[v]; o.on && o.until != 0 {
			o.until = o.until.Add(slept)
			o.turn++
			k.expire(v, o.turn, max(o.until.Sub(w.now), 0)+w.within(lateness(0)))
		}
	}
	k.drain()
}

func (k *kernel) drop(v int) {
	o := &k.owned[v]
	if !o.on {
		return
	}
	o.on = false
	o.turn++
	k.router.world.sayAlso(k.router.name+" lets go of", k.router.world.vips[v].prefix.Addr())
}

// sweep drops everything, as a new process does with what it finds.
func (k *kernel) sweep() {
	k.slow = 0
	for v := range k.owned {
		k.drop(v)
	}
}

// delete is somebody else's doing.
func (k *kernel) delete() {
	r := k.router
	if r.dead() {
		return
	}
	for n, i := range r.config.Instances {
		any := false
		for v, x := range r.world.vips {
			if x.virtual == n && k.owned[v].on {
				any = true
				k.drop(v)
			}
		}
		if any {
			r.take(node.Deleted{Key: i.Key()})
		}
	}
}

// reset is a power cycle: nothing is left, and nobody waits.
func (k *kernel) reset() {
	k.behind, k.slow = nil, 0
	for v := range k.owned {
		k.drop(v)
	}
}

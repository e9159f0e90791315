package world

import (
	"time"

	"standfast/vrrp/node"
)

// servedLong is how long another router serves before one may resign to it again.
const servedLong = time.Minute

// askedLately is how long a question proves that a router lives, and a little more: it may
// have waited in the socket of a process that did not run.
const askedLately = 40 * time.Second

// toldOfStorage is told that a process learns of its storage. What moves because of that is
// counted from here.
func (j *judge) toldOfStorage(r *router) {
	j.touched()
	if r.told == node.StorageHealthy {
		clear(r.seen.resigned[:])
	}
}

// resigned is I8.
func (j *judge) resigned(r *router, n int, t node.Transition) {
	w := j.w
	if r.told != node.StorageFailed {
		w.violated("I8", "%s resigns from %s and its storage is %v", r.name, t.Name, r.told)
	}
	if at := r.seen.resigned[n]; at != 0 && w.now.Sub(at) < servedLong {
		w.violated("I8", "%s resigns from %s again after %v", r.name, t.Name, w.now.Sub(at))
	}
	r.seen.resigned[n] = w.now
	for _, x := range w.routers {
		if x != r && !x.plain && x.seen.ran > r.seen.took[n] && w.now.Sub(x.seen.ran) <= askedLately {
			return
		}
	}
	w.violated("I8", "%s resigns from %s and no other router has run for %v, or since it took over", r.name, t.Name, askedLately)
}

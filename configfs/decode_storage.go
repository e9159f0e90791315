package configfs

import (
	"path"
	"slices"
	"strings"
	"time"
)

// maxPaths bounds storage_watch: each file system that it names is looked at every second.
const maxPaths = 32

// A reset of the host is for storage that does not come back: a disk that only stumbles does so within the kernel's own
// time-out of thirty seconds.
const (
	minFence  = 10 * time.Second
	maxFence  = 24 * time.Hour
	calmFence = 30 * time.Second
)

func (d *decoder) storageWatch(s *statement, _ *decoder) {
	if !d.arity(s, 1, maxPaths) {
		return
	}
	watch := &d.config.Global.Storage
	watch.Off, watch.Paths = false, nil
	args := s.args()
	for _, w := range args {
		switch {
		case len(args) == 1 && w.text == "auto":
		case len(args) == 1 && w.text == "off":
			watch.Off = true
		case w.text == "auto", w.text == "off":
			d.error(w.pos, "write auto, off, or absolute paths", "%s stands alone after storage_watch", w.text)
		case !strings.HasPrefix(w.text, "/"):
			d.error(w.pos, "write auto, off, or absolute paths such as /var", "%q is no absolute path", w.text)
		default:
			watch.Paths = d.watched(watch.Paths, Path{path.Clean(w.text), w.pos})
		}
	}
}

// watched adds a path to those that are looked at, once.
func (d *decoder) watched(paths []Path, p Path) []Path {
	if slices.ContainsFunc(paths, func(other Path) bool { return other.Name == p.Name }) {
		d.note(p.Pos, "remove it", "%s is looked at already", p.Name)
		return paths
	}
	return append(paths, p)
}

func (d *decoder) storageYield(s *statement, _ *decoder) {
	if !d.arity(s, 1, 1) {
		return
	}
	if i, ok := d.choice(s.args()[0], "on", "off"); ok {
		d.config.Global.Storage.Keep = i == 1
	}
}

func (d *decoder) storageFence(s *statement, _ *decoder) {
	if !d.arity(s, 1, 1) {
		return
	}
	fence := &d.config.Global.Storage.Fence
	w := s.args()[0]
	if w.text == "off" {
		*fence = 0
		return
	}
	if t, ok := d.seconds(w, minFence, maxFence); ok {
		*fence = t
		d.fence = w
	}
}

// completeStorage says what the storage_* keywords make of each other.
func (d *decoder) completeStorage() {
	s := d.config.Global.Storage
	switch {
	case s.Fence == 0:
	case s.Off:
		d.hazard(d.fence.pos, "remove storage_watch off", "storage_fence never comes to anything: storage_watch is off")
	case s.Fence < calmFence:
		d.hazard(d.fence.pos, "write 30 or more", "storage_fence %s may reset the host for a disk that comes back: the kernel waits 30 s for one",
			d.fence.text)
	}
}

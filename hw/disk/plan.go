package disk

import "time"

// How often a helper asks a disk. A fault has to be seen within three seconds and a hang within eight, from the moment it begins:
// with Limits.Hung, the rhythm of the slower operation is what that moment may come earlier.
const (
	readEvery  = time.Second            // costs a disk nothing
	writeEvery = 2 * time.Second        // about a gigabyte a day with the journal of a file system, of the 100,000 that a small SSD bears
	askAgain   = 500 * time.Millisecond // after an error, since one proves nothing
)

// Plan says when a helper does what with one volume. It is pure. The zero Plan begins with a read at once, then writes.
type Plan struct {
	due [numOps]time.Duration
	off [numOps]bool
}

// Without leaves an operation out, for a probe that lacks it.
func (p *Plan) Without(op Op) {
	if op < numOps {
		p.off[op] = true
	}
}

// Next is the operation to be done next, and when: a moment that may have passed. ok is false if none is left.
func (p *Plan) Next() (op Op, at time.Duration, ok bool) {
	for o := range numOps {
		if !p.off[o] && (!ok || p.due[o] < at) {
			op, at, ok = o, p.due[o], true
		}
	}
	return op, at, ok
}

// Done takes the outcome of an operation. Between two of a kind there is half a second at least, so that a disk that can hardly
// work is not asked without end.
func (p *Plan) Done(s Sample) {
	if s.Op >= numOps {
		return
	}
	every := [numOps]time.Duration{OpRead: readEvery, OpWrite: writeEvery}[s.Op]
	if isFault(s.Errno) {
		every = askAgain
	}
	p.due[s.Op] = max(s.Began+every, s.Ended+askAgain)
}

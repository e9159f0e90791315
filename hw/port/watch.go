// SPDX-License-Identifier: Apache-2.0

package port

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// Room for some ten thousand reports. The kernel counts a report with its overhead
	// as about 2 KiB, and a router that learns a full table of addresses makes many.
	receiveBuffer = 8 << 20

	// How many queued datagrams are merged into one Change, so that a storm neither
	// wakes the reader for each nor keeps it from ever hearing of the first.
	drainLimit = 256

	groups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR
)

// Watcher hears of every change of the ports of the network namespace in which it was
// made. Receive is for one goroutine; Close and Losses for any.
type Watcher struct {
	buffer int // bytes of receive buffer

	mu     sync.Mutex // guards r and closed against Close
	r      *rtnl
	closed bool

	ports  table // the picture
	told   table // the picture as last handed out
	stale  bool  // the picture must be read afresh
	whole  bool  // the next Change lists every port
	losses atomic.Uint64
}

// Watch subscribes to links and addresses. The first [Watcher.Receive] lists every port.
func Watch() (*Watcher, error) { return watch(receiveBuffer) }

func watch(buffer int) (*Watcher, error) {
	w := &Watcher{buffer: buffer, told: table{}, stale: true, whole: true}
	if err := w.subscribe(); err != nil {
		return nil, err
	}
	return w, nil
}

// Receive blocks until something changed and returns it. When the kernel dropped
// reports it subscribes anew, reads every port and returns that with Resync set. After
// Close it fails with fs.ErrClosed. After any other failure it may be called again, and
// will then begin with a fresh reading.
func (w *Watcher) Receive() (Change, error) {
	for {
		c, err := w.step()
		if err != nil && w.isClosed() {
			return Change{}, fmt.Errorf("watching ports: %w", fs.ErrClosed)
		}
		if err != nil {
			w.stale, w.whole = true, true
			return Change{}, fmt.Errorf("watching ports: %w", err)
		}
		if !c.empty() {
			return c, nil
		}
	}
}

// Losses returns how often the kernel dropped reports and the ports were read afresh.
func (w *Watcher) Losses() uint64 { return w.losses.Load() }

// Close ends the subscription; a Receive that waits returns with fs.ErrClosed.
func (w *Watcher) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	return w.r.close()
}

func (w *Watcher) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// subscribe replaces the socket by a fresh one with an empty queue.
func (w *Watcher) subscribe() error {
	r, err := open(groups)
	if err != nil {
		return err
	}
	if err := r.s.SetReadBuffer(w.buffer); err != nil {
		_ = r.close()
		return fmt.Errorf("cannot enlarge the receive buffer: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		_ = r.close()
		return fs.ErrClosed
	}
	if w.r != nil {
		_ = w.r.close()
	}
	w.r = r
	return nil
}

// step makes one Change, possibly an empty one.
func (w *Watcher) step() (Change, error) {
	if w.stale {
		return w.resync()
	}
	b, err := w.r.read()
	if err != nil {
		return Change{}, w.overrun(err)
	}
	return w.take(b)
}

// overrun answers a loss of reports with a fresh subscription; the next step reads every
// port. Any other error it returns.
func (w *Watcher) overrun(err error) error {
	if !errors.Is(err, errOverrun) {
		return err
	}
	w.losses.Add(1)
	w.stale, w.whole = true, true
	return w.subscribe()
}

// take works in a datagram and those queued behind it.
func (w *Watcher) take(b []byte) (Change, error) {
	var c Change
	for range drainLimit {
		messages(b, func(m message) { w.ports.apply(m, &c) })
		var err error
		if b, err = w.r.tryRead(); err != nil {
			return Change{}, w.overrun(err)
		}
		if b == nil {
			break
		}
	}
	w.ports.news(w.told, &c)
	return c, nil
}

// resync reads every port. The subscription is older than the reading, so no change
// slips between. Reports that came in during the reading may be older than it, and
// would undo it for a moment: they are thrown away, and the ports read once more.
func (w *Watcher) resync() (Change, error) {
	fresh, consistent, err := dump()
	if err != nil {
		return Change{}, err
	}
	quiet, err := w.discard()
	if err := w.overrun(err); err != nil {
		return Change{}, err
	}
	if !consistent {
		fresh.keep(w.told)
	}
	c := Change{Resync: w.whole, Deleted: w.told.lost(fresh)}
	fresh.news(w.told, &c)
	w.ports, w.stale, w.whole = fresh, !quiet || !consistent, false
	return c, nil
}

// discard empties the queue and tells whether it was empty.
func (w *Watcher) discard() (quiet bool, err error) {
	quiet = true
	for {
		b, err := w.r.tryRead()
		if err != nil {
			return false, err
		}
		if b == nil {
			return quiet, nil
		}
		quiet = false
	}
}

// Snapshot asks the kernel for every port of the calling thread's network namespace,
// by ascending index. It takes the kernel's network configuration lock on kernels before
// 7: while a driver holds that, it blocks, and no deadline helps.
func Snapshot() ([]State, error) {
	t, _, err := dump()
	if err != nil {
		return nil, fmt.Errorf("listing ports: %w", err)
	}
	return t.states(), nil
}

// dump reads all links, then all addresses. It is consistent if neither list changed
// while it was taken; otherwise what it has is true, but it may miss a port or an address.
func dump() (t table, consistent bool, err error) {
	// Statistics are most of a link report and nothing to us.
	const skipStatistics = 1 << 3 // RTEXT_FILTER_SKIP_STATS
	t = table{}
	apply := func(m message) { t.apply(m, &Change{}) }
	links, err := query(unix.RTM_GETLINK, request(ifinfoSize, unix.IFLA_EXT_MASK, skipStatistics), apply)
	if err != nil {
		return nil, false, err
	}
	addresses, err := query(unix.RTM_GETADDR, request(ifaddrSize, 0, 0), apply)
	return t, links && addresses, err
}

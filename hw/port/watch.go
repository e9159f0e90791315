package port

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
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
)

// Watcher hears of every change of the ports of the network namespace of the thread that
// made it. Receive is for one goroutine; Close and Losses for any.
type Watcher struct {
	reports   *rtnl
	questions *rtnl

	ports  table // the picture
	told   table // the picture as last handed out
	stale  bool  // the picture must be read afresh
	whole  bool  // the next Change lists every port
	losses atomic.Uint64
	closed atomic.Bool
}

// Watch subscribes to links and addresses. The first [Watcher.Receive] lists every port.
func Watch() (*Watcher, error) { return watch(receiveBuffer) }

func watch(buffer int) (*Watcher, error) {
	reports, err := open()
	if err != nil {
		return nil, err
	}
	questions, err := open()
	if err != nil {
		_ = reports.close()
		return nil, err
	}
	w := &Watcher{reports: reports, questions: questions, told: table{}, stale: true, whole: true}
	if err := reports.s.SetReadBuffer(buffer); err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("cannot enlarge the receive buffer: %w", err)
	}
	if err := w.subscribe(); err != nil {
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

func (w *Watcher) subscribe() error {
	return w.reports.membership(unix.NETLINK_ADD_MEMBERSHIP,
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
}

func (w *Watcher) unsubscribe() error {
	return w.reports.membership(unix.NETLINK_DROP_MEMBERSHIP,
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
}

// Receive blocks until something changed and returns it. When the kernel dropped
// reports it subscribes anew, reads every port and returns that with Resync set. After
// Close it fails with fs.ErrClosed. After any other failure it may be called again, and
// will then begin with a fresh reading.
func (w *Watcher) Receive() (Change, error) {
	for {
		c, err := w.step()
		if err != nil && w.closed.Load() {
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
	if w.closed.Swap(true) {
		return nil
	}
	return errors.Join(w.reports.close(), w.questions.close())
}

// step makes one Change, possibly an empty one.
func (w *Watcher) step() (Change, error) {
	if w.stale {
		return w.resync()
	}
	b, err := w.reports.read()
	if err != nil {
		return Change{}, w.overrun(err)
	}
	return w.take(b)
}

// overrun answers a loss of reports: it subscribes anew, with an empty queue, and has the
// next step read every port. Any other error it returns.
func (w *Watcher) overrun(err error) error {
	if !errors.Is(err, errOverrun) {
		return err
	}
	w.losses.Add(1)
	w.stale, w.whole = true, true
	// Without a subscription nothing is added while the queue is emptied, however great
	// the storm.
	if err := w.unsubscribe(); err != nil {
		return err
	}
	for errors.Is(err, errOverrun) {
		_, err = w.reports.discard()
	}
	return errors.Join(err, w.subscribe())
}

// take works in a datagram and those queued behind it.
func (w *Watcher) take(b []byte) (Change, error) {
	var c Change
	for range drainLimit {
		messages(b, func(m message) { w.ports.apply(m, &c) })
		var err error
		if b, err = w.reports.tryRead(); err != nil {
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
	fresh, consistent, err := dump(w.questions)
	if err != nil {
		return Change{}, err
	}
	quiet, err := w.reports.discard()
	if err != nil {
		return Change{}, w.overrun(err)
	}
	if !consistent {
		fresh.keep(w.told)
	}
	c := Change{Resync: w.whole, Deleted: w.told.lost(fresh)}
	fresh.news(w.told, &c)
	w.ports, w.stale, w.whole = fresh, !quiet || !consistent, false
	return c, nil
}

// Snapshot asks the kernel for every port of the calling thread's network namespace,
// by ascending index. It takes the kernel's network configuration lock on kernels before
// 7: while a driver holds that, it blocks, and no deadline helps.
func Snapshot() ([]State, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.close() }()
	t, _, err := dump(r)
	if err != nil {
		return nil, fmt.Errorf("listing ports: %w", err)
	}
	return t.states(), nil
}

// dump reads all links, then all addresses, again if they changed meanwhile. It is
// consistent if in the end they held still; otherwise what it has is true, but it may
// miss a port or an address.
func dump(r *rtnl) (t table, consistent bool, err error) {
	const attempts = 5
	for range attempts {
		if t, err = list(r); !errors.Is(err, errInterrupted) {
			return t, err == nil, err
		}
	}
	return t, false, nil
}

// list is one attempt of dump.
func list(r *rtnl) (table, error) {
	// Statistics are most of a link report and nothing to us.
	const skipStatistics = 1 << 3 // RTEXT_FILTER_SKIP_STATS
	t := table{}
	apply := func(m message) { t.apply(m, &Change{}) }
	links := r.ask(unix.RTM_GETLINK, request(ifinfoSize, unix.IFLA_EXT_MASK, skipStatistics), apply)
	if links != nil && !errors.Is(links, errInterrupted) {
		return nil, links
	}
	addresses := r.ask(unix.RTM_GETADDR, request(ifaddrSize, 0, 0), apply)
	return t, cmp.Or(addresses, links)
}

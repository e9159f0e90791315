package service

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"standfast/hw/address"
	"standfast/vrrp/node"
)

// wish is the state in which the kernel should hold one instance. It names
// everything, not a change, so that of several wishes only the newest matters.
type wish struct {
	key     node.Key
	present bool // false: nothing of the instance is to be in the kernel
	vips    []address.VIP
	routes  []address.Route
	lease   time.Duration
	// delta sets only what is not known to be there already. Without it
	// everything is set again, whatever the actor believes.
	delta bool
	again bool // it has failed before
	// done makes the answer; nil if nobody waits for one.
	done func(err error, took time.Duration) answer
}

// answer is what an actor tells the loop when a wish has been carried out:
// either an event that the brain waits for, or VIPs that now are to be
// announced.
type answer struct {
	key      node.Key
	serial   uint64 // of the mutation; 0 for a renewal
	failed   bool   // the actor will try again, and answer again
	event    node.Event
	announce func(vipLine) bool
}

// mailbox keeps the newest wish of each instance, in the order in which the
// instances asked, until the actor takes it. Putting never blocks.
type mailbox struct {
	mu     sync.Mutex
	order  []node.Key
	latest map[node.Key]wish
	wake   chan struct{}
}

func newMailbox() *mailbox {
	return &mailbox{latest: map[node.Key]wish{}, wake: make(chan struct{}, 1)}
}

func (m *mailbox) put(w wish) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, waiting := m.latest[w.key]; !waiting {
		m.order = append(m.order, w.key)
	}
	m.latest[w.key] = w
	select {
	case m.wake <- struct{}{}:
	default: // the actor has a wake-up to come already
	}
}

func (m *mailbox) take() (wish, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.order) == 0 {
		return wish{}, false
	}
	w := m.latest[m.order[0]]
	delete(m.latest, w.key)
	m.order = slices.Delete(m.order, 0, 1)
	return w, true
}

// superseded says whether a newer wish for the instance is waiting, which makes
// the rest of the present one pointless.
func (m *mailbox) superseded(key node.Key) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, waiting := m.latest[key]
	return waiting
}

// holdings is what the two actors agree on: which VIPs are in the kernel by our
// will. A VIP is changed only by who holds its lock, so that a renewal that was
// waiting in the kernel can never bring back what was just withdrawn.
//
// The locks are channels: an actor may hold one for as long as the kernel holds
// RTNL, and a test in a bubble must be able to see that as waiting.
type holdings struct {
	mu   sync.Mutex
	vips map[address.VIP]*holding
}

type holding struct {
	lock    chan struct{}
	present bool // guarded by lock
}

func newHoldings() *holdings { return &holdings{vips: map[address.VIP]*holding{}} }

// lock waits until nobody else changes the VIP.
func (h *holdings) lock(v address.VIP) *holding {
	h.mu.Lock()
	held, ok := h.vips[v]
	if !ok {
		held = &holding{lock: make(chan struct{}, 1)}
		h.vips[v] = held
	}
	h.mu.Unlock()
	held.lock <- struct{}{}
	return held
}

func (h *holding) unlock() { <-h.lock }

// actor carries out wishes one after the other with its own netlink socket.
type actor struct {
	box     *mailbox
	kernel  kernel
	now     func() time.Duration
	perform func(k kernel, w wish) error
	answer  func(answer)
	// persistent tries again what failed; a renewal needs no such care, since
	// the next one is never far.
	persistent bool
	failed     map[node.Key]wish
	pause      time.Duration // before the next try
	inside     occupancy
}

// wishAgain is how long the actor waits before it tries again what failed; the
// wait doubles with each try, as far as wishSeldom.
const (
	wishAgain  = 500 * time.Millisecond
	wishSeldom = 8 * time.Second
)

// errSuperseded ends a wish early because a newer one is waiting.
var errSuperseded = errors.New("superseded")

func (a *actor) run(ctx context.Context) {
	defer func() { _ = a.kernel.Close() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.box.wake:
		case <-a.again():
			a.retry()
		}
		for ctx.Err() == nil {
			w, ok := a.box.take()
			if !ok {
				break
			}
			a.carryOut(w)
		}
	}
}

// again fires when what failed is to be tried again; never if nothing did.
func (a *actor) again() <-chan time.Time {
	if len(a.failed) == 0 {
		return nil
	}
	return time.After(a.pause)
}

// retry puts back what failed, unless something newer is wished for.
func (a *actor) retry() {
	for key, w := range a.failed {
		if !a.box.superseded(key) {
			w.again = true
			a.box.put(w)
		}
	}
	clear(a.failed)
	a.pause = min(2*a.pause, wishSeldom)
}

func (a *actor) carryOut(w wish) {
	delete(a.failed, w.key)
	if !w.again {
		a.pause = wishAgain
	}
	begun := a.now()
	a.inside.enter(begun)
	err := a.perform(a.kernel, w)
	a.inside.leave()
	if errors.Is(err, errSuperseded) {
		return
	}
	if err != nil && a.persistent {
		a.failed[w.key] = w
	}
	if w.done != nil {
		said := w.done(err, a.now()-begun)
		said.failed = err != nil
		a.answer(said)
	}
}

// mutator makes the kernel hold what the wishes say. It remembers what it put
// there, because what is to be removed is in no configuration any more.
type mutator struct {
	box      *mailbox
	holdings *holdings
	have     map[node.Key]inventory
	unsure   map[node.Key]bool // the last wish was not carried out to its end
	foreign  foreign
}

// foreign are VIPs that are known to be, or not to be, configured on their
// interface by an administrator for good; those are neither leased nor removed.
type foreign map[object]bool

// object is what makes two VIPs the same to the kernel.
type object struct {
	index  int
	prefix netip.Prefix
}

func identify(v address.VIP) object { return object{index: v.Index, prefix: v.Prefix} }

// is asks the kernel the first time that a VIP is seen. That it is not known
// counts as not being anybody's.
func (f foreign) is(k kernel, v address.VIP) bool {
	o := identify(v)
	theirs, known := f[o]
	if !known {
		held, err := k.Held(v)
		theirs = err == nil && held == address.Permanent
		f[o] = theirs
	}
	return theirs
}

type inventory struct {
	vips   []address.VIP
	routes []address.Route
}

// perform removes what is not wished for, then adds what is: routes leave
// before the addresses they use as source, and come after them. One failure
// does not stop the rest; the answer names all of them.
func (m *mutator) perform(k kernel, w wish) error {
	had := m.have[w.key]
	w.delta = w.delta && !m.unsure[w.key]
	m.unsure[w.key] = true
	// Until it is known to be gone it is ours to remove.
	m.have[w.key] = inventory{vips: union(had.vips, w.vips), routes: union(had.routes, w.routes)}
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	dropped, err := m.drop(k, w, had, note)
	if err != nil {
		return err
	}
	if err := m.set(k, w, had, dropped, note); err != nil {
		return err
	}
	if joined := errors.Join(errs...); joined != nil {
		return joined
	}
	delete(m.unsure, w.key)
	m.have[w.key] = inventory{vips: w.vips, routes: w.routes}
	if !w.present {
		delete(m.have, w.key)
	}
	return nil
}

func (m *mutator) drop(k kernel, w wish, had inventory, note func(error)) ([]address.VIP, error) {
	for _, r := range had.routes {
		if slices.Contains(w.routes, r) || m.elsewhere(w.key, func(i inventory) bool { return slices.Contains(i.routes, r) }) {
			continue
		}
		if m.box.superseded(w.key) {
			return nil, errSuperseded
		}
		note(k.DropRoute(r))
	}
	var dropped []address.VIP
	for _, v := range had.vips {
		if slices.Contains(w.vips, v) || m.foreign.is(k, v) || m.elsewhere(w.key, func(i inventory) bool { return slices.Contains(i.vips, v) }) {
			continue
		}
		if m.box.superseded(w.key) {
			return nil, errSuperseded
		}
		held := m.holdings.lock(v)
		held.present = false
		note(k.DropVIP(v))
		held.unlock()
		dropped = append(dropped, v)
	}
	return dropped, nil
}

func (m *mutator) set(k kernel, w wish, had inventory, dropped []address.VIP, note func(error)) error {
	for _, v := range w.vips {
		if w.delta && slices.Contains(had.vips, v) && !slices.ContainsFunc(dropped, func(d address.VIP) bool { return sameSubnet(d, v) }) {
			continue
		}
		if m.box.superseded(w.key) {
			return errSuperseded
		}
		if m.foreign.is(k, v) {
			continue
		}
		held := m.holdings.lock(v)
		held.present = true
		note(unserved(k.SetVIP(v, w.lease)))
		held.unlock()
	}
	for _, r := range w.routes {
		// The kernel takes routes away with the address that is their source,
		// or with the last address of their subnet, and says nothing.
		if w.delta && slices.Contains(had.routes, r) && len(dropped) == 0 {
			continue
		}
		if m.box.superseded(w.key) {
			return errSuperseded
		}
		note(k.SetRoute(r))
	}
	return nil
}

// notServed marks a failure that leaves a VIP out of the kernel, apart from
// one that leaves out a route: only the first keeps a router from serving.
type notServed struct{ error }

func (e notServed) Unwrap() error { return e.error }

func unserved(err error) error {
	if err == nil {
		return nil
	}
	return notServed{err}
}

// serving says that whatever failed, every VIP is in the kernel.
func serving(err error) bool { return !errors.As(err, new(notServed)) }

// sentence is what the brain is told of an error; nothing for none.
func sentence(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// elsewhere says whether another instance has put the same thing there; the
// last one to go takes it along.
func (m *mutator) elsewhere(key node.Key, has func(inventory) bool) bool {
	for other, i := range m.have {
		if other != key && has(i) {
			return true
		}
	}
	return false
}

// sameSubnet says whether the kernel may have removed v along with d: taking
// away the first IPv4 address of a subnet takes its secondaries with it.
func sameSubnet(d, v address.VIP) bool {
	return d.Index == v.Index && d.Prefix.Masked() == v.Prefix.Masked()
}

func union[T comparable](a, b []T) []T {
	all := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all
}

// renewer lengthens leases. It touches only what the mutator has put there and
// not taken away since.
type renewer struct {
	box      *mailbox
	holdings *holdings
}

func (r *renewer) perform(k kernel, w wish) error {
	var errs []error
	for _, v := range w.vips {
		// A withdrawal puts an empty wish into this mailbox as well.
		if r.box.superseded(w.key) {
			return errSuperseded
		}
		held := r.holdings.lock(v)
		if held.present {
			errs = append(errs, k.SetVIP(v, w.lease))
		}
		held.unlock()
	}
	return errors.Join(errs...)
}

// removeLeftovers takes away what a previous run left in the kernel: whatever
// carries our protocol number, unless another instance may own it, and, because old kernels keep no such number, the
// configured VIPs that have a lease. It learns which of the configured VIPs are
// an administrator's.
func removeLeftovers(k kernel, configured []address.VIP, alone bool) (removed int, theirs foreign, err error) {
	var vips []address.VIP
	var routes []address.Route
	if alone {
		vips, routes, err = k.Owned()
	}
	if err != nil {
		return 0, nil, fmt.Errorf("leftovers of a previous run: %w", err)
	}
	theirs = foreign{}
	for _, v := range configured {
		held, err := k.Held(v)
		if err != nil {
			return 0, nil, fmt.Errorf("leftovers of a previous run: %w", err)
		}
		theirs[identify(v)] = held == address.Permanent
		if held == address.Leased {
			vips = append(vips, v)
		}
	}
	var errs []error
	for _, r := range routes {
		errs = append(errs, k.DropRoute(r))
	}
	for _, v := range vips {
		errs = append(errs, k.DropVIP(v))
	}
	return len(vips) + len(routes), theirs, errors.Join(errs...)
}

package service

import (
	"context"
	"log/slog"
	"time"

	"standfast/hw/address"
	"standfast/hw/port"
	"standfast/hw/probe"
	"standfast/hw/wire"
	"standfast/vrrp/node"
)

// How often the carrier counters of heartbeat ports are read. The kernel may hold a
// carrier loss back for a second after it reported any change on this host, in other
// network namespaces too, where nobody here sees it; a counter never lies. Each reading
// wakes a few threads of the runtime, and a hundred a second cost a hundredth of a core:
// a BACKUP reads as often as it must to serve within 50 ms, a MASTER goes on serving.
const (
	backupPoll = 20 * time.Millisecond
	masterPoll = 100 * time.Millisecond
)

// polling is whose counters are to be read, and how often.
type polling struct {
	ports map[string]int // by name, the index
	every time.Duration
}

// After a report about any carrier of the host the kernel holds further ones
// back for a second, so for a little longer than that the counters are all
// there is, and are read more often.
const (
	heldBack     = 1100 * time.Millisecond
	heldBackPoll = 2 * time.Millisecond
)

// start sets every goroutine going. They end with the context; one that is
// stuck in the kernel ends with the process.
func (s *service) start(ctx context.Context, w watchers, k kernels, theirs foreign) {
	opener := &opener{
		edge: s.edges.sockets, log: s.log, wishes: s.wanted,
		broken: make(chan socketKey), news: s.opened,
		open: map[socketKey]openSocket{}, failing: map[socketKey]string{},
	}
	opener.receive = func(ctx context.Context, key socketKey, sock socket) {
		s.receiveOn(ctx, key, sock, opener.broken)
	}
	shared := newHoldings()
	mutator := &mutator{box: s.mutations, holdings: shared, have: map[node.Key]inventory{}, unsure: map[node.Key]bool{}, foreign: theirs}
	renewer := &renewer{box: s.leases, holdings: shared}
	mutations := &actor{box: s.mutations, kernel: k.mutation, now: s.edges.now, perform: mutator.perform, answer: s.answer(ctx), persistent: true, failed: map[node.Key]wish{}}
	leases := &actor{box: s.leases, kernel: k.lease, now: s.edges.now, perform: renewer.perform, answer: s.answer(ctx)}
	s.vitals.occupied = []*occupancy{&mutations.inside, &leases.inside}
	for _, run := range []func(context.Context){
		opener.run, mutations.run, leases.run, s.body.keep,
		s.announcer, s.portReader, s.surveyor, s.carrierPoller, s.linkPoller, s.controlled,
		s.examined, s.watchDevices,
		s.storage.run, s.storage.converse,
		func(ctx context.Context) { s.edges.helpers(ctx, s.launcher) },
		func(ctx context.Context) { s.watchPorts(ctx, w.ports) },
		func(ctx context.Context) { s.watchAddresses(ctx, w.addresses) },
		func(ctx context.Context) { s.verifier(ctx, k.verification) },
	} {
		s.workers.Go(func() { run(ctx) })
	}
}

// watchers are open before the first reading, so that nothing falls between.
type watchers struct {
	ports     portWatcher
	addresses addressWatcher
}

// tell hands a message to the loop, or gives up with the context. The loop never
// blocks, so this waits only for its turn.
func tell[T any](ctx context.Context, c chan<- T, v T) {
	select {
	case c <- v:
	case <-ctx.Done():
	}
}

func (s *service) answer(ctx context.Context) func(answer) {
	return func(a answer) { tell(ctx, s.answers, a) }
}

// receiveOn starts the receiver of a socket that has one.
func (s *service) receiveOn(ctx context.Context, key socketKey, sock socket, broken chan<- socketKey) {
	var once func() error
	switch key.kind {
	case wireSocket:
		once = func() error { return s.receiveFrame(key.port, sock.wire) }
	case probeSocket:
		hearsay := &sieve{left: hearsayInSecond}
		once = func() error { return s.receiveHeard(key.port, sock.probe, hearsay) }
	default:
		return
	}
	s.workers.Go(func() { receive(ctx, once, func() { tell(ctx, broken, key) }) })
}

func (s *service) receiveFrame(on node.Port, c wireConn) error {
	f, err := c.Receive()
	if err != nil {
		return err
	}
	s.enqueueFrame(on, f)
	return nil
}

func (s *service) enqueueFrame(on node.Port, f wire.Frame) {
	select {
	case s.frames <- stamped{at: s.edges.now(), event: frameEvent(on, f)}:
	default:
		s.counters.framesDropped.Add(1)
	}
}

func (s *service) receiveHeard(on node.Port, c probeConn, hearsay *sieve) error {
	h, err := c.Receive()
	if err != nil {
		return err
	}
	e, ok := heardEvent(on, h)
	now := s.edges.now()
	if !ok || !s.concerns(h) && !hearsay.passes(now) {
		return nil
	}
	select {
	case s.heard <- stamped{at: now, event: e}:
	default:
		s.counters.heardDropped.Add(1)
	}
	return nil
}

// concerns says whether a message is more than hearsay: an answer to this
// router, or somebody who asks for a VIP or claims one.
func (s *service) concerns(h probe.Heard) bool {
	virtual := *s.virtual.Load()
	return h.ToUs || virtual[h.Sender] || virtual[h.Target]
}

// sieve lets so much hearsay pass in a second. Who merely talks on a segment may
// be a witness, but a storm of talk must not cost an advert its moment.
type sieve struct {
	since time.Duration
	left  int
}

const hearsayInSecond = 100

func (v *sieve) passes(now time.Duration) bool {
	if now-v.since >= time.Second {
		v.since, v.left = now, hearsayInSecond
	}
	v.left--
	return v.left >= 0
}

// announcer sends announcements one after the other, so that a burst for many
// addresses delays no advert.
func (s *service) announcer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case frames := <-s.jobs:
			for _, f := range frames {
				if err := f.conn.Announce(f.addr, f.mac, f.router); err != nil {
					s.counters.announceErrors.Add(1)
				}
			}
		}
	}
}

// portReader reads every port at once whenever the brain asks.
func (s *service) portReader(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.read:
			states, err := s.edges.ports.Snapshot()
			tell(ctx, s.ports, portNews{change: port.Change{Resync: true, States: states}, reading: true, err: err})
		}
	}
}

// watcher is what reports changes until it is closed.
type watcher[T any] interface {
	Receive() (T, error)
	Close() error
}

// watch hands on reports until the context ends. A watcher that fails is
// replaced, and reopened says what is to be thought of the gap.
func watch[T any](ctx context.Context, log *slog.Logger, w watcher[T], open func() (watcher[T], error), report func(T), reopened func()) {
	for {
		err := follow(ctx, w, report)
		for err != nil {
			if ctx.Err() != nil {
				return
			}
			log.Error("the kernel's reports are interrupted, trying again: " + err.Error())
			if !sleep(ctx, retryAfter) {
				return
			}
			w, err = open()
		}
		reopened()
	}
}

// follow reports until the watcher fails, which it does when the context ends.
func follow[T any](ctx context.Context, w watcher[T], report func(T)) error {
	defer context.AfterFunc(ctx, func() { _ = w.Close() })()
	for {
		v, err := w.Receive()
		if err != nil {
			_ = w.Close()
			return err
		}
		report(v)
	}
}

// watchPorts hands on what the kernel reports of interfaces; what a gap hid
// comes with the first report of the next watcher.
func (s *service) watchPorts(ctx context.Context, w portWatcher) {
	watch(ctx, s.log, watcher[port.Change](w),
		func() (watcher[port.Change], error) { return s.edges.ports.Watch() },
		func(c port.Change) { tell(ctx, s.ports, portNews{change: c}) },
		func() {})
}

// watchAddresses hands on what the kernel reports of addresses and routes that
// went. After a gap anything may be gone.
func (s *service) watchAddresses(ctx context.Context, w addressWatcher) {
	watch(ctx, s.log, watcher[address.Gone](w),
		func() (watcher[address.Gone], error) { return s.edges.addresses.Watch() },
		func(g address.Gone) { tell(ctx, s.gone, g) },
		func() { tell(ctx, s.gone, address.Gone{Resync: true}) })
}

// sleep waits; false if the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// suspect is a VIP of an instance that serves, which was reported gone.
type suspect struct {
	key    node.Key
	vip    address.VIP
	newest uint64 // the instance's newest mutation when the report came
}

// verified says which of the suspects really are not in the kernel.
type verified struct {
	looked, absent []suspect
}

// verifier looks for suspects. A kernel that gives no answer cannot clear one.
func (s *service) verifier(ctx context.Context, k kernel) {
	defer func() { _ = k.Close() }()
	for {
		select {
		case <-ctx.Done():
			return
		case suspects := <-s.verify:
			v := verified{looked: suspects}
			for _, x := range suspects {
				if held, err := k.Held(x.vip); err != nil || held == address.Absent {
					v.absent = append(v.absent, x)
				}
			}
			tell(ctx, s.verified, v)
		}
	}
}

// examined has the ports' hardware examined, beside everything else.
func (s *service) examined(ctx context.Context) {
	s.examiner.publish = func(t testimony) { tell(ctx, s.testified, t) }
	s.examiner.run(ctx)
}

// watchDevices hands on what the kernel says of devices. A kernel that says nothing leaves the slow survey.
func (s *service) watchDevices(ctx context.Context) {
	w, err := s.edges.hardware.Uevents()
	if err != nil {
		s.log.Debug("that a card is pulled out is noticed late: " + err.Error())
		return
	}
	watch(ctx, s.log, w, s.edges.hardware.Uevents,
		func(e port.Uevent) { tell(ctx, s.examiner.events, e) },
		func() { tell(ctx, s.examiner.events, port.Uevent{Lost: true}) })
}

// surveyor finds out about ports what is not urgent.
func (s *service) surveyor(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case ports := <-s.surveyed:
			for name, index := range ports {
				tell(ctx, s.surveys, s.survey(name, index))
			}
		}
	}
}

func (s *service) survey(name node.Port, index int) survey {
	v := survey{
		port:   name,
		router: s.edges.ports.Forwarding(string(name)),
	}
	var err error
	if v.gateways, err = s.edges.ports.Gateways(index); err != nil {
		s.log.Debug("gateways of " + string(name) + ": " + err.Error())
	}
	if v.neighbours, err = s.edges.ports.Neighbours(index); err != nil {
		s.log.Debug("neighbours of " + string(name) + ": " + err.Error())
	}
	return v
}

// carrierPoller reads the carrier counters of the ports that it was given last
// and hands on what moved.
func (s *service) carrierPoller(ctx context.Context) {
	polled := map[string]*polledPort{}
	defer closePolled(polled)
	every, hurried := backupPoll, false
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	calm := time.NewTimer(0)
	defer calm.Stop()
	for {
		tick := ticker.C
		if len(polled) == 0 {
			tick = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-s.hurry:
			hurried = true
			ticker.Reset(heldBackPoll)
			calm.Reset(heldBack)
		case <-calm.C:
			hurried = false
			ticker.Reset(every)
		case wanted := <-s.polled:
			s.openCounters(polled, wanted.ports)
			if every = wanted.every; !hurried {
				ticker.Reset(every)
			}
		case <-tick:
			s.readCounters(ctx, polled)
		}
	}
}

func (s *service) readCounters(ctx context.Context, polled map[string]*polledPort) {
	for name, p := range polled {
		count, err := p.counter.Read()
		switch {
		case err != nil:
			// The port is gone; whoever watches ports will say so.
			_ = p.counter.Close()
			delete(polled, name)
		case !p.known || count != p.count:
			p.known, p.count = true, count
			tell(ctx, s.carrier, carrierNews{index: p.index, count: count})
		}
	}
}

type polledPort struct {
	counter carrierCounter
	index   int
	count   uint32
	known   bool
}

// openCounters follows the wanted ports. A kernel without such counters, or a
// /sys that shows another namespace, leaves the reports of the kernel.
func (s *service) openCounters(polled map[string]*polledPort, wanted map[string]int) {
	for name, p := range polled {
		if wanted[name] != p.index {
			_ = p.counter.Close()
			delete(polled, name)
		}
	}
	for name, index := range wanted {
		if polled[name] != nil {
			continue
		}
		c, err := s.edges.ports.Counter(name)
		if err != nil {
			s.log.Debug("carrier changes of " + name + " come from reports only: " + err.Error())
			continue
		}
		polled[name] = &polledPort{counter: c, index: index}
	}
}

func closePolled(polled map[string]*polledPort) {
	for _, p := range polled {
		_ = p.counter.Close()
	}
}

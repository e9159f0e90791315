package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"standfast/hw/port"
	"standfast/vrrp"
	"standfast/vrrp/node"
	"standfast/vrrp/verdict"
)

// retryAfter is how long the opener waits before it tries again to open what
// could not be opened.
const retryAfter = time.Second

// latest hands the newest value of something to one goroutine; values that it
// did not come to take are replaced. There is one sender.
type latest[T any] chan T

func newLatest[T any]() latest[T] { return make(latest[T], 1) }

func (l latest[T]) put(v T) {
	select {
	case <-l:
	default:
	}
	l <- v
}

// book is what is known of the interfaces of this host.
type book struct {
	byIndex   map[int]port.State
	byName    map[node.Port]int
	testimony testimony
	routers   map[node.Port]bool
	losses    map[int]uint32 // carrier losses already told to the brain, by index
}

func newBook() *book {
	return &book{
		byIndex: map[int]port.State{},
		routers: map[node.Port]bool{},
		losses:  map[int]uint32{},
	}
}

// find gives the interface of that name; the zero State if there is none.
func (b *book) find(name node.Port) port.State { return b.byIndex[b.byName[name]] }

// apply enters a change, or a complete reading in the place of all that is known.
func (b *book) apply(c port.Change) {
	known := b.byIndex
	if c.Resync {
		b.byIndex = make(map[int]port.State, len(c.States))
	}
	for _, index := range c.Removed {
		delete(known, index)
		delete(b.losses, index)
	}
	for _, s := range c.States {
		b.byIndex[s.Index] = newer(known[s.Index], s)
	}
	b.byName = make(map[node.Port]int, len(b.byIndex))
	for index, s := range b.byIndex {
		b.byName[node.Port(s.Name)] = index
	}
	for index := range b.losses {
		if _, ok := b.byIndex[index]; !ok {
			delete(b.losses, index)
		}
	}
}

// carrierMoves says that a change reports another carrier of any interface of
// this host, used here or not.
func (b *book) carrierMoves(c port.Change) bool {
	for _, s := range c.States {
		known, ok := b.byIndex[s.Index]
		if ok && (known.Carrier != s.Carrier || known.DownCount != s.DownCount) {
			return true
		}
	}
	return false
}

// newer guards against news that were overtaken: a report of the kernel may
// wait in a queue while a reading tells what came after it. The count of losses
// never runs backwards, so a lower one is the older truth about the carrier.
func newer(known, s port.State) port.State {
	if known.DownCountKnown && s.DownCountKnown && int32(s.DownCount-known.DownCount) < 0 {
		s.Carrier, s.DownCount = known.Carrier, known.DownCount
	}
	return s
}

// lost says whether a count of carrier losses is news. The first count of a
// port is none.
func (b *book) lost(index int, count uint32) bool {
	known, ok := b.losses[index]
	if ok && int32(count-known) <= 0 {
		return false
	}
	b.losses[index] = count
	return ok
}

// takePorts enters what was told of interfaces, has sockets and pollers follow,
// and tells the brain of every port that is in the configuration.
func (s *service) takePorts(news portNews) {
	if news.err != nil {
		s.log.Error("cannot read the state of the interfaces: " + news.err.Error())
		return
	}
	names := s.plan.ports()
	before := make(map[node.Port]port.State, len(names))
	for _, name := range names {
		before[name] = s.book.find(name)
	}
	if s.book.carrierMoves(news.change) {
		s.hurry.put(struct{}{})
	}
	s.book.apply(news.change)
	s.follow()
	e := node.PortsRead{Own: s.book.own()}
	moved := len(news.change.Removed) > 0 // of a card of ours, perhaps
	for _, name := range names {
		was, is := before[name], s.book.find(name)
		if !was.Equal(is) {
			s.tellPort(name, was, is)
			moved = true
		}
		if news.reading || !was.Equal(is) {
			e.Ports = append(e.Ports, s.book.portState(name))
		}
		s.checkLosses(name)
		s.repair(name, was, is, news.change)
	}
	if len(e.Ports) > 0 {
		s.step(e)
	}
	if moved {
		s.alarm++
		s.examine()
	}
}

// repair puts back what the kernel drops without a word: everything when the
// interface was made again, routes when it was switched off or lost an address.
// A VIP that goes is reported by itself, to the brain as well.
func (s *service) repair(name node.Port, was, is port.State, c port.Change) {
	switch {
	case !is.Present:
	case was.Index != is.Index:
		s.surveyed.put(s.present())
		s.restore(name, func(v vipLine) bool { return v.port == name })
	case !was.AdminUp && is.AdminUp,
		slices.ContainsFunc(c.Deleted, func(g port.AddressGone) bool {
			return g.Index == is.Index && !(*s.virtual.Load())[g.Prefix.Addr()]
		}):
		s.restore(name, noVIP)
	}
}

// checkLosses tells the brain of a carrier loss that a report shows by its
// count alone: the carrier may be back by now, and not every port is polled.
func (s *service) checkLosses(name node.Port) {
	state := s.book.find(name)
	if state.DownCountKnown && s.book.lost(state.Index, state.DownCount) {
		s.step(node.CarrierLost{Port: name})
	}
}

func (s *service) takeCarrier(news carrierNews) {
	state, ok := s.book.byIndex[news.index]
	if ok && (news.dark || s.book.lost(news.index, news.count)) {
		s.step(node.CarrierLost{Port: node.Port(state.Name)})
		s.alarm++
		s.examine()
	}
}

// examine hands the examiner what it follows.
func (s *service) examine() {
	look := outlook{
		all: slices.Collect(maps.Values(s.book.byIndex)), used: map[node.Port]bool{},
		sent: maps.Clone(s.sent), heard: maps.Clone(s.lastHeard), alarm: s.alarm,
	}
	for _, name := range s.plan.ports() {
		look.used[name] = true
	}
	s.examiner.looks.put(look)
}

// takeTestimony tells the brain of ports of which something else is known now.
func (s *service) takeTestimony(t testimony) {
	names := s.plan.ports()
	before := s.book.portsRead(names)
	s.book.testimony = t
	e := node.PortsRead{}
	for i, name := range names {
		was, is := before.Ports[i], s.book.portState(name)
		if was.Driver == is.Driver && was.Facts == is.Facts && was.Culprit == is.Culprit {
			continue
		}
		s.tellFacts(name, was.Facts, is.Facts)
		e.Ports = append(e.Ports, is)
	}
	if len(e.Ports) > 0 {
		s.step(e)
	}
	s.followLinks()
}

// tellFacts logs what is known of a port now and was not before.
func (s *service) tellFacts(name node.Port, was, is verdict.Facts) {
	for f := range is.All() {
		switch {
		case was.Has(f):
		case f.Proves() == verdict.ProvesLocal:
			s.log.Warn(fmt.Sprintf("%s: %s", name, f.Text()))
		default:
			s.log.Info(fmt.Sprintf("%s: %s", name, f.Text()))
		}
	}
	for f := range was.All() {
		if !is.Has(f) {
			s.log.Info(fmt.Sprintf("%s: no longer: %s", name, f.Text()))
		}
	}
}

// tellPort logs what became of a port, in keepalived's words where it has any.
func (s *service) tellPort(name node.Port, was, is port.State) {
	usable := func(p port.State) bool { return p.Present && p.AdminUp && p.Carrier != port.CarrierDown }
	switch {
	case was.Present && !is.Present:
		s.log.Warn(fmt.Sprintf("interface %s does not exist: waiting for it to appear", name))
	case !was.Present && is.Present:
		s.log.Info(fmt.Sprintf("interface %s appeared", name))
	case usable(was) && !usable(is):
		s.log.Warn(fmt.Sprintf("Netlink reports %s down", name))
	case !usable(was) && usable(is):
		s.log.Info(fmt.Sprintf("Netlink reports %s up", name))
	}
}

// filtering is what was seen of the filters of this host on one socket.
type filtering struct {
	raw, packets uint64 // the counts when an advert last came through the filters
	drops        bool   // none has come through since, though enough came to the port
}

// checkFilters says when adverts come to a port but not through the filters of
// this host: they are heard all the same, and would not be by a service that
// listens behind the filters.
func (s *service) checkFilters() {
	maps.DeleteFunc(s.filters, func(key socketKey, _ filtering) bool { return s.sockets[key].wire == nil })
	for key, sock := range s.sockets {
		if sock.wire == nil {
			continue
		}
		raw, packets, known := sock.wire.RawHeard(), sock.wire.PacketHeard(), s.filters[key]
		if raw != known.raw || packets < known.packets {
			known.raw, known.packets = raw, packets
		}
		drops := packets-known.packets >= enoughHeard
		if drops && !known.drops {
			s.log.Warn(fmt.Sprintf("a firewall or rp_filter of this host drops the adverts that come to %s: they are heard "+
				"all the same, but let IP protocol 112 in", key.port))
		}
		known.drops = drops
		s.filters[key] = known
	}
}

// filteredPorts are the ports of which checkFilters says so.
func (s *service) filteredPorts() map[node.Port]bool {
	ports := map[node.Port]bool{}
	for key, f := range s.filters {
		if f.drops {
			ports[key.port] = true
		}
	}
	return ports
}

// enoughHeard is how many adverts make a count of none no accident.
const enoughHeard = 5

// The kinds of sockets.
const (
	wireSocket = iota + 1
	probeSocket
	announceSocket
)

// socketKey names one socket by what it is for.
type socketKey struct {
	port   node.Port
	kind   int
	family vrrp.Family // of a wire socket
	group  netip.Addr  // of a wire socket
}

// site is the interface on which a socket is to be open.
type site struct {
	index int
	mac   [6]byte
}

// socket is an open one; the field of its kind is set.
type socket struct {
	wire     wireConn
	probe    probeConn
	announce announceConn
}

func (s socket) close() error {
	switch {
	case s.wire != nil:
		return s.wire.Close()
	case s.probe != nil:
		return s.probe.Close()
	default:
		return s.announce.Close()
	}
}

// socketNews tells the loop that a socket was opened, or is about to be closed
// (a zero socket).
type socketNews struct {
	key    socketKey
	socket socket
	round  bool // everything that was wished for was tried
}

// opener keeps the open sockets in step with what the loop wishes for. It is a
// goroutine of its own because joining a multicast group waits for RTNL.
type opener struct {
	edge    socketEdge
	log     *slog.Logger
	wishes  latest[map[socketKey]site]
	broken  chan socketKey
	news    chan<- socketNews // unbuffered: what was sent has been taken
	receive func(ctx context.Context, key socketKey, s socket)
	open    map[socketKey]openSocket
	failing map[socketKey]string
}

type openSocket struct {
	socket
	site site
}

func (o *opener) run(ctx context.Context) {
	defer o.closeAll()
	wishes := map[socketKey]site{}
	retry := time.NewTimer(retryAfter)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case wishes = <-o.wishes:
		case key := <-o.broken:
			// Not again at once: what broke it may well still be there.
			o.drop(ctx, key)
			retry.Reset(retryAfter)
			continue
		case <-retry.C:
		}
		o.reconcile(ctx, wishes)
		if len(o.open) < len(wishes) {
			retry.Reset(retryAfter)
		}
	}
}

// reconcile closes what is not wished for, or was opened on what is another
// interface by now, and opens what is missing.
func (o *opener) reconcile(ctx context.Context, wishes map[socketKey]site) {
	for key, s := range o.open {
		if wishes[key] != s.site {
			o.drop(ctx, key)
		}
	}
	// In a fixed order, so that a log reads the same each time.
	for _, key := range slices.SortedFunc(maps.Keys(wishes), compareSockets) {
		if _, ok := o.open[key]; ok {
			continue
		}
		s, err := o.openOne(key, wishes[key])
		if err != nil {
			o.complain(key, err)
			continue
		}
		delete(o.failing, key)
		o.open[key] = openSocket{socket: s, site: wishes[key]}
		o.tell(ctx, socketNews{key: key, socket: s})
		o.receive(ctx, key, s)
	}
	o.tell(ctx, socketNews{round: true})
}

func compareSockets(a, b socketKey) int {
	return cmp.Or(cmp.Compare(a.port, b.port), cmp.Compare(a.kind, b.kind),
		cmp.Compare(a.family, b.family), a.group.Compare(b.group))
}

func (o *opener) openOne(key socketKey, at site) (socket, error) {
	name := string(key.port)
	var s socket
	var err error
	switch key.kind {
	case wireSocket:
		s.wire, err = o.edge.Wire(at.index, name, int(key.family), key.group)
	case probeSocket:
		s.probe, err = o.edge.Probe(at.index, name, at.mac)
	default:
		s.announce, err = o.edge.Announce(at.index, name)
	}
	return s, err
}

// complain logs a failure once, not with every try. That an interface is not
// there is reported elsewhere.
func (o *opener) complain(key socketKey, err error) {
	if o.failing[key] == err.Error() || errors.Is(err, fs.ErrNotExist) {
		return
	}
	o.failing[key] = err.Error()
	o.log.Warn(fmt.Sprintf("cannot use interface %s, trying again every %v: %v", key.port, retryAfter, err))
}

// drop tells the loop to let go of a socket before it is closed, so that
// nothing is ever sent on a descriptor that means something else by then.
func (o *opener) drop(ctx context.Context, key socketKey) {
	s, ok := o.open[key]
	if !ok {
		return
	}
	delete(o.open, key)
	o.tell(ctx, socketNews{key: key})
	_ = s.close()
}

func (o *opener) closeAll() {
	for _, s := range o.open {
		_ = s.close()
	}
}

func (o *opener) tell(ctx context.Context, n socketNews) {
	select {
	case o.news <- n:
	case <-ctx.Done():
	}
}

// receiveTries is how many failures in a row make a socket count as broken. An
// interface that is switched off makes one.
const receiveTries = 3

// receive calls once until the socket is closed; once says what it met.
func receive(ctx context.Context, once func() error, broken func()) {
	failures := 0
	for ctx.Err() == nil {
		err := once()
		switch {
		case err == nil:
			failures = 0
		case errors.Is(err, net.ErrClosed), errors.Is(err, fs.ErrClosed):
			return
		default:
			if failures++; failures == receiveTries {
				broken()
				return
			}
		}
	}
}

package service

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"standfast/hw/address"
	"standfast/hw/disk"
	"standfast/hw/port"
	"standfast/hw/probe"
	"standfast/hw/process"
	"standfast/hw/wire"
	"standfast/service/helper"
)

// This file is the world in which the service is tested: hosts with kernels and
// ports on segments, all in memory and in the time of a synctest bubble. A host
// answers ARP for what its kernel holds on the port that was asked, as a real
// one does whether or not anything runs on it.

// segment joins ports. A cable is a segment whose one end loses carrier when the
// other does.
type segment struct {
	cable bool
	cut   bool
	ports []*twinPort
	sent  []wire.Frame // adverts in the order in which they were sent
}

type twinPort struct {
	host     *twinHost
	segment  *segment
	state    port.State
	wires    map[*twinWire]bool
	probes   map[*twinProbe]bool
	announce []claim // sent, in order
	left     uint64  // frames that left it
	stalled  bool    // none do
}

// claim is an announcement: who has the address, and whether it routes.
type claim struct {
	addr   netip.Addr
	mac    [6]byte
	router bool
}

// roundTrip is what a question and its answer take.
const roundTrip = 200 * time.Microsecond

// twinHost is one machine. The world's lock guards everything in it.
type twinHost struct {
	world      *world
	name       string
	dead       bool
	raw        uint64 // 0: a firewall drops adverts
	endpoint   bool   // its ports do not forward
	ports      map[string]*twinPort
	vips       map[object]address.VIP
	order      []object // of vips, as they were added
	permanent  map[object]bool
	routes     map[address.Route]bool
	deeds      []string // what was done to the kernel, in order
	crowded    bool     // another standfast is in the namespace
	stuck      chan struct{}
	slow       time.Duration     // what each deed takes
	during     func(deed string) // called with each deed, under the lock
	refuse     error
	noRoute    error // refuses routes only
	watchers   map[chan port.Change]bool
	gone       map[chan address.Gone]bool
	signals    chan os.Signal
	storage    *twinStorage
	noFence    error
	fenced     []string // reasons for a reset
	files      fstest.MapFS
	log        *lines
	logger     *slog.Logger // in place of log, if set
	posted     []string
	statuses   []string
	counted    int           // readings of carrier counters
	cannotSend error         // refuses adverts
	sending    time.Duration // how long each advert takes its sender
	drivers    *fittings
}

type world struct {
	mu    sync.Mutex
	born  time.Time
	macs  byte
	hosts []*twinHost
}

func newWorld() *world { return &world{born: time.Now()} }

func (w *world) host(name string) *twinHost {
	h := &twinHost{
		world: w, name: name, raw: 1, ports: map[string]*twinPort{}, vips: map[object]address.VIP{},
		permanent: map[object]bool{}, routes: map[address.Route]bool{}, watchers: map[chan port.Change]bool{},
		gone: map[chan address.Gone]bool{}, signals: make(chan os.Signal, 1), files: fstest.MapFS{}, log: &lines{},
		drivers: newFittings(),
		storage: &twinStorage{},
	}
	w.hosts = append(w.hosts, h)
	return h
}

// plug gives the host a port on the segment.
func (h *twinHost) plug(s *segment, name string, addresses ...string) *twinPort {
	w := h.world
	w.macs++
	p := &twinPort{host: h, segment: s, wires: map[*twinWire]bool{}, probes: map[*twinProbe]bool{}}
	p.state = port.State{
		Index: int(w.macs), Name: name, Present: true, AdminUp: true, Carrier: port.CarrierUp,
		DownCountKnown: true, MAC: [6]byte{2, 0, 0, 0, 0, w.macs},
	}
	for _, a := range addresses {
		p.state.Addresses = append(p.state.Addresses, netip.MustParsePrefix(a))
	}
	h.ports[name] = p
	s.ports = append(s.ports, p)
	return p
}

func (h *twinHost) edges() edges {
	now := func() time.Duration { return time.Hour + time.Since(h.world.born) }
	return edges{
		now:    now,
		rights: func() error { return nil },
		launch: func(string) error { return nil },
		alone:  func() bool { return !h.crowded },
		files:  h.files, sockets: h, ports: (*twinPorts)(h), hardware: (*twinHardware)(h), addresses: (*twinAddresses)(h), signals: h.signals,
		storage: h.storage, fence: func() (fencer, error) { return h, h.noFence },
		helpers: func(ctx context.Context, e *helper.LauncherEnd) { <-ctx.Done() },
		machine: h, alarm: func() alarm { return newTimerAlarm(now) },
	}
}

func (h *twinHost) configure(text string) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	h.files["etc/standfast.conf"] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
}

// reload has the configuration read again.
func (h *twinHost) reload(text string) {
	h.configure(text)
	h.signals <- syscall.SIGHUP
}

// up says whether frames pass through the port now.
func (p *twinPort) up() bool {
	return !p.host.dead && p.state.Present && p.state.AdminUp && p.state.Carrier == port.CarrierUp
}

// others are the ports that hear what p sends.
func (p *twinPort) others() []*twinPort {
	var all []*twinPort
	for _, o := range p.segment.ports {
		if o != p && p.up() && o.up() && !p.segment.cut {
			all = append(all, o)
		}
	}
	return all
}

// carrier changes what the kernel says of a link, and reports it.
func (p *twinPort) carrier(c port.Carrier) {
	if p.state.Carrier == c {
		return
	}
	p.state.Carrier = c
	if c == port.CarrierDown {
		p.state.DownCount++
	}
	p.report()
}

func (p *twinPort) report() {
	for c := range p.host.watchers {
		c <- port.Change{States: []port.State{p.state}}
	}
}

// cutCable takes the carrier from both ends.
func (w *world) cutCable(s *segment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.cut = true
	for _, p := range s.ports {
		p.carrier(port.CarrierDown)
	}
}

// powerOff silences the host; the other ends of its cables lose carrier.
func (h *twinHost) powerOff() {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	h.dead = true
	for _, p := range h.ports {
		for _, o := range p.segment.ports {
			if p.segment.cable && o != p {
				o.carrier(port.CarrierDown)
			}
		}
	}
}

// holds are the VIPs in the host's kernel, sorted.
func (h *twinHost) holds() []string {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	var all []string
	for _, v := range h.vips {
		all = append(all, v.Prefix.String())
	}
	slices.Sort(all)
	return all
}

func (h *twinHost) kernelRoutes() int {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	return len(h.routes)
}

// did gives what was done to the kernel since the last call.
func (h *twinHost) did() []string {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	deeds := h.deeds
	h.deeds = nil
	return deeds
}

// claimed gives the addresses announced on the port since the last call.
func (p *twinPort) claimed() []netip.Addr {
	p.host.world.mu.Lock()
	defer p.host.world.mu.Unlock()
	var addrs []netip.Addr
	for _, c := range p.announce {
		addrs = append(addrs, c.addr)
	}
	p.announce = nil
	return addrs
}

// scriptsRun gives the scripts posted since the last call.
func (h *twinHost) scriptsRun() []string {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	posted := h.posted
	h.posted = nil
	return posted
}

// --- sockets

type twinWire struct {
	rejected uint64
	port     *twinPort
	heard    atomic.Uint64
	frames   chan wire.Frame
	closed   chan struct{}
	once     sync.Once
}

func (h *twinHost) find(index int) *twinPort {
	for _, p := range h.ports {
		if p.state.Index == index && p.state.Present {
			return p
		}
	}
	return nil
}

func (h *twinHost) Wire(index int, _ string, _ int, _ netip.Addr) (wireConn, error) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	p := h.find(index)
	if p == nil {
		return nil, syscall.ENODEV
	}
	c := &twinWire{port: p, frames: make(chan wire.Frame, 1024), closed: make(chan struct{})}
	p.wires[c] = true
	return c, nil
}

func (c *twinWire) Send(src, dst netip.Addr, payload []byte) error {
	c.port.host.world.mu.Lock()
	slow := c.port.host.sending
	c.port.host.world.mu.Unlock()
	time.Sleep(slow)
	c.port.host.world.mu.Lock()
	defer c.port.host.world.mu.Unlock()
	if err := c.port.host.cannotSend; err != nil {
		return err
	}
	f := wire.Frame{MAC: c.port.state.MAC, Src: src, Dst: dst, TTL: 255, Payload: bytes.Clone(payload)}
	if c.port.stalled {
		return nil
	}
	c.port.left++
	if !c.port.host.dead {
		c.port.segment.sent = append(c.port.segment.sent, f)
	}
	for _, o := range c.port.others() {
		for w := range o.wires {
			w.frames <- f
		}
	}
	return nil
}

func (c *twinWire) RawHeard() uint64 {
	c.port.host.world.mu.Lock()
	defer c.port.host.world.mu.Unlock()
	return c.heard.Load() * c.port.host.raw
}

func (c *twinWire) Rejected() uint64    { return c.rejected }
func (c *twinWire) PacketHeard() uint64 { return c.heard.Load() }

func (c *twinWire) Receive() (wire.Frame, error) {
	select {
	case f, ok := <-c.frames:
		if !ok {
			return f, syscall.ENETDOWN
		}
		c.heard.Add(1)
		return f, nil
	case <-c.closed:
		return wire.Frame{}, fs.ErrClosed
	}
}

func (c *twinWire) Close() error {
	c.once.Do(func() {
		c.port.host.world.mu.Lock()
		defer c.port.host.world.mu.Unlock()
		delete(c.port.wires, c)
		close(c.closed)
	})
	return nil
}

type twinProbe struct {
	port   *twinPort
	heard  chan probe.Heard
	closed chan struct{}
	once   sync.Once
}

func (h *twinHost) Probe(index int, _ string, _ [6]byte) (probeConn, error) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	p := h.find(index)
	if p == nil {
		return nil, syscall.ENODEV
	}
	c := &twinProbe{port: p, heard: make(chan probe.Heard, 1024), closed: make(chan struct{})}
	p.probes[c] = true
	return c, nil
}

func (p *twinPort) hear(h probe.Heard) {
	for c := range p.probes {
		c.heard <- h
	}
}

// owns says whether the host answers for the address on this port.
func (p *twinPort) owns(a netip.Addr) bool {
	for o := range p.host.vips {
		if o.index == p.state.Index && o.prefix.Addr() == a {
			return true
		}
	}
	return slices.ContainsFunc(p.state.Addresses, func(x netip.Prefix) bool { return x.Addr() == a })
}

func (c *twinProbe) Ask(q probe.Question) error {
	c.port.host.world.mu.Lock()
	defer c.port.host.world.mu.Unlock()
	if c.port.stalled {
		return nil
	}
	c.port.left++
	for _, o := range c.port.others() {
		if q.To != [6]byte{} && q.To != o.state.MAC {
			continue
		}
		o.hear(probe.Heard{Op: probe.Request, Sender: q.Sender, MAC: c.port.state.MAC, Target: q.Target, ToUs: q.To == o.state.MAC})
		if o.owns(q.Target) {
			c.port.hear(probe.Heard{Op: probe.Reply, Sender: q.Target, MAC: o.state.MAC, Target: q.Sender, ToUs: true})
		}
	}
	return nil
}

func (c *twinProbe) Receive() (probe.Heard, error) {
	select {
	case h := <-c.heard:
		time.Sleep(roundTrip) // an answer that takes no time at all is none that was measured
		return h, nil
	case <-c.closed:
		return probe.Heard{}, fs.ErrClosed
	}
}

func (c *twinProbe) Close() error {
	c.once.Do(func() {
		c.port.host.world.mu.Lock()
		defer c.port.host.world.mu.Unlock()
		delete(c.port.probes, c)
		close(c.closed)
	})
	return nil
}

type twinAnnounce struct{ port *twinPort }

func (h *twinHost) Announce(index int, _ string) (announceConn, error) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	p := h.find(index)
	if p == nil {
		return nil, syscall.ENODEV
	}
	return twinAnnounce{p}, nil
}

func (c twinAnnounce) Announce(a netip.Addr, mac [6]byte, router bool) error {
	c.port.host.world.mu.Lock()
	defer c.port.host.world.mu.Unlock()
	c.port.announce = append(c.port.announce, claim{addr: a, mac: mac, router: router})
	for _, o := range c.port.others() {
		o.hear(probe.Heard{Op: probe.Gratuitous, Sender: a, MAC: mac, Target: a})
	}
	return nil
}

func (twinAnnounce) Close() error { return nil }

// --- ports

type twinPorts twinHost

func (h *twinPorts) Snapshot() ([]port.State, error) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	var all []port.State
	for _, p := range h.ports {
		if p.state.Present {
			s := p.state
			s.Addresses = slices.Clone(s.Addresses)
			all = append(all, s)
		}
	}
	return all, nil
}

type twinWatcher[T any] struct {
	changes chan T
	closed  chan struct{}
	close   func()
}

func (w *twinWatcher[T]) Receive() (T, error) {
	select {
	case c, ok := <-w.changes:
		if !ok {
			return c, syscall.ENOBUFS
		}
		return c, nil
	case <-w.closed:
		var zero T
		return zero, fs.ErrClosed
	}
}

func (w *twinWatcher[T]) Close() error { w.close(); return nil }

func subscribe[T any](w *world, to map[chan T]bool) *twinWatcher[T] {
	w.mu.Lock()
	defer w.mu.Unlock()
	watcher := &twinWatcher[T]{changes: make(chan T, 1024), closed: make(chan struct{})}
	to[watcher.changes] = true
	watcher.close = sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(to, watcher.changes)
		close(watcher.closed)
	})
	return watcher
}

// Watch reports everything first, as the kernel edge does.
func (h *twinPorts) Watch() (portWatcher, error) {
	w := subscribe(h.world, h.watchers)
	states, _ := h.Snapshot()
	w.changes <- port.Change{Resync: true, States: states}
	return w, nil
}

type twinCounter struct {
	host  *twinPorts
	index int
}

func (h *twinPorts) Counter(name string) (carrierCounter, error) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	return twinCounter{host: h, index: h.ports[name].state.Index}, nil
}

func (c twinCounter) Read() (uint32, error) {
	c.host.world.mu.Lock()
	defer c.host.world.mu.Unlock()
	c.host.counted++
	p := (*twinHost)(c.host).find(c.index)
	if p == nil {
		return 0, syscall.ENODEV
	}
	return p.state.DownCount, nil
}

func (twinCounter) Close() error { return nil }

func (h *twinPorts) Neighbours(int) ([]port.Neighbour, error) { return nil, nil }
func (h *twinPorts) Gateways(int) ([]netip.Addr, error)       { return nil, nil }
func (h *twinPorts) Forwarding(string) bool                   { return !h.endpoint }

// --- addresses

type twinAddresses twinHost

func (h *twinAddresses) Open() (kernel, error) { return (*twinKernel)(h), nil }

func (h *twinAddresses) Watch() (addressWatcher, error) { return subscribe(h.world, h.gone), nil }

type twinKernel twinHost

// enter waits for as long as the kernel is stuck, then notes the deed.
func (k *twinKernel) enter(deed string) (leave func(), err error) {
	k.world.mu.Lock()
	stuck, slow := k.stuck, k.slow
	k.world.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	time.Sleep(slow)
	k.world.mu.Lock()
	k.deeds = append(k.deeds, deed)
	if k.during != nil {
		k.during(deed)
	}
	return k.world.mu.Unlock, k.refuse
}

func (k *twinKernel) SetVIP(v address.VIP, lease time.Duration) error {
	o := object{index: v.Index, prefix: v.Prefix}
	k.world.mu.Lock()
	_, there := k.vips[o]
	k.world.mu.Unlock()
	deed := fmt.Sprintf("renew %v %v", v.Prefix, lease)
	if !there {
		deed = fmt.Sprintf("add %v %v", v.Prefix, lease)
	}
	leave, err := k.enter(deed)
	defer leave()
	if err == nil {
		k.vips[o] = v
		if !slices.Contains(k.order, o) {
			k.order = append(k.order, o)
		}
	}
	return err
}

func (k *twinKernel) DropVIP(v address.VIP) error {
	leave, err := k.enter(fmt.Sprintf("drop %v", v.Prefix))
	defer leave()
	if err == nil {
		(*twinHost)(k).remove(object{index: v.Index, prefix: v.Prefix})
	}
	return err
}

// remove takes a VIP out of the kernel, and reports it as the kernel does.
func (h *twinHost) remove(o object) {
	v, ok := h.vips[o]
	if !ok {
		return
	}
	at := slices.Index(h.order, o)
	later := slices.Clone(h.order[at+1:])
	primary := !slices.ContainsFunc(h.order[:at], func(x object) bool { return siblings(x, o) })
	h.order = slices.Delete(h.order, at, at+1)
	delete(h.vips, o)
	for c := range h.gone {
		c <- address.Gone{VIPs: []address.VIP{v}}
	}
	for _, x := range later {
		if primary && siblings(x, o) {
			h.remove(x)
		}
	}
}

// siblings are addresses of one subnet: the kernel drops those that came later
// with the first.
func siblings(a, b object) bool {
	return a.index == b.index && a.prefix.Masked() == b.prefix.Masked()
}

func (k *twinKernel) SetRoute(r address.Route) error {
	leave, err := k.enter(fmt.Sprintf("route %v", r.Dst))
	defer leave()
	if err = cmp.Or(err, k.noRoute); err == nil {
		k.routes[r] = true
	}
	return err
}

func (k *twinKernel) DropRoute(r address.Route) error {
	leave, err := k.enter(fmt.Sprintf("unroute %v", r.Dst))
	defer leave()
	if err == nil {
		delete(k.routes, r)
	}
	return err
}

func (k *twinKernel) Owned() ([]address.VIP, []address.Route, error) {
	k.world.mu.Lock()
	defer k.world.mu.Unlock()
	return slices.Collect(maps.Values(k.vips)), slices.Collect(maps.Keys(k.routes)), nil
}

func (k *twinKernel) Held(v address.VIP) (address.Holding, error) {
	k.world.mu.Lock()
	defer k.world.mu.Unlock()
	o := object{index: v.Index, prefix: v.Prefix}
	switch _, there := k.vips[o]; {
	case k.permanent[o]:
		return address.Permanent, nil
	case there:
		return address.Ours, nil
	}
	return address.Absent, nil
}

func (*twinKernel) Close() error { return nil }

// --- storage

// twinStorage is the storage under a host, and its disk helper.
type twinStorage struct {
	mu      sync.Mutex
	volumes []disk.Volume
	skipped []disk.Skipped
	signals disk.Signals
	ordered []helper.DiskOrder // each that was new
	words   chan helper.DiskWord
	helper  chan struct{} // closed when it goes
}

// volumes puts the router on one disk, whose helper is there.
func (s *twinStorage) plug(v disk.Volume) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.volumes, s.words, s.helper = append(s.volumes, v), make(chan helper.DiskWord), make(chan struct{})
}

func (s *twinStorage) Find(paths []string) (found []disk.Volume, skipped []disk.Skipped, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.volumes {
		all := v.Paths
		v.Paths = nil
		for _, p := range paths {
			if slices.Contains(all, p) {
				v.Paths = append(v.Paths, p)
			}
		}
		if len(v.Paths) > 0 {
			found = append(found, v)
		}
	}
	return found, s.skipped, nil
}

func (s *twinStorage) Sensor(disk.Volume) (diskSensor, error) { return s, nil }
func (s *twinStorage) Close()                                 {}
func (s *twinStorage) Read() disk.Signals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signals
}

func (s *twinStorage) Converse(ctx context.Context, ordered func() helper.DiskOrder, heard func(helper.DiskWord)) {
	s.mu.Lock()
	words, gone := s.words, s.helper
	s.mu.Unlock()
	select {
	case <-gone:
		return
	default:
		heard(helper.DiskWord{Ready: true})
	}
	for {
		s.mu.Lock()
		if o := ordered(); len(s.ordered) == 0 || !reflect.DeepEqual(s.ordered[len(s.ordered)-1], o) {
			s.ordered = append(s.ordered, o)
		}
		s.mu.Unlock()
		select {
		case w := <-words:
			heard(w)
		case <-gone:
			return
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return
		}
	}
}

func (h *twinHost) Fire(reason string) error {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	h.fenced = append(h.fenced, reason)
	return nil
}

// --- people

// lines collects what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (h *twinHost) Report() helper.ScriptReport { return helper.ScriptReport{} }

func (h *twinHost) Post(queue string, argv []string) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	h.posted = append(h.posted, queue+": "+strings.Join(argv, " "))
}

// Nobody keeps a twin from taking lines and scripts.
func (h *twinHost) Dropped() uint64 { return 0 }
func (h *twinHost) Drops() uint64   { return 0 }

func (h *twinHost) Ready(status string)     { h.Status("READY " + status) }
func (h *twinHost) Reloading()              { h.Status("RELOADING") }
func (h *twinHost) Stopping()               { h.Status("STOPPING") }
func (h *twinHost) Attend(*vitals)          {}
func (h *twinHost) Interval() time.Duration { return 0 }
func (h *twinHost) Status(status string) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	h.statuses = append(h.statuses, status)
}

// run starts the service on the host; what comes back waits for its end.
func (h *twinHost) run(t *testing.T) (s *service, ended func() error) {
	t.Helper()
	p, complaints, err := load(h.files, "/etc/standfast.conf")
	if err != nil {
		t.Fatalf("%s: %v", h.name, err)
	}
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.String("at", time.Since(h.world.born).String())
			}
			return a
		},
	}))
	if h.logger != nil {
		log = h.logger
	}
	s = newService(Options{File: "/etc/standfast.conf"}, h.edges(), outlets{log: log, supervisor: h, scripts: h, lines: h}, p)
	s.complain(complaints)
	done := make(chan error, 1)
	go func() { done <- s.serve(t.Context()) }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of %s:\n%v", h.name, h.log)
		}
	})
	return s, func() error {
		select {
		case err := <-done:
			return err
		case <-time.After(10 * time.Second):
			return errors.New("the service did not end")
		}
	}
}

// terminate has the supervisor end the service, which it does without an error.
func (h *twinHost) terminate(t *testing.T, ended func() error) {
	t.Helper()
	h.signals <- syscall.SIGTERM
	if err := ended(); err != nil {
		t.Error(err)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A twin has all of its machine that it asks for.
func (h *twinHost) Lock() (process.Locked, error)        { return process.LockedAll, nil }
func (h *twinHost) Scheduled() (process.Schedule, error) { return process.Schedule{}, nil }
func (h *twinHost) Schedule(process.Schedule) error      { return nil }
func (h *twinHost) Memory() (process.Memory, error)      { return process.Memory{}, nil }
func (h *twinHost) Watchdog(string) (watchdogDevice, error) {
	return nil, fs.ErrNotExist
}

package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"standfast/hw/address"
	"standfast/hw/port"
	"standfast/hw/process"
	"standfast/service/helper"
	"standfast/vrrp"
	"standfast/vrrp/node"
)

// Options say how the service is to run.
type Options struct {
	// File is the configuration file.
	File string
	// RuntimeDir is where the lock and the sockets are, normally
	// /run/standfast; it is made if it is not there.
	RuntimeDir string
	// Level is the least severe log level that is written.
	Level slog.Level
	// Version is what the program calls itself.
	Version string
}

// ErrRunning says that another instance of the service has the runtime
// directory.
var ErrRunning = errors.New("another standfast is running")

// Snapshot is what the loop tells whoever asks: a copy, and nothing that the
// loop goes on to change.
type Snapshot struct {
	Wall        time.Time    // when it was taken
	Now         vrrp.Instant // the same moment on the clock of Status
	Started     time.Time
	Version     string
	File        string
	PID         int
	Status      node.Status
	Hardware    map[node.Port]Hardware
	Body        Body
	Memory      process.Memory     // of this process
	Collections uint64             // of garbage since the start
	Lateness    lateness           // of adverts, against their beats
	Filtered    map[node.Port]bool // ports whose adverts do not get through the filters of this host
	History     []Moment           // the last transitions, oldest first
	Counts      Counts

	Storage      storageReport
	Policy       node.StoragePolicy
	FenceTrouble string // why the host could not be reset
	Launcher     helper.LauncherReport
	Scripts      helper.ScriptReport
}

// Counts are what was lost or failed since the start.
type Counts struct {
	FramesDropped        uint64 // adverts that found the queue to the loop full
	HeardDropped         uint64 // ARP and ND messages likewise
	FramesBroken         uint64 // adverts in a packet with a broken IP header
	AnnouncementsDropped uint64 // frames that found the announcer busy
	SendErrors           uint64 // adverts that could not be sent
	AskErrors            uint64
	AnnounceErrors       uint64
	LinesDropped         uint64 // log lines that nobody took
	ScriptsDropped       uint64 // notify scripts that no helper took
}

// Run runs the service until the context ends or SIGTERM or SIGINT arrives, and
// returns nil after an orderly stop. A configuration that cannot be run is a
// *ConfigError, a second instance ErrRunning, a missing right fs.ErrPermission.
func Run(ctx context.Context, o Options) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	return run(ctx, o, hostEdges(signals, o.RuntimeDir))
}

func run(ctx context.Context, o Options, e edges) error {
	p, complaints, err := load(e.files, o.File)
	if err != nil {
		return err
	}
	if err := e.rights(); err != nil {
		return err
	}
	unlock, err := lock(o.RuntimeDir)
	if err != nil {
		return err
	}
	defer unlock()
	unlaunched := e.launch(o.RuntimeDir)
	out, end := openOutlets(o, os.Stderr)
	defer end()
	out.log.Info(fmt.Sprintf("Starting standfast %s with %s", o.Version, o.File))
	if unlaunched != nil {
		// Better to serve without helpers than not to serve.
		out.log.Error("notify scripts may not run, and disks may not be tried: " + unlaunched.Error())
	}
	control, err := openControl(o.RuntimeDir, e.files)
	if err != nil {
		return err
	}
	defer control.Close()
	s := newService(o, e, out, p)
	s.control = control
	s.complain(complaints)
	return s.serve(ctx)
}

// lock makes sure that this is the only instance in the runtime directory. The
// lock goes with the process, however it ends.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("the runtime directory cannot be made, name another with --runtime-dir: %w", err)
	}
	name := filepath.Join(dir, "lock")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the runtime directory cannot be used, name another with --runtime-dir: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w in %s: stop it, or name another runtime directory with --runtime-dir", ErrRunning, dir)
		}
		return nil, fmt.Errorf("cannot lock %s: %w", name, err)
	}
	return func() { _ = f.Close() }, nil
}

func newService(o Options, e edges, out outlets, p plan) *service {
	now := e.now()
	v := &vitals{now: e.now}
	return &service{
		vitals: v, body: newBody(e.machine, out.log, v), mutes: map[node.Key]muteness{},
		options: o, edges: e, out: out, log: out.log,
		brain: node.New(vrrp.Instant(now), p.node), plan: p, book: newBook(),
		sockets: map[socketKey]socket{}, held: map[node.Key]tenure{},
		requests: map[node.Key]request{}, newest: map[node.Key]uint64{}, silent: map[socketKey]string{}, filters: map[socketKey]filtering{},
		frames: make(chan stamped, frameQueue), heard: make(chan stamped, heardQueue),
		answers: make(chan answer), ports: make(chan portNews), carrier: make(chan carrierNews),
		surveys: make(chan survey), testified: make(chan testimony), opened: make(chan socketNews), gone: make(chan address.Gone),
		loaded: make(chan loaded, 1), queries: make(chan chan<- Snapshot), reloads: make(chan chan<- error), signals: e.signals,
		mutations: newMailbox(), leases: newMailbox(), jobs: make(chan []announcement, 64),
		read: newLatest[struct{}](), wanted: newLatest[map[socketKey]site](),
		hurry: newLatest[struct{}](), polled: newLatest[polling](), links: newLatest[[]int](), surveyed: newLatest[map[node.Port]int](),
		verify: newLatest[[]suspect](), verified: make(chan verified),
		examiner: newExaminer(e.hardware, e.now, out.log),
		sent:     map[node.Port]uint64{}, lastHeard: map[node.Port]time.Duration{},
		storage: newStorage(e, out.log), launcher: helper.NewLauncherEnd(e.now, func(line string) { out.log.Warn(line) }),
		started: time.Now(),
	}
}

// serve opens what has to be open from the first moment, cleans up after a
// previous run, and runs the loop.
func (s *service) serve(ctx context.Context) error {
	k, err := s.openKernels()
	if err != nil {
		return err
	}
	w, err := s.openWatchers()
	if err != nil {
		return errors.Join(err, k.close())
	}
	theirs, err := s.prepare(k.mutation)
	if err != nil {
		return errors.Join(err, k.close(), w.ports.Close(), w.addresses.Close())
	}
	s.setArmed(arm(s.plan, s.armed, s.edges.fence))
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer s.wait()
	defer cancel()
	s.body.settle(s.plan.process)
	s.start(working, w, k, theirs)
	s.body.wishes.put(s.plan.process)
	s.follow()
	s.surveyed.put(s.present())
	s.examine()
	s.lastSurvey, s.lastRemind = s.edges.now(), s.edges.now()
	s.storage.wanted.put(s.plan.watch)
	s.settleSockets()
	s.step(s.book.portsRead(s.plan.ports()))
	s.out.supervisor.Ready(s.summary())
	s.out.supervisor.Attend(s.vitals)
	return s.loop(ctx)
}

// kernels are the netlink sockets of those who change and ask: one each, so
// that none waits behind another.
type kernels struct{ mutation, lease, verification kernel }

func (s *service) openKernels() (k kernels, err error) {
	for _, to := range []*kernel{&k.mutation, &k.lease, &k.verification} {
		if *to, err = s.edges.addresses.Open(); err != nil {
			return kernels{}, errors.Join(err, k.close())
		}
	}
	return k, nil
}

func (k kernels) close() error {
	var errs []error
	for _, one := range []kernel{k.mutation, k.lease, k.verification} {
		if one != nil {
			errs = append(errs, one.Close())
		}
	}
	return errors.Join(errs...)
}

func (s *service) openWatchers() (w watchers, err error) {
	if w.ports, err = s.edges.ports.Watch(); err != nil {
		return watchers{}, err
	}
	if w.addresses, err = s.edges.addresses.Watch(); err != nil {
		return watchers{}, errors.Join(err, w.ports.Close())
	}
	return w, nil
}

// prepare reads the interfaces and removes what a previous run left behind.
func (s *service) prepare(k kernel) (foreign, error) {
	states, err := s.edges.ports.Snapshot()
	if err != nil {
		return nil, err
	}
	s.book.apply(port.Change{Resync: true, States: states})
	for _, name := range s.plan.ports() {
		s.checkLosses(name) // the first count is where counting begins
		if !s.book.find(name).Present {
			s.tellPort(name, port.State{Present: true}, port.State{})
		}
	}
	var configured []address.VIP
	for _, t := range s.plan.tables {
		configured = append(configured, s.book.vips(t)...)
	}
	alone := s.edges.alone()
	if !alone {
		s.log.Warn("another standfast runs in this network namespace: leftovers of a previous run stay, since they may be its own")
	}
	removed, theirs, err := removeLeftovers(k, configured, alone)
	if removed > 0 {
		s.log.Warn(fmt.Sprintf("removed %d addresses and routes that a previous run left behind", removed))
	}
	for _, v := range configured {
		if theirs[identify(v)] {
			s.log.Warn(fmt.Sprintf("%v is configured on its interface for good: it answers whoever is MASTER, unless this router owns it", v.Prefix))
		}
	}
	return theirs, err
}

// settleSockets waits until everything was tried to be opened once, so that the
// first questions and adverts find their sockets.
func (s *service) settleSockets() {
	patience := time.NewTimer(retryAfter)
	defer patience.Stop()
	for {
		select {
		case news := <-s.opened:
			s.takeSocket(news)
			if news.round {
				return
			}
		case <-patience.C:
			return
		}
	}
}

// wait gives the goroutines a moment to end. One that is stuck in the kernel is
// left to the end of the process.
func (s *service) wait() {
	ended := make(chan struct{})
	go func() {
		s.workers.Wait()
		close(ended)
	}()
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
	}
}

// follow has sockets, pollers and surveys follow the configuration and the
// interfaces.
func (s *service) follow() {
	virtual := s.plan.virtual()
	s.virtual.Store(&virtual)
	s.wanted.put(s.wantedSockets())
	s.followCarriers()
}

// followCarriers has the carrier counters of heartbeat ports read.
func (s *service) followCarriers() {
	p := polling{ports: map[string]int{}, every: backupPoll}
	for _, name := range s.plan.heartbeats() {
		if state := s.book.find(name); state.Present {
			p.ports[string(name)] = state.Index
		}
	}
	if len(s.held) == len(s.plan.node.Instances) {
		p.every = masterPoll
	}
	s.polled.put(p)
	s.followLinks()
}

// wantedSockets are: for adverts one on each heartbeat port, family and group,
// for questions one on every port, for announcements one where a VIP lives.
func (s *service) wantedSockets() map[socketKey]site {
	wanted := map[socketKey]site{}
	want := func(key socketKey) {
		state := s.book.find(key.port)
		if !state.Present {
			return
		}
		at := site{index: state.Index}
		if key.kind == probeSocket {
			at.mac = state.MAC
		}
		wanted[key] = at
	}
	for _, i := range s.plan.node.Instances {
		want(socketKey{port: i.Port, kind: wireSocket, family: i.VRRP.Family, group: advertGroup(i)})
		for _, v := range i.VIPs {
			want(socketKey{port: v.Port, kind: announceSocket})
		}
	}
	for _, name := range s.plan.ports() {
		want(socketKey{port: name, kind: probeSocket})
	}
	return wanted
}

// present are the ports of the configuration that are there, by index.
func (s *service) present() map[node.Port]int {
	there := map[node.Port]int{}
	for _, name := range s.plan.ports() {
		if state := s.book.find(name); state.Present {
			there[name] = state.Index
		}
	}
	return there
}

// absent are those that are not.
func (s *service) absent() []string {
	var missing []string
	for _, name := range s.plan.ports() {
		if !s.book.find(name).Present {
			missing = append(missing, string(name))
		}
	}
	return missing
}

// remind repeats what must not be forgotten.
func (s *service) remind() {
	if missing := s.absent(); len(missing) > 0 {
		s.log.Warn("still waiting for interfaces that do not exist: " + strings.Join(missing, ", "))
	}
}

// look has the loop say where it stands; control and status use it. What takes long
// to read is read by the caller.
func (s *service) look(ctx context.Context) (Snapshot, error) {
	reply := make(chan Snapshot, 1)
	select {
	case s.queries <- reply:
		told := <-reply
		var err error
		if told.Memory, err = s.edges.machine.Memory(); err != nil {
			s.log.Debug(err.Error())
		}
		told.Collections = collections()
		return told, nil
	case <-ctx.Done():
		return Snapshot{}, ctx.Err()
	}
}

func (s *service) snapshot() Snapshot {
	return Snapshot{
		Body: *s.body.state.Load(), Lateness: s.late,
		Wall: time.Now(), Now: vrrp.Instant(s.edges.now()), Started: s.started,
		Version: s.options.Version, File: s.options.File, PID: os.Getpid(), Filtered: s.filteredPorts(),
		Storage: *s.storage.report.Load(), Policy: s.plan.node.Storage, FenceTrouble: sentence(s.armed.err),
		Launcher: s.launcher.Report(), Scripts: s.out.scripts.Report(),
		Status: s.brain.Status(), Hardware: s.book.testimony.hardware(), History: append([]Moment(nil), s.history...),
		Counts: Counts{
			FramesBroken:  s.broken(),
			FramesDropped: s.counters.framesDropped.Load(), HeardDropped: s.counters.heardDropped.Load(),
			AnnouncementsDropped: s.counters.announcementsDropped.Load(), SendErrors: s.counters.sendErrors.Load(),
			AskErrors: s.counters.askErrors.Load(), AnnounceErrors: s.counters.announceErrors.Load(),
			LinesDropped: s.out.lines.Dropped(), ScriptsDropped: s.out.scripts.Drops(),
		},
	}
}

// broken counts over all sockets, those that were closed included.
func (s *service) broken() uint64 {
	total := s.counters.framesBroken
	for _, one := range s.sockets {
		if one.wire != nil {
			total += one.wire.Rejected()
		}
	}
	return total
}

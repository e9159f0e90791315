package service

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"standfast/hw/address"
	"standfast/hw/port"
	"standfast/service/helper"
	"standfast/vrrp"
	"standfast/vrrp/node"
)

// Sizes of what waits for the loop. Adverts come a few a second and instance;
// a segment on which more than this waits is being flooded, and what does not
// fit is dropped and counted.
const (
	frameQueue = 1024
	heardQueue = 1024
	// heardAtOnce bounds what is handed over before a deadline is announced, so
	// that a storm on a segment cannot hold up an advert.
	heardAtOnce = 64
)

// The loop's own rhythm: it proves that it goes round, repeats what must not be
// forgotten, and has ports surveyed again.
const (
	pulse        = time.Second
	surveyEvery  = 15 * time.Second
	remindEvery  = time.Minute
	stopPatience = 3 * time.Second
	// graceAfterStall lets receivers that slept with the loop hand over what
	// arrived meanwhile, before a silence is announced that may be none.
	graceAfterStall = 2 * time.Millisecond
	stalled         = 10 * time.Millisecond
)

// stamped is an event with the moment at which it came off the wire, so that
// one that waited in a queue still counts for the moment it was heard.
type stamped struct {
	at    time.Duration
	event node.Event
}

// portNews is what the port goroutines tell: a change, or a reading asked for.
type portNews struct {
	change  port.Change
	reading bool
	err     error
}

// carrierNews is a carrier-loss counter that moved, or a link that is gone before the kernel counts it.
type carrierNews struct {
	index int
	count uint32
	dark  bool
}

// service is everything the loop owns. Its fields are touched by the loop's
// goroutine only, apart from the channels and the counters.
type service struct {
	options Options
	edges   edges
	out     outlets
	log     *slog.Logger

	brain    *node.Node
	plan     plan
	book     *book
	sockets  map[socketKey]socket
	held     map[node.Key]tenure  // instances that are meant to be in the kernel
	requests map[node.Key]request // mutations under way
	newest   map[node.Key]uint64  // the serial of the last mutation, answered or not
	serial   uint64
	history  []Moment
	filters  map[socketKey]filtering
	suspects []suspect            // VIPs that were reported gone and are being looked for
	silent   map[socketKey]string // the last complaint of a socket that cannot send

	frames    chan stamped
	heard     chan stamped
	answers   chan answer
	ports     chan portNews
	carrier   chan carrierNews
	surveys   chan survey
	testified chan testimony
	opened    chan socketNews
	gone      chan address.Gone
	verified  chan verified
	loaded    chan loaded
	queries   chan chan<- Snapshot
	reloads   chan chan<- error
	signals   <-chan os.Signal
	control   net.Listener // nil: nobody is answered

	storage  *storage
	launcher *helper.LauncherEnd
	armed    armed // resets the host

	mutations *mailbox
	leases    *mailbox
	jobs      chan []announcement
	read      latest[struct{}]
	wanted    latest[map[socketKey]site]
	polled    latest[polling]
	links     latest[[]int] // by index
	hurry     latest[struct{}]
	surveyed  latest[map[node.Port]int]
	verify    latest[[]suspect]
	examiner  *examiner

	alarm     uint64                      // moves when the ports are to be examined at once
	sent      map[node.Port]uint64        // adverts and questions handed to ports
	lastHeard map[node.Port]time.Duration // when an advert last came

	virtual  atomic.Pointer[map[netip.Addr]bool] // every VIP, for receivers
	counters counters

	started    time.Time
	stopping   bool
	stopBy     time.Duration
	loading    bool
	loadAgain  bool
	awaiting   []chan<- error // those who wait for a reload; each takes one word without a wait
	told       vrrp.Instant   // the last deadline that was announced
	lastSurvey time.Duration
	lastRemind time.Duration
	set        time.Duration // the moment for which the alarm is set; 0: it rang
	late       lateness
	mutes      map[node.Key]muteness // instances whose adverts do not leave
	vitals     *vitals
	body       *body

	workers sync.WaitGroup
}

// counters count what was lost on the way.
type counters struct {
	framesBroken uint64 // by sockets that are closed; the loop's own

	framesDropped, heardDropped, announcementsDropped atomic.Uint64
	sendErrors, askErrors, announceErrors             atomic.Uint64
}

// loop runs until the service has stopped. It returns nil after an orderly stop.
func (s *service) loop(ctx context.Context) error {
	deadline := s.edges.alarm()
	defer deadline.stop()
	beat := time.NewTicker(s.pulse())
	defer beat.Stop()
	done := ctx.Done()
	for !s.finished() {
		s.vitals.progress()
		s.arm(deadline)
		select {
		case f := <-s.frames:
			s.stepAt(f.at, f.event)
		case <-done:
			done = nil
			s.stop()
		case <-deadline.rings():
			s.expire()
		case <-beat.C:
			s.beat()
		case news := <-s.ports:
			s.takePorts(news)
		case news := <-s.carrier:
			s.takeCarrier(news)
		case h := <-s.heard:
			s.drainFrames()
			s.stepAt(h.at, h.event)
		case a := <-s.answers:
			s.takeAnswer(a)
		case v := <-s.surveys:
			s.takeSurvey(v)
		case t := <-s.testified:
			s.takeTestimony(t)
		case news := <-s.opened:
			s.takeSocket(news)
		case g := <-s.gone:
			s.takeGone(g)
		case v := <-s.verified:
			s.takeVerified(v)
		case r := <-s.storage.news:
			s.step(r)
		case l := <-s.loaded:
			s.takeLoaded(l)
		case reply := <-s.queries:
			reply <- s.snapshot()
		case reply := <-s.reloads:
			s.takeReload(reply)
		case signal := <-s.signals:
			s.takeSignal(signal)
		}
	}
	return nil
}

// step tells the brain of an event that happens now, and does what it says.
// Whatever the brain is told makes it look at the clock, so adverts that wait
// come first: one in a queue is no silence.
func (s *service) step(e node.Event) {
	s.drainFrames()
	s.stepAt(s.edges.now(), e)
}

func (s *service) stepAt(at time.Duration, e node.Event) {
	if f, ok := e.(node.Frame); ok {
		s.lastHeard[f.Port] = at
	}
	for _, a := range s.brain.Step(vrrp.Instant(at), e) {
		s.perform(a)
	}
}

// pulse is how often the loop goes round at least, so that a watchdog sees it.
func (s *service) pulse() time.Duration {
	if often := s.out.supervisor.Interval() / 6; often > 0 {
		return min(pulse, often)
	}
	return pulse
}

// arm sets the alarm to the brain's deadline. A deadline in the past rings at
// once, but not before a select had the chance to find a frame as well.
func (s *service) arm(a alarm) {
	at, ok := s.brain.Deadline()
	if !ok || s.set == time.Duration(at) {
		return
	}
	s.set = time.Duration(at)
	if s.told == at {
		a.set(s.edges.now() + time.Millisecond) // it was told and wants it again: do not spin
		return
	}
	a.set(s.set)
}

// expire announces that the brain's deadline has come, but first hands over
// everything that was heard before it: an advert in a queue is no silence.
func (s *service) expire() {
	at, ok := s.brain.Deadline()
	late := s.edges.now() - time.Duration(at)
	if ok && late < 0 {
		return // it rang for a moment that was replaced
	}
	s.set = 0
	if ok && late > stalled && s.told != at {
		s.hearOut()
	}
	s.drainFrames()
	for range min(len(s.heard), heardAtOnce) {
		h := <-s.heard
		s.stepAt(h.at, h.event)
	}
	if ok {
		s.told = at
	}
	s.step(node.Expired{})
}

// hearOut takes frames for as long as the grace lasts.
func (s *service) hearOut() {
	grace := time.NewTimer(graceAfterStall)
	defer grace.Stop()
	for {
		select {
		case f := <-s.frames:
			s.stepAt(f.at, f.event)
		case <-grace.C:
			return
		}
	}
}

// drainFrames hands over the adverts that are waiting.
func (s *service) drainFrames() {
	for range len(s.frames) {
		f := <-s.frames
		s.stepAt(f.at, f.event)
	}
}

// takeAnswer hands the brain the answers that it waits for, and announces what
// was put into the kernel without its asking.
func (s *service) takeAnswer(a answer) {
	asked := s.requests[a.key]
	if a.serial != 0 && a.serial != asked.serial {
		return
	}
	switch {
	case a.serial == 0:
	case a.failed:
		asked.failed = true
		s.requests[a.key] = asked
	default:
		delete(s.requests, a.key)
	}
	if a.event != nil {
		s.step(a.event)
	}
	if _, held := s.held[a.key]; !held || a.failed {
		return
	}
	if a.announce != nil {
		s.announce(a.key, s.repeat(a.key), a.announce)
	}
	if asked.recheck && s.requests[a.key].serial == 0 {
		s.amend(a.key, false, noVIP)
	}
}

func (s *service) takeSurvey(v survey) {
	s.book.routers[v.port] = v.router
	s.step(v.event())
}

func (s *service) takeSocket(news socketNews) {
	switch {
	case news.round:
	case news.socket == socket{}:
		s.forget(news.key)
	default:
		s.forget(news.key)
		s.sockets[news.key] = news.socket
		s.catchUp(news.key)
	}
}

// forget drops a socket, but not what it counted.
func (s *service) forget(key socketKey) {
	if conn := s.sockets[key].wire; conn != nil {
		s.counters.framesBroken += conn.Rejected()
	}
	delete(s.sockets, key)
}

// catchUp announces what is served on a port that could not be announced there
// before: addresses may be in the kernel sooner than a socket is open.
func (s *service) catchUp(opened socketKey) {
	if opened.kind != announceSocket {
		return
	}
	for key := range s.held {
		if !s.busy(key) {
			s.announce(key, s.repeat(key), func(v vipLine) bool { return v.port == opened.port })
		}
	}
}

// takeGone tells the brain when something left the kernel that should be there,
// and has VIPs looked for that are reported to have left.
func (s *service) takeGone(g address.Gone) {
	if g.Resync { // reports were lost: nobody knows what is gone, so set everything
		for key := range s.held {
			s.amend(key, false, noVIP)
		}
		return
	}
	serving := maps.Clone(s.plan.tables)
	maps.DeleteFunc(serving, func(key node.Key, _ table) bool { _, held := s.held[key]; return !held })
	gone, suspects := s.book.missed(g, serving)
	for _, key := range gone {
		s.deleted(key, s.newest[key])
	}
	for _, x := range suspects {
		if s.busy(x.key) {
			s.deleted(x.key, s.newest[x.key])
			continue
		}
		x.newest = s.newest[x.key]
		s.suspects = append(s.suspects, x)
	}
	if len(s.suspects) > 0 {
		s.verify.put(slices.Clone(s.suspects))
	}
}

// takeVerified tells the brain of what really is not there.
func (s *service) takeVerified(v verified) {
	s.suspects = slices.DeleteFunc(s.suspects, func(x suspect) bool { return slices.Contains(v.looked, x) })
	sameInstance := func(a, b suspect) bool { return a.key == b.key }
	for _, x := range slices.CompactFunc(v.absent, sameInstance) {
		s.deleted(x.key, x.newest)
	}
}

// deleted tells the brain of a deletion that was not its own, seen when the
// given mutation was the newest. One that is under way, or was since then, may
// have been the cause, and have mended it by its end, or not: everything is set
// once more after it.
func (s *service) deleted(key node.Key, newest uint64) {
	_, held := s.held[key]
	switch {
	case s.busy(key):
		asked := s.requests[key]
		asked.recheck = true
		s.requests[key] = asked
	case !held:
	case s.newest[key] != newest:
		s.amend(key, false, noVIP)
	default:
		s.step(node.Deleted{Key: key})
	}
}

func (s *service) takeSignal(signal os.Signal) {
	if signal == syscall.SIGHUP {
		s.startReload()
		return
	}
	s.stop()
}

// stop says goodbye once; the loop ends when the kernel is clean, or when the
// actor has had its time.
func (s *service) stop() {
	if s.stopping {
		return
	}
	s.log.Info("Stopping")
	s.stopping = true
	s.stopBy = s.edges.now() + stopPatience
	s.out.supervisor.Stopping()
	s.tellReload(errStopping)
	s.step(node.Stop{})
}

func (s *service) finished() bool {
	if !s.stopping {
		return false
	}
	if len(s.requests) == 0 {
		return true
	}
	late := s.edges.now() >= s.stopBy
	if late {
		s.log.Error("the kernel did not take the addresses away in time; their leases will")
	}
	return late
}

// beat is the loop's own rhythm.
func (s *service) beat() {
	now := s.edges.now()
	s.examine()
	if now-s.lastSurvey >= surveyEvery {
		s.lastSurvey = now
		s.surveyed.put(s.present())
		s.checkFilters()
	}
	if now-s.lastRemind >= remindEvery {
		s.lastRemind = now
		s.remind()
	}
}

func compareKeys(a, b node.Key) int {
	return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.VRID, b.VRID), cmp.Compare(a.Family, b.Family))
}

// repeat is how many frames each VIP of the instance gets in an announcement.
func (s *service) repeat(key node.Key) int {
	for _, i := range s.plan.node.Instances {
		if i.Key() == key && i.Announce.Repeat > 0 {
			return i.Announce.Repeat
		}
	}
	return defaultRepeat
}

// defaultRepeat is keepalived's garp_master_repeat.
const defaultRepeat = 5

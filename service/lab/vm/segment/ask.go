package segment

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// AskInterval is how often it is asked who has an address, unless a story wants it otherwise.
const AskInterval = 20 * time.Millisecond

// An Asker asks again and again who has the virtual addresses of a segment and records who answers. The host from which it asks
// also learns from the answers where they are, so another should be the one that pings.
type Asker struct {
	host     *Host
	interval time.Duration
	quit     chan struct{}
	once     sync.Once
	untap    func()

	mu      sync.Mutex
	records []Record
	stopped bool
}

// Record is what an [Asker] recorded about one address.
type Record struct {
	VIP       netip.Addr
	Interval  time.Duration
	Questions []time.Duration // when it was asked, since the epoch
	Answers   []Answer        // oldest first
	Claims    []Answer        // gratuitous ARP
	Until     time.Duration   // how far the record goes
}

// An Answer is an ARP message of somebody who says to have the address.
type Answer struct {
	At      time.Duration // since the epoch
	Machine string        // by the port from which it came
	MAC     MAC
}

// Ask begins to ask for addresses of the segment: for all of them, in each interval.
func (h *Host) Ask(interval time.Duration, vips ...netip.Addr) *Asker {
	a := &Asker{host: h, interval: interval, quit: make(chan struct{})}
	for _, v := range vips {
		a.records = append(a.records, Record{VIP: v, Interval: interval})
	}
	a.untap = h.segment.Tap(a.see)
	h.every(interval, a.quit, a.ask)
	return a
}

// Stop ends the asking. The records stay.
func (a *Asker) Stop() {
	a.once.Do(func() { close(a.quit) })
	a.untap()
	now := a.host.segment.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.records {
		if !a.stopped {
			a.records[i].Until = now
		}
	}
	a.stopped = true
}

// Record returns what was recorded so far about an address; it is empty if the address is not asked for.
func (a *Asker) Record(vip netip.Addr) Record { return a.since(vip, 0) }

// Service judges the record of an address so far, with [Record.Service] and a grain of two intervals: of answers that take about
// as long as the interval, one that is a little late comes behind the next question.
func (a *Asker) Service(vip netip.Addr) Service { return a.Record(vip).Service(2 * a.interval) }

// Serving returns which machines answer for an address at present, judged as by Service but from the last questions only, so that a
// story can wait for it.
func (a *Asker) Serving(vip netip.Addr) []string {
	const questions = 50
	s := a.since(vip, a.host.segment.Now()-questions*a.interval).Service(2 * a.interval)
	if len(s.Line) == 0 {
		return nil
	}
	return s.Line[len(s.Line)-1].Who
}

// since returns what was recorded about an address from a moment on.
func (a *Asker) since(vip netip.Addr, from time.Duration) Record {
	now := a.host.segment.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.records, func(r Record) bool { return r.VIP == vip })
	if i < 0 {
		return Record{VIP: vip, Interval: a.interval, Until: now}
	}
	r := a.records[i]
	if !a.stopped {
		r.Until = now
	}
	first, _ := slices.BinarySearch(r.Questions, from)
	r.Questions = slices.Clone(r.Questions[first:])
	r.Answers, r.Claims = answersSince(r.Answers, from), answersSince(r.Claims, from)
	return r
}

// answersSince copies the answers from a moment on.
func answersSince(all []Answer, from time.Duration) []Answer {
	first, _ := slices.BinarySearchFunc(all, from, func(x Answer, t time.Duration) int { return cmp.Compare(x.At, t) })
	return slices.Clone(all[first:])
}

// ask asks for every address.
func (a *Asker) ask() {
	for i := range a.records {
		now := a.host.segment.Now()
		a.mu.Lock()
		stopped := a.stopped
		if !stopped {
			a.records[i].Questions = append(a.records[i].Questions, now)
		}
		vip := a.records[i].VIP
		a.mu.Unlock()
		if stopped {
			return
		}
		a.host.ask(vip)
	}
}

// see takes answers to this host, and claims.
func (a *Asker) see(f Frame) {
	m, ok := decodeARP(f.Data)
	if !ok || m.op == arpRequest && !m.gratuitous() || !m.gratuitous() && m.targetMAC != a.host.mac {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.records, func(r Record) bool { return r.VIP == m.sender })
	if i < 0 || a.stopped {
		return
	}
	r, answer := &a.records[i], Answer{At: f.At, Machine: f.From, MAC: m.mac}
	if m.gratuitous() {
		r.Claims = append(r.Claims, answer)
	} else {
		r.Answers = append(r.Answers, answer)
	}
}

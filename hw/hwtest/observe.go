package hwtest

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// A Set is a set of routers, by their place in [Watch.Routers]; [Stranger] is any other station.
type Set uint8

// Stranger stands for every station that is none of the watched routers.
const Stranger Set = 1 << 7

// maxRouters is how many routers a Set can hold.
const maxRouters = 7

// Count returns how many members the set has.
func (s Set) Count() int {
	n := 0
	for ; s != 0; s &= s - 1 {
		n++
	}
	return n
}

// Has tells whether router i is in the set.
func (s Set) Has(i int) bool { return s&(1<<i) != 0 }

// A Watch says what an [Observer] looks at.
type Watch struct {
	Routers []*Router // seven at most
	VIPs    []VIP
	Every   time.Duration // between samples; zero is 10 ms
}

// A VIP is an address under observation, and the host that asks for it.
type VIP struct {
	Addr netip.Addr
	From *Host // nil: nobody asks, only the owners are sampled
}

// A Sample is what was seen at one moment.
type Sample struct {
	At time.Time
	// Owners and Answers have one element per VIP: whose kernel has the address now (a router without power has none), and
	// who answered the ARP question of the sample before.
	Owners  []Set
	Answers []Set
}

// An Observer stands outside and samples.
type Observer struct {
	watch    Watch
	sniffers map[*Host]*Sniffer
	stations map[[6]byte]Set
	quit     chan struct{}
	done     chan struct{}

	mu      sync.Mutex
	samples []Sample
	claims  []ARP
	change  chan struct{}
	misses  int
	stopped bool
}

// Observe begins to observe. It stops with [Observer.Stop], or when the laboratory closes.
func (l *Lab) Observe(w Watch) (*Observer, error) {
	if len(w.Routers) > maxRouters {
		return nil, fmt.Errorf("observe %d routers: %d at most", len(w.Routers), maxRouters)
	}
	if w.Every == 0 {
		w.Every = 10 * time.Millisecond
	}
	o := &Observer{watch: w, sniffers: make(map[*Host]*Sniffer), stations: make(map[[6]byte]Set), quit: make(chan struct{}),
		done: make(chan struct{}), change: make(chan struct{})}
	for i, r := range w.Routers {
		for _, p := range r.Ports() {
			o.stations[p.MAC()] = 1 << i
		}
	}
	for _, v := range w.VIPs {
		if v.From == nil || o.sniffers[v.From] != nil {
			continue
		}
		s, err := v.From.Sniff()
		if err != nil {
			o.closeSniffers()
			return nil, err
		}
		o.sniffers[v.From] = s
	}
	go o.run()
	l.onClose(func() { o.Stop() })
	return o, nil
}

func (o *Observer) closeSniffers() {
	for _, s := range o.sniffers {
		s.Close()
	}
}

func (o *Observer) run() {
	defer close(o.done)
	tick := time.NewTicker(o.watch.Every)
	defer tick.Stop()
	for {
		select {
		case <-o.quit:
			return
		case <-tick.C:
			o.sample()
		}
	}
}

// sample takes one sample and asks the questions of the next.
func (o *Observer) sample() {
	s := Sample{At: time.Now(), Owners: make([]Set, len(o.watch.VIPs)), Answers: make([]Set, len(o.watch.VIPs))}
	o.answers(&s)
	misses := o.owners(&s)
	for _, v := range o.watch.VIPs {
		if v.From != nil {
			o.sniffers[v.From].Ask(v.Addr) // lost like any frame if it cannot be sent
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.samples = append(o.samples, s)
	o.misses += misses
	close(o.change)
	o.change = make(chan struct{})
}

// answers notes who has answered since the sample before.
func (o *Observer) answers(s *Sample) {
	for _, sniffer := range o.sniffers {
		for _, m := range sniffer.Take() {
			if m.Gratuitous {
				o.mu.Lock()
				o.claims = append(o.claims, m)
				o.mu.Unlock()
			}
			at := slices.IndexFunc(o.watch.VIPs, func(v VIP) bool { return v.Addr == m.Sender })
			if !m.Reply || at < 0 {
				continue
			}
			station, known := o.stations[m.MAC]
			if !known {
				station = Stranger
			}
			s.Answers[at] |= station
		}
	}
}

// owners notes who has the addresses, and returns how many routers could not be read.
func (o *Observer) owners(s *Sample) int {
	misses := 0
	for i, r := range o.watch.Routers {
		if !r.Powered() {
			continue
		}
		prefixes, err := r.Addresses()
		if err != nil && r.Powered() {
			misses++
		}
		for _, p := range prefixes {
			if at := slices.IndexFunc(o.watch.VIPs, func(v VIP) bool { return v.Addr == p.Addr() }); at >= 0 {
				s.Owners[at] |= 1 << i
			}
		}
	}
	return misses
}

// Await waits until a sample from now on satisfies match, and returns it.
func (o *Observer) Await(patience time.Duration, match func(Sample) bool) (Sample, error) {
	timeout := time.After(patience)
	o.mu.Lock()
	seen := len(o.samples)
	o.mu.Unlock()
	for {
		o.mu.Lock()
		samples, change := o.samples, o.change
		o.mu.Unlock()
		for ; seen < len(samples); seen++ {
			if match(samples[seen]) {
				return samples[seen], nil
			}
		}
		select {
		case <-change:
		case <-o.done:
			return Sample{}, fmt.Errorf("the observer was stopped: %w", os.ErrClosed)
		case <-timeout:
			last := Sample{}
			if seen > 0 {
				last = samples[seen-1]
			}
			return last, fmt.Errorf("not seen within %v, last owners %v, answers %v: %w", patience, last.Owners, last.Answers, os.ErrDeadlineExceeded)
		}
	}
}

// Timeline returns what was seen so far.
func (o *Observer) Timeline() Timeline {
	o.mu.Lock()
	t := Timeline{VIPs: o.watch.VIPs, Routers: o.watch.Routers, Samples: o.samples[:len(o.samples):len(o.samples)], Misses: o.misses,
		Gratuitous: slices.Clone(o.claims)}
	o.mu.Unlock()
	slices.SortFunc(t.Gratuitous, func(a, b ARP) int { return a.At.Compare(b.At) })
	return t
}

// Stop ends the observation and returns all of it. A second call returns the same.
func (o *Observer) Stop() Timeline {
	o.mu.Lock()
	stopped := o.stopped
	o.stopped = true
	o.mu.Unlock()
	if !stopped {
		close(o.quit)
		<-o.done
		o.closeSniffers()
	}
	return o.Timeline()
}

package segment

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// maxPlaces is how many hardware addresses a segment remembers. Frames to further ones go to everybody.
const maxPlaces = 1024

// A Plug is where a machine is plugged in.
type Plug struct {
	Machine string // who is behind the port, in observations
	Socket  string // path of the unix socket on which the port listens
}

// A Frame is one Ethernet frame, as it entered a segment.
type Frame struct {
	At   time.Duration // since the epoch
	From string        // the machine, or the host of the laboratory
	Data []byte        // from the destination address on, without check sequence; shared, not to be changed
}

// A Segment is an Ethernet switch.
type Segment struct {
	name  string
	epoch time.Time
	ports []*Port
	tasks sync.WaitGroup // of ports, hosts and observers

	mu       sync.Mutex
	stations []station
	places   map[MAC]station // behind whom an address was last seen
	taps     []*tap
}

// station is what frames come from and go to.
type station interface {
	label() string
	deliver(frame []byte) // never blocks
}

// tap is an observer.
type tap struct{ see func(Frame) }

// Listen makes a segment and begins to listen for its machines. Sockets that exist already are an error.
func Listen(name string, epoch time.Time, plugs ...Plug) (*Segment, error) {
	machines := make([]string, len(plugs))
	for i, p := range plugs {
		machines[i] = p.Machine
	}
	s := newSegment(name, epoch, machines...)
	for i, p := range plugs {
		l, err := net.Listen("unix", p.Socket)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: port of %s: %w", name, p.Machine, err), s.Close())
		}
		s.ports[i].listen(l)
	}
	return s, nil
}

// newSegment makes a segment at which nobody listens yet.
func newSegment(name string, epoch time.Time, machines ...string) *Segment {
	s := &Segment{name: name, epoch: epoch, places: map[MAC]station{}}
	for _, m := range machines {
		p := &Port{segment: s, machine: m}
		s.ports = append(s.ports, p)
		s.stations = append(s.stations, p)
	}
	return s
}

// Name returns the name that the segment was given.
func (s *Segment) Name() string { return s.name }

// Now returns the time since the epoch.
func (s *Segment) Now() time.Duration { return time.Since(s.epoch) }

// Port returns the port of a machine, nil when it has none.
func (s *Segment) Port(machine string) *Port {
	for _, p := range s.ports {
		if p.machine == machine {
			return p
		}
	}
	return nil
}

// Ports returns all ports, in the order in which they were given.
func (s *Segment) Ports() []*Port { return slices.Clone(s.ports) }

// Tap has every frame shown that enters the segment, in order, until remove is called. What a cut port swallows does not enter. The
// function must neither block nor call methods of the segment other than Now.
func (s *Segment) Tap(see func(Frame)) (remove func()) {
	t := &tap{see}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taps = append(s.taps, t)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taps = slices.DeleteFunc(s.taps, func(other *tap) bool { return other == t })
	}
}

// Close takes every plug out and ends hosts, pingers and askers. What these have recorded stays.
func (s *Segment) Close() error {
	var errs []error
	for _, p := range s.ports {
		errs = append(errs, p.close())
	}
	s.mu.Lock()
	stations := slices.Clone(s.stations)
	s.mu.Unlock()
	for _, x := range stations {
		if h, ok := x.(*Host); ok {
			h.stop()
		}
	}
	s.tasks.Wait()
	return errors.Join(errs...)
}

// forward carries a frame, of at least an Ethernet header, to whom it is for: to everybody when that is not known.
func (s *Segment) forward(from station, data []byte) {
	dst, src := MAC(data[0:6]), MAC(data[6:12])
	s.mu.Lock()
	defer s.mu.Unlock()
	f := Frame{At: s.Now(), From: from.label(), Data: data}
	for _, t := range s.taps {
		t.see(f)
	}
	if _, known := s.places[src]; src.individual() && (known || len(s.places) < maxPlaces) {
		s.places[src] = from
	}
	if to, known := s.places[dst]; known {
		if to != from {
			to.deliver(data)
		}
		return
	}
	for _, to := range s.stations {
		if to != from {
			to.deliver(data)
		}
	}
}

// forget drops what was learned about a port, as a switch does when the carrier is lost.
func (s *Segment) forget(p *Port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for mac, at := range s.places {
		if at == station(p) {
			delete(s.places, mac)
		}
	}
}

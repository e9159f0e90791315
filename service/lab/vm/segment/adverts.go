package segment

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"

	"standfast/vrrp"
)

// An Advert is a VRRP advert that was seen on a segment.
type Advert struct {
	At       time.Duration // since the epoch
	Machine  string        // by the port from which it came
	MAC      MAC
	Source   netip.Addr
	Version  vrrp.Version
	VRID     uint8
	Priority uint8 // 0 is a goodbye
}

// Adverts records the VRRP adverts that machines send onto a segment, over IPv4.
type Adverts struct {
	segment *Segment
	untap   func()

	mu   sync.Mutex
	seen []Advert
}

// Adverts begins to record.
func (s *Segment) Adverts() *Adverts {
	a := &Adverts{segment: s}
	a.untap = s.Tap(a.see)
	return a
}

// Stop ends the recording. What was recorded stays.
func (a *Adverts) Stop() { a.untap() }

func (a *Adverts) see(f Frame) {
	p, ok := decodeIPv4(f.Data)
	if !ok {
		return
	}
	advert, ok := decodeAdvert(p)
	if !ok {
		return
	}
	advert.At, advert.Machine, advert.MAC = f.At, f.From, MAC(f.Data[6:12])
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, advert)
}

// Between returns the adverts that were seen at from or later and before to, oldest first.
func (a *Adverts) Between(from, to time.Duration) []Advert {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := func(x Advert, t time.Duration) int { return cmp.Compare(x.At, t) }
	first, _ := slices.BinarySearchFunc(a.seen, from, at)
	end, _ := slices.BinarySearchFunc(a.seen, to, at)
	return slices.Clone(a.seen[first:max(first, end)])
}

// Last returns the last advert of a machine for a virtual router.
func (a *Adverts) Last(machine string, vrid uint8) (Advert, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range slices.Backward(a.seen) {
		if x.Machine == machine && x.VRID == vrid {
			return x, true
		}
	}
	return Advert{}, false
}

// Service judges who spoke as master of a virtual router so far, with [ServiceOfAdverts].
func (a *Adverts) Service(vrid uint8, hold time.Duration) Service {
	now := a.segment.Now()
	return ServiceOfAdverts(a.Between(0, now), vrid, hold, now)
}

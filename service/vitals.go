package service

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"standfast/vrrp/node"
)

// The signs of life may be missing for so long. The kernel's network lock is held
// for ten seconds by what administrators do (a self-test of a card), and a new
// process would wait for it as well.
const (
	muteFor  = 3 * time.Second
	stuckFor = 10 * time.Second
)

// vitals are the signs of life by which the watchdogs are fed: the loop goes round,
// the last advert that was due really left, and the kernel answers those who change
// addresses. It is written by the loop and the actors, and read by whoever feeds,
// none of whom waits for another.
type vitals struct {
	now      func() time.Duration
	rounds   atomic.Uint64 // of the loop
	mute     atomic.Pointer[muteness]
	occupied []*occupancy // of the actors; settled before anybody feeds
}

// muteness is that adverts do not leave although their port could carry them.
type muteness struct {
	since    time.Duration // when the first in a row failed
	failures int
	why      string
}

// occupancy says since when somebody is inside the kernel. The zero value is one
// who is not.
type occupancy struct{ since atomic.Int64 }

func (o *occupancy) enter(now time.Duration) { o.since.Store(int64(now)) }
func (o *occupancy) leave()                  { o.since.Store(0) }

// progress is called by the loop each time around.
func (v *vitals) progress() { v.rounds.Add(1) }

// complaint says why the watchdogs are not to be fed by somebody who last found the
// loop at the given round; empty if all is well. It also returns the round now.
func (v *vitals) complaint(last uint64) (rounds uint64, complaint string) {
	rounds = v.rounds.Load()
	now := v.now()
	if rounds == last {
		return rounds, "the loop does not go round"
	}
	if m := v.mute.Load(); m != nil && m.failures > 1 && now-m.since >= muteFor {
		return rounds, fmt.Sprintf("no advert has left for %v: %s", (now - m.since).Round(time.Second), m.why)
	}
	for _, o := range v.occupied {
		if since := time.Duration(o.since.Load()); since != 0 && now-since >= stuckFor {
			return rounds, fmt.Sprintf("the kernel has not answered a change of addresses for %v", (now - since).Round(time.Second))
		}
	}
	return rounds, ""
}

// errNoSocket is that a port which could carry adverts has nothing to send them by.
var errNoSocket = errors.New("no socket is open")

// spoke keeps what became of an instance's advert.
func (s *service) spoke(key node.Key, err error) {
	m, mute := s.mutes[key]
	switch {
	case err == nil && !mute:
		return
	case err == nil || !curable(err):
		delete(s.mutes, key)
	case !mute:
		s.mutes[key] = muteness{since: s.edges.now(), failures: 1, why: err.Error()}
	default:
		m.failures, m.why = m.failures+1, err.Error()
		s.mutes[key] = m
	}
	s.tellMute()
}

// tellMute tells whoever feeds the watchdogs of the instance that is mute longest.
func (s *service) tellMute() {
	var longest *muteness
	for _, m := range s.mutes {
		if longest == nil || m.since < longest.since {
			longest = &m
		}
	}
	s.vitals.mute.Store(longest)
}

// curable says whether a new process might succeed where this one failed to send.
// It would not where the port is gone, down or without a way, or where a firewall
// refuses: a MASTER whose cable is out goes on serving.
func curable(err error) bool {
	for _, hosts := range []unix.Errno{
		unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EHOSTDOWN, unix.ENODEV, unix.ENXIO,
		unix.EADDRNOTAVAIL, unix.EPERM, unix.EACCES, unix.EMSGSIZE,
	} {
		if errors.Is(err, hosts) {
			return false
		}
	}
	return true
}

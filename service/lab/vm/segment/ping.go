package segment

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// PingBound is how long an answer may take. What takes longer is lost: nobody waits for it any more.
const PingBound = 2 * time.Second

// A Pinger sends ICMP echo requests from a host at a steady rate and records which were answered.
type Pinger struct {
	host *Host
	to   netip.Addr
	id   uint16
	quit chan struct{}
	once sync.Once

	mu     sync.Mutex
	echoes []Echo
}

// An Echo is one request.
type Echo struct {
	Sent     time.Duration // since the epoch
	Answered bool
	Took     time.Duration // until the answer, if there was one
}

// Pings is the record of a [Pinger].
type Pings struct {
	Echoes []Echo
	Until  time.Duration // when it was taken
}

// Losses is how many packets were sent and not answered in time. Those about which that cannot be said yet are in neither.
type Losses struct {
	Sent, Lost int
}

// A Loss is a time in which every packet was lost.
type Loss struct {
	From time.Duration // when the first was sent
	To   time.Duration // when the next was sent that was answered, or that of which it is not known yet
	Lost int
}

// Ping begins to send a request in each interval, by way of the gateway if the destination is not on the segment.
func (h *Host) Ping(to netip.Addr, interval time.Duration) *Pinger {
	h.mu.Lock()
	p := &Pinger{host: h, to: to, id: uint16(len(h.pingers) + 1), quit: make(chan struct{})}
	h.pingers[p.id] = p
	h.mu.Unlock()
	h.every(interval, p.quit, p.ask)
	return p
}

// Stop ends the sending. Answers are still taken: a record is complete when it was taken PingBound later.
func (p *Pinger) Stop() { p.once.Do(func() { close(p.quit) }) }

// Pings returns what was recorded so far.
func (p *Pinger) Pings() Pings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Pings{Echoes: slices.Clone(p.echoes), Until: p.host.segment.Now()}
}

// ask sends the next request. Which it is the data says; the sequence number is too short for a long night.
func (p *Pinger) ask() {
	p.mu.Lock()
	n := len(p.echoes)
	p.echoes = append(p.echoes, Echo{Sent: p.host.segment.Now()})
	p.mu.Unlock()
	data := binary.BigEndian.AppendUint64(make([]byte, 0, countSize), uint64(n))
	p.host.send(p.to, echo{kind: icmpEcho, id: p.id, sequence: uint16(n), data: data})
}

// hear takes an answer.
func (p *Pinger) hear(from netip.Addr, e echo) {
	if from != p.to || len(e.data) != countSize {
		return
	}
	n := binary.BigEndian.Uint64(e.data)
	p.mu.Lock()
	defer p.mu.Unlock()
	if n < uint64(len(p.echoes)) && !p.echoes[n].Answered {
		p.echoes[n].Answered, p.echoes[n].Took = true, p.host.segment.Now()-p.echoes[n].Sent
	}
}

// Losses counts the packets that were sent at from or later and before to.
func (p Pings) Losses(from, to time.Duration) Losses {
	var l Losses
	for _, e := range p.between(from, to) {
		switch p.fate(e) {
		case undecided:
		case answered:
			l.Sent++
		case lost:
			l.Sent++
			l.Lost++
		}
	}
	return l
}

// Windows returns the times in which packets were lost, of those that were sent at from or later and before to.
func (p Pings) Windows(from, to time.Duration) []Loss {
	var windows []Loss
	open := false
	for _, e := range p.between(from, to) {
		isLost := p.fate(e) == lost
		if open {
			windows[len(windows)-1].To = e.Sent
		}
		if isLost && !open {
			windows = append(windows, Loss{From: e.Sent, To: min(to, p.Until)})
		}
		if isLost {
			windows[len(windows)-1].Lost++
		}
		open = isLost
	}
	if open {
		windows[len(windows)-1].To = min(to, p.Until)
	}
	return windows
}

func (p Pings) between(from, to time.Duration) []Echo {
	at := func(e Echo, t time.Duration) int { return cmp.Compare(e.Sent, t) }
	first, _ := slices.BinarySearchFunc(p.Echoes, from, at)
	end, _ := slices.BinarySearchFunc(p.Echoes, to, at)
	return p.Echoes[first:max(first, end)]
}

// fate is what has become of a packet.
type fate uint8

const (
	undecided fate = iota
	answered
	lost
)

func (p Pings) fate(e Echo) fate {
	switch {
	case e.Answered && e.Took <= PingBound:
		return answered
	case e.Answered || e.Sent+PingBound <= p.Until:
		return lost
	}
	return undecided
}

package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// An Advert is one that a router put onto the cable.
type Advert struct {
	At       time.Time // by the kernel, when the frame went to the port
	Version  byte
	Priority byte
}

// Adverts is what both routers put onto the cable, captured at their ends of it: what a frame is late by there is the sender's
// doing, and not that of the laboratory, which carries it to the other end.
type Adverts struct {
	ends map[*Member]*capture
}

// Adverts begins to capture. A router that loses power and gets it back is captured until then.
func (p *Pair) Adverts() (*Adverts, error) {
	a := &Adverts{ends: make(map[*Member]*capture)}
	for _, m := range p.Members() {
		c, err := m.capture()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("capture the adverts of %s: %w", m.Name(), err), a.Close())
		}
		a.ends[m] = c
	}
	return a, nil
}

// Between returns the adverts of a router from one moment on and before another; a zero to is now.
func (a *Adverts) Between(from *Member, since, to time.Time) []Advert {
	c := a.ends[from]
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []Advert
	for _, x := range c.heard {
		if !x.At.Before(since) && (to.IsZero() || x.At.Before(to)) {
			found = append(found, x)
		}
	}
	return found
}

// Close ends the capture; what was captured stays.
func (a *Adverts) Close() error {
	var errs []error
	for _, c := range a.ends {
		errs = append(errs, c.file.Close())
		<-c.done
	}
	return errors.Join(errs...)
}

// capture is one end of the cable.
type capture struct {
	file *os.File
	done chan struct{}

	mu    sync.Mutex
	heard []Advert
}

// capture listens at the member's heartbeat port, whether or not a daemon runs there.
func (m *Member) capture() (*capture, error) {
	c := &capture{done: make(chan struct{})}
	index := m.Port(HeartbeatPort).Index()
	err := m.Namespace().Do(func() error {
		// Of what a port sends only those hear who listen to every protocol.
		protocol := binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL & 0xff})
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(protocol))
		if err != nil {
			return err
		}
		err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: index}))
		if err != nil {
			unix.Close(fd)
			return err
		}
		c.file = os.NewFile(uintptr(fd), "adverts")
		return nil
	})
	if err != nil {
		return nil, err
	}
	go c.listen()
	return c, nil
}

func (c *capture) listen() {
	defer close(c.done)
	raw, err := c.file.SyscallConn()
	if err != nil {
		return
	}
	packet, control := make([]byte, 2048), make([]byte, 128)
	for {
		var n, controls int
		var from unix.Sockaddr
		var failed error
		closed := raw.Read(func(fd uintptr) bool {
			n, controls, _, from, failed = unix.Recvmsg(int(fd), packet, control, 0)
			return !errors.Is(failed, unix.EAGAIN)
		})
		switch {
		case closed != nil:
			return
		case errors.Is(failed, unix.ENETDOWN):
			continue
		case failed != nil:
			return
		}
		if link, ok := from.(*unix.SockaddrLinklayer); !ok || link.Pkttype != unix.PACKET_OUTGOING {
			continue
		}
		if advert, ok := parseAdvert(packet[:n]); ok {
			advert.At = stamp(control[:controls])
			c.mu.Lock()
			c.heard = append(c.heard, advert)
			c.mu.Unlock()
		}
	}
}

// stamp is the kernel's time of a packet.
func stamp(control []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return time.Now()
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Now()
}

// What of an advert's packet is looked at.
const (
	ipv4Length   = 20
	ipv4Protocol = 9
	vrrpProtocol = 112
	vrrpPriority = 2
)

// parseAdvert reads an IPv4 packet with an advert.
func parseAdvert(packet []byte) (Advert, bool) {
	if len(packet) < ipv4Length || packet[0]>>4 != 4 || packet[ipv4Protocol] != vrrpProtocol {
		return Advert{}, false
	}
	header := int(packet[0]&0x0f) * 4
	if len(packet) <= header+vrrpPriority {
		return Advert{}, false
	}
	return Advert{Version: packet[header] >> 4, Priority: packet[header+vrrpPriority]}, true
}

// Lateness is how late adverts left, measured against the beat that their sender keeps.
type Lateness struct {
	Adverts       int
	P50, P99, Max time.Duration
}

// String writes the figures in milliseconds.
func (l Lateness) String() string {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return fmt.Sprintf("%.2f/%.2f/%.2f ms", ms(l.P50), ms(l.P99), ms(l.Max))
}

// MeasureLateness measures adverts that are sent in the given interval: those of one sender, in order, or of several terms, each
// by itself. The beat is not known from outside; it is taken for the earliest that fits every advert of an unbroken row. Where
// an advert comes before its time, as in answer to another router's, or so late that the beat begins anew, another row begins.
func MeasureLateness(interval time.Duration, terms ...[]Advert) Lateness {
	var late []time.Duration
	for _, term := range terms {
		late = append(late, measureTerm(term, interval)...)
	}
	slices.Sort(late)
	return Lateness{Adverts: len(late), P50: Quantile(late, 5000), P99: Quantile(late, 9900), Max: Quantile(late, 10_000)}
}

// Quantile is the shortest of the sorted times that the given share of them, in tenths of a thousandth, does not exceed; 0 where
// there are none.
func Quantile(sorted []time.Duration, share int) time.Duration {
	const whole = 10_000
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(1, (len(sorted)*share+whole-1)/whole)-1]
}

func measureTerm(adverts []Advert, interval time.Duration) []time.Duration {
	late := make([]time.Duration, len(adverts))
	for begin, end := 0, 0; begin < len(adverts); begin = end {
		for end = begin + 1; end < len(adverts) && inBeat(adverts[end].At.Sub(adverts[end-1].At), interval); {
			end++
		}
		measureRow(late[begin:end], adverts[begin:end], interval)
		if begin > 0 {
			late[begin] = max(late[begin], adverts[begin].At.Sub(adverts[begin-1].At)-interval)
		}
	}
	return late
}

// inBeat tells whether the time between two adverts is one interval, more or less. What comes earlier by a tenth was no beat, or
// the one before was late, which its own row shows.
func inBeat(gap, interval time.Duration) bool { return gap > interval*9/10 && gap < interval*3/2 }

// measureRow fills in how late each advert of an unbroken row is.
func measureRow(late []time.Duration, row []Advert, interval time.Duration) {
	var earliest time.Duration
	for i, x := range row {
		late[i] = x.At.Sub(row[0].At) - time.Duration(i)*interval
		earliest = min(earliest, late[i])
	}
	for i := range late {
		late[i] -= earliest
	}
}

package hwtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Stream is a client that sends echo requests at a steady rate and counts the answers.
type Stream struct {
	file *os.File
	id   uint16
	quit chan struct{}

	sender, receiver sync.WaitGroup

	mu       sync.Mutex
	sent     []time.Time
	answered []bool
}

const (
	echoRequest = 8
	echoReply   = 0
	echoLength  = 16
	streamGrace = 500 * time.Millisecond // how long the last packets may take
)

// Stream begins to send an echo request from the host to the target in each interval, through the host's own routing and
// neighbour cache.
func (h *Host) Stream(target netip.Addr, every time.Duration) (*Stream, error) {
	s := &Stream{id: binary.BigEndian.Uint16(h.mac[4:]), quit: make(chan struct{})}
	err := h.room.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMP)
		if err != nil {
			return err
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: target.As4()}); err != nil {
			unix.Close(fd)
			return err
		}
		s.file = os.NewFile(uintptr(fd), "icmp")
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("host %s: stream to %s: %w", h.name, target, err)
	}
	s.sender.Go(func() { s.send(every) })
	s.receiver.Go(s.receive)
	return s, nil
}

func (s *Stream) send(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		n := len(s.sent)
		s.sent = append(s.sent, time.Now())
		s.answered = append(s.answered, false)
		s.mu.Unlock()
		s.file.Write(echo(s.id, uint32(n))) // what cannot be sent is lost like any other
	}
}

func (s *Stream) receive() {
	packet := make([]byte, frameSize)
	for {
		n, err := s.file.Read(packet)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			continue // what the network reported: nobody answers there at present
		}
		if seq, ok := parseEcho(packet[:n], s.id); ok {
			s.mu.Lock()
			if int(seq) < len(s.answered) {
				s.answered[seq] = true
			}
			s.mu.Unlock()
		}
	}
}

// Losses are the packets of a client that were not answered.
type Losses struct {
	Sent, Lost int
	Gap        time.Duration // the longest time from one answered packet's sending to the next
}

// Stop ends the stream, after giving the last packets time to be answered.
func (s *Stream) Stop() Losses {
	close(s.quit)
	s.sender.Wait()
	deadline := time.Now().Add(streamGrace)
	for s.count().Lost > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	s.file.Close()
	s.receiver.Wait()
	return s.count()
}

func (s *Stream) count() Losses {
	s.mu.Lock()
	defer s.mu.Unlock()
	losses := Losses{Sent: len(s.sent)}
	var last time.Time
	for i, at := range s.sent {
		if !s.answered[i] {
			losses.Lost++
			continue
		}
		if !last.IsZero() {
			losses.Gap = max(losses.Gap, at.Sub(last))
		}
		last = at
	}
	return losses
}

// echo makes an echo request whose payload is its number.
func echo(id uint16, number uint32) []byte {
	m := make([]byte, echoLength)
	m[0] = echoRequest
	binary.BigEndian.PutUint16(m[4:], id)
	binary.BigEndian.PutUint16(m[6:], uint16(number))
	binary.BigEndian.PutUint32(m[8:], number)
	var sum uint32
	for i := 0; i < len(m); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(m[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(m[2:], ^uint16(sum))
	return m
}

// parseEcho reads the number from an IPv4 packet that answers one of ours.
func parseEcho(packet []byte, id uint16) (uint32, bool) {
	if len(packet) < 20 {
		return 0, false
	}
	header := int(packet[0]&0x0f) * 4
	if len(packet) < header+echoLength {
		return 0, false
	}
	m := packet[header:]
	if m[0] != echoReply || binary.BigEndian.Uint16(m[4:]) != id {
		return 0, false
	}
	return binary.BigEndian.Uint32(m[8:]), true
}

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

// An ARP is an ARP message that a host heard.
type ARP struct {
	At         time.Time
	Reply      bool
	MAC        [6]byte // sender's hardware address
	Sender     netip.Addr
	Target     netip.Addr
	Gratuitous bool // sender and target are the same address
}

const (
	etherLength = 14
	arpLength   = 28
	arpRequest  = 1
	arpReply    = 2
	arpKept     = 1 << 16 // messages that a Sniffer keeps until they are taken; further ones are dropped
)

// A Sniffer hears and sends ARP at the port of a host.
type Sniffer struct {
	host *Host
	file *os.File
	done chan struct{}

	mu     sync.Mutex
	heard  []ARP
	change chan struct{} // closed and replaced with each message
}

// Sniff begins to listen for ARP at the host's port: answers to [Sniffer.Ask], and every broadcast.
func (h *Host) Sniff() (*Sniffer, error) {
	s := &Sniffer{host: h, done: make(chan struct{}), change: make(chan struct{})}
	err := h.room.Do(func() error {
		protocol := int(binary.NativeEndian.Uint16([]byte{unix.ETH_P_ARP >> 8, unix.ETH_P_ARP & 0xff}))
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
		if err != nil {
			return err
		}
		if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(protocol), Ifindex: h.link.Attrs().Index}); err != nil {
			unix.Close(fd)
			return err
		}
		s.file = os.NewFile(uintptr(fd), "arp")
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("host %s: listen for ARP: %w", h.name, err)
	}
	go s.listen()
	return s, nil
}

func (s *Sniffer) listen() {
	defer close(s.done)
	frame := make([]byte, frameSize)
	for {
		n, err := s.file.Read(frame)
		if errors.Is(err, unix.ENETDOWN) {
			continue
		}
		if err != nil {
			return
		}
		message, ok := parseARP(frame[:n])
		if !ok || message.MAC == s.host.mac {
			continue
		}
		message.At = time.Now()
		s.mu.Lock()
		if len(s.heard) < arpKept {
			s.heard = append(s.heard, message)
		}
		close(s.change)
		s.change = make(chan struct{})
		s.mu.Unlock()
	}
}

// Ask sends a broadcast question for an address, from the host's own address. A question from 0.0.0.0 would not do: routers
// under test take whoever asks so for one of their own.
func (s *Sniffer) Ask(target netip.Addr) error {
	broadcast := [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	frame := make([]byte, 0, etherLength+arpLength)
	frame = append(frame, broadcast[:]...)
	frame = append(frame, s.host.mac[:]...)
	frame = append(frame, 0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, arpRequest)
	frame = append(frame, s.host.mac[:]...)
	frame = append(frame, s.host.addr.AsSlice()...)
	frame = append(frame, 0, 0, 0, 0, 0, 0)
	frame = append(frame, target.AsSlice()...)
	if _, err := s.file.Write(frame); err != nil {
		return fmt.Errorf("host %s: ask for %s: %w", s.host.name, target, err)
	}
	return nil
}

// Take returns what was heard since the last Take, oldest first.
func (s *Sniffer) Take() []ARP {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := s.heard
	s.heard = nil
	return heard
}

// Await takes messages until one satisfies match, for up to the given time, and returns it.
func (s *Sniffer) Await(patience time.Duration, match func(ARP) bool) (ARP, error) {
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		change := s.change
		s.mu.Unlock()
		for _, m := range s.Take() {
			if match(m) {
				return m, nil
			}
		}
		select {
		case <-change:
		case <-timeout:
			return ARP{}, fmt.Errorf("host %s: no such ARP message within %v: %w", s.host.name, patience, os.ErrDeadlineExceeded)
		}
	}
}

// Close ends the listening; what was heard can still be taken.
func (s *Sniffer) Close() error {
	err := s.file.Close()
	<-s.done
	return err
}

// parseARP reads an Ethernet frame with an IPv4 ARP message.
func parseARP(frame []byte) (ARP, bool) {
	if len(frame) < etherLength+arpLength {
		return ARP{}, false
	}
	body := frame[etherLength:]
	operation := binary.BigEndian.Uint16(body[6:])
	if binary.BigEndian.Uint16(body[2:]) != unix.ETH_P_IP || operation != arpRequest && operation != arpReply {
		return ARP{}, false
	}
	m := ARP{Reply: operation == arpReply, MAC: [6]byte(body[8:14]), Sender: netip.AddrFrom4([4]byte(body[14:18])),
		Target: netip.AddrFrom4([4]byte(body[24:28]))}
	m.Gratuitous = m.Sender == m.Target
	return m, true
}

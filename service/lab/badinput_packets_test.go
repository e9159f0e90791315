package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"standfast/hw/hwtest"
	"standfast/service"
	"standfast/vrrp"

	"golang.org/x/sys/unix"
)

// A packet is an advert on its way into a frame.
type packet struct {
	src, dst netip.Addr
	ttl      byte
	payload  []byte
	header   func([]byte) // changes the finished IP header
}

// intruder is a station on the cable that is neither router, with an address of its own.
var (
	intruderMAC  = [6]byte{0x02, 0x66, 0, 0, 0, 1}
	intruderAddr = netip.MustParseAddr("10.255.0.9")
)

// frame makes the Ethernet frame to the group.
func (p packet) frame() []byte {
	b := []byte{0x01, 0x00, 0x5e, 0, 0, 18}
	b = append(append(b, intruderMAC[:]...), 0x08, 0x00)
	at := len(b)
	b = append(b, 0x45, 0xc0)
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(p.payload)))
	b = append(b, 0, 0, 0, 0, p.ttl, vrrp.Protocol, 0, 0)
	b = append(append(b, p.src.AsSlice()...), p.dst.AsSlice()...)
	binary.BigEndian.PutUint16(b[at+10:], ^onesSum(0, b[at:]))
	if p.header != nil {
		p.header(b[at:])
	}
	return append(b, p.payload...)
}

// seal puts the right checksum into the payload, whatever the payload says.
func (p packet) seal(v vrrp.Version) {
	if len(p.payload) < 8 {
		return
	}
	var pseudo uint32
	if v == vrrp.V3 {
		pseudo = uint32(vrrp.Protocol) + uint32(len(p.payload))
		for _, a := range []netip.Addr{p.src, p.dst} {
			x := a.As4()
			pseudo += uint32(x[0])<<8 + uint32(x[1]) + uint32(x[2])<<8 + uint32(x[3])
		}
	}
	binary.BigEndian.PutUint16(p.payload[6:], 0)
	binary.BigEndian.PutUint16(p.payload[6:], ^onesSum(pseudo, p.payload))
}

// onesSum is the sum of RFC 1071.
func onesSum(s uint32, b []byte) uint16 {
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// wrong is one kind of packet that must be dropped, and the counter it is found in.
type wrong struct {
	counter string
	only    vrrp.Version // 0: both
	change  func(*packet)
	sealed  bool // leave the payload as it is
}

// Counters that are the node's and not an instance's.
const (
	notOurs = "adverts_not_ours"
	broken  = "adverts_broken"
)

func wrongs() []wrong {
	const header, auth = 8, 8
	return []wrong{
		{counter: "source", change: func(p *packet) { p.src = netip.MustParseAddr("224.0.0.5") }},
		{counter: "ttl", change: func(p *packet) { p.ttl = 254 }},
		{counter: "version", change: func(p *packet) { p.payload[0] ^= 0x10 }},
		{counter: "type", change: func(p *packet) { p.payload[0]++ }},
		{counter: "truncated", change: func(p *packet) { p.payload = p.payload[:len(p.payload)-1] }},
		{counter: "truncated", change: func(p *packet) { p.payload = p.payload[:2] }},
		{counter: "truncated", change: func(p *packet) { p.payload[3] = 255 }},
		{counter: "checksum", sealed: true, change: func(p *packet) { p.payload[6] ^= 0xff }},
		{counter: notOurs, change: func(p *packet) { p.payload[1] = 51 }},
		{counter: notOurs, change: func(p *packet) { p.payload = p.payload[:1] }},
		{counter: notOurs, change: func(p *packet) { p.payload = nil }},
		{counter: "auth-type", only: vrrp.V2, change: func(p *packet) { p.payload[4] = 0 }},
		{counter: "auth-type", only: vrrp.V2, change: func(p *packet) { p.payload[4] = 2 }},
		{counter: "password", only: vrrp.V2, change: func(p *packet) { p.payload[len(p.payload)-1]++ }},
		{counter: "interval", only: vrrp.V2, change: func(p *packet) { p.payload[5] = 2 }},
		{counter: "zero-interval", only: vrrp.V2, change: func(p *packet) { p.payload[5] = 0 }},
		{counter: "zero-interval", only: vrrp.V3, change: func(p *packet) { p.payload[4], p.payload[5] = 0, 0 }},
		{counter: "no-addresses", only: vrrp.V2, change: func(p *packet) {
			p.payload[3] = 0
			p.payload = append(p.payload[:header:header], p.payload[len(p.payload)-auth:]...)
		}},
		{counter: "no-addresses", only: vrrp.V3, change: func(p *packet) { p.payload[3], p.payload = 0, p.payload[:header] }},
		{counter: broken, change: func(p *packet) { p.header = func(h []byte) { h[10] ^= 0xff } }},
		{counter: broken, change: func(p *packet) {
			p.header = func(h []byte) { binary.BigEndian.PutUint16(h[2:], 1500) } // longer than what arrived
		}},
	}
}

// intrude opens a member's end of the cable for frames that no daemon would send. They arrive at the other member.
func intrude(t *testing.T, from *Member) func(frame []byte) {
	t.Helper()
	fd := -1
	check(t, from.Namespace().Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	}))
	t.Cleanup(func() { unix.Close(fd) })
	to := &unix.SockaddrLinklayer{Ifindex: from.Port(HeartbeatPort).Index()}
	return func(frame []byte) {
		t.Helper()
		if err := unix.Sendto(fd, frame, 0, to); err != nil && !errors.Is(err, unix.ENOBUFS) {
			t.Fatalf("inject: %v", err)
		}
	}
}

// counted returns a counter of the only instance or of the node.
func counted(d service.StatusDocument, counter string) uint64 {
	if counter == notOurs || counter == broken {
		return d.Node.Lost[counter]
	}
	return d.Instances[0].Dropped[counter]
}

// TestWrongPackets puts packets of every wrong kind on the cable, to a MASTER such that would depose it and to a BACKUP
// goodbyes of its MASTER. Each is dropped, counted as what it is, and moves nothing. Then comes a flood of noise.
func TestWrongPackets(t *testing.T) {
	t.Parallel()
	hwtest.New(t) // skips where there can be no laboratory
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			retold(t, func() *meeting {
				s := newMeeting(t, Options{})
				s.speak(d)
				return s
			}, func(s *meeting) {
				s.start(s.A, d.standfast(t))
				s.start(s.B, d.standfast(t))
				s.settle(SideA)
				since := time.Now()
				s.offer(s.A, d, 254)
				s.offer(s.B, d, 0)
				s.flood(s.A)
				s.flood(s.B)
				s.still(SideA, since, interval, "wrong packets")
				s.went(s.B, since)
			})
		})
	}
}

// offer sends each wrong packet to a member some times, and wants each to be counted once and nothing else.
func (s *meeting) offer(to *Member, d dialect, priority uint8) {
	s.t.Helper()
	const times = 3
	advert := vrrp.Advert{Version: vrrp.V2, VRID: 50, Priority: priority, Interval: interval, Auth: vrrp.AuthPass, Password: [8]byte([]byte("sanitize"))}
	if d.plain {
		advert.Version, advert.Auth, advert.Password = vrrp.V3, vrrp.AuthNone, [8]byte{}
	}
	for _, lan := range s.LANs {
		advert.Addresses = append(advert.Addresses, lan.VIP.Addr())
	}
	send := intrude(s.t, s.other(to))
	want := map[string]uint64{}
	for _, w := range wrongs() {
		if w.only != 0 && w.only != advert.Version {
			continue
		}
		p := packet{src: intruderAddr, dst: vrrp.IPv4.Group(), ttl: 255}
		var err error
		p.payload, err = advert.Append(nil, p.src, p.dst)
		check(s.t, err)
		w.change(&p)
		if !w.sealed {
			p.seal(advert.Version)
		}
		for range times {
			send(p.frame())
		}
		want[w.counter] += times
	}
	got := awaits(s.t, to, "every wrong packet is counted", settlePatience, func(doc service.StatusDocument) bool {
		for counter, n := range want {
			if counted(doc, counter) < n {
				return false
			}
		}
		return true
	})
	for counter, n := range want {
		if k := counted(got, counter); k != n {
			s.errorf("%s: %d packets counted as %q, want %d", to.Name(), k, counter, n)
		}
	}
	for counter := range want {
		says := fmt.Sprintf("fails the check %q", counter)
		if counter == notOurs || counter == broken {
			continue
		}
		if !Eventually(saying, func() bool { return strings.Contains(to.Log.String(), says) }) {
			s.errorf("%s: the journal does not say %s", to.Name(), says)
		}
	}
	for counter, k := range got.Instances[0].Dropped {
		if want[counter] == 0 {
			s.errorf("%s: %d packets counted as %q, want none", to.Name(), k, counter)
		}
	}
}

// flood sends noise to a member at the speed of the machine. It is counted, at most once each, and said in few words.
func (s *meeting) flood(to *Member) {
	s.t.Helper()
	const frames, words = 3000, 20
	total := func(d service.StatusDocument) (n uint64) {
		for _, k := range d.Instances[0].Dropped {
			n += k
		}
		return n + d.Node.Lost[notOurs] + d.Node.Lost[broken] + d.Node.Lost["adverts_not_read"]
	}
	before, err := document(to)
	check(s.t, err)
	since := time.Now()
	send, noise := intrude(s.t, s.other(to)), rand.New(rand.NewPCG(1, 2))
	for range frames {
		p := packet{src: intruderAddr, dst: vrrp.IPv4.Group(), ttl: 255, payload: make([]byte, noise.IntN(200))}
		for i := range p.payload {
			p.payload[i] = byte(noise.Uint32())
		}
		send(p.frame())
	}
	after := awaits(s.t, to, "the protocol goes on after the noise", settlePatience, func(d service.StatusDocument) bool {
		i, b := d.Instances[0], before.Instances[0]
		return total(d) > total(before) && i.Sent+i.Received >= b.Sent+b.Received+3
	})
	if n := total(after) - total(before); n > frames {
		s.errorf("%s: %d packets counted of %d", to.Name(), n, frames)
	}
	if lines := to.Log.Between(since, time.Time{}); len(lines) > words {
		s.errorf("%s: %d lines about noise, the last: %s", to.Name(), len(lines), lines[len(lines)-1].Text)
	}
}

package segment

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	macA   = MAC{0x02, 0, 0, 0, 0, 0x0a}
	macB   = MAC{0x02, 0, 0, 0, 0, 0x0b}
	macHO  = MAC{0x02, 0, 0, 0, 1, 0x64}
	macAsk = MAC{0x02, 0, 0, 0, 1, 0x65}
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
	vip    = addr("192.168.10.1")
)

// machine is what QEMU and its guest are to a segment: it speaks the framing and, while it serves, answers for addresses.
type machine struct {
	conn net.Conn
	mac  MAC
	task sync.WaitGroup

	mu     sync.Mutex
	serves map[netip.Addr]bool
	heard  [][]byte
	next   func(frame []byte) // what else it does with an IPv4 frame
}

// plug connects a machine to its port.
func plug(s *Segment, name string, mac MAC, serves ...netip.Addr) *machine {
	ours, theirs := net.Pipe()
	s.Port(name).connect(theirs)
	return boot(ours, mac, serves...)
}

func boot(conn net.Conn, mac MAC, serves ...netip.Addr) *machine {
	m := &machine{conn: conn, mac: mac, serves: map[netip.Addr]bool{}}
	for _, a := range serves {
		m.serves[a] = true
	}
	m.task.Go(m.live)
	return m
}

func (m *machine) live() {
	for {
		frame, err := readFrame(m.conn)
		if err != nil {
			return
		}
		m.mu.Lock()
		m.heard = append(m.heard, frame)
		next := m.next
		m.mu.Unlock()
		if q, ok := decodeARP(frame); ok && q.op == arpRequest && m.has(q.target) {
			m.send(arp{op: arpReply, mac: m.mac, sender: q.target, target: q.sender, targetMAC: q.mac}.frame(q.mac))
		}
		if _, ok := decodeIPv4(frame); ok && next != nil && MAC(frame[:6]) == m.mac {
			next(frame)
		}
	}
}

func (m *machine) send(frame []byte) { m.conn.Write(appendFrame(nil, frame)) }

func (m *machine) has(a netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.serves[a]
}

func (m *machine) serve(a netip.Addr, on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.serves[a] = on
}

func (m *machine) claim(a netip.Addr) {
	m.send(arp{op: arpRequest, mac: m.mac, sender: a, target: a}.frame(broadcast()))
}

// took returns how many frames of a kind the machine got, and forgets them.
func (m *machine) took(from MAC) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, f := range m.heard {
		if MAC(f[6:12]) == from {
			n++
		}
	}
	m.heard = nil
	return n
}

func (m *machine) off() {
	m.conn.Close()
	m.task.Wait()
}

// frame is one that nobody decodes.
func frame(dst, src MAC, body ...byte) []byte {
	return append(appendEther(nil, dst, src, 0x88b5), body...)
}

func TestSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSegment("LAN", time.Now(), "A", "B", "C")
		a, b, c := plug(s, "A", macA), plug(s, "B", macB), plug(s, "C", macHO)
		machines := []*machine{a, b, c}
		exchange := func(from *machine, dst MAC) []int {
			from.send(frame(dst, from.mac))
			synctest.Wait()
			var got []int
			for _, m := range machines {
				got = append(got, m.took(from.mac))
			}
			return got
		}
		step := func(what string, got []int, want ...int) {
			if !slices.Equal(got, want) {
				t.Errorf("%s: machines got %v, want %v", what, got, want)
			}
		}
		step("broadcast", exchange(a, broadcast()), 0, 1, 1)
		step("unknown", exchange(a, macB), 0, 1, 1)
		step("known", exchange(b, macA), 1, 0, 0)
		step("both known", exchange(a, macB), 0, 1, 0)
		step("to itself", exchange(a, macA), 0, 0, 0)
		s.Port("B").Cut(true)
		step("to a cut port", exchange(a, macB), 0, 0, 0)
		step("from a cut port", exchange(b, macA), 0, 0, 0)
		s.Port("B").Cut(false)
		step("cut mended", exchange(b, macA), 1, 0, 0)
		if got := s.Port("B").Counters(); got.Cut != 2 || got.In != 3 {
			t.Errorf("counters of B: %+v", got)
		}
		b.off()
		synctest.Wait()
		if s.Port("B").Connected() || !s.Port("A").Connected() {
			t.Error("connected is not who has power")
		}
		step("to one without power, forgotten", exchange(a, macB), 0, 0, 1)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		a.off()
		c.off()
	})
}

// TestAsk has the master lose power, a backup that takes over, and one that does not let go.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSegment("LAN", time.Now(), "A", "B")
		a, b := plug(s, "A", macA, vip), plug(s, "B", macB)
		asker := s.Host("asker", macAsk, prefix("192.168.10.101/24"), netip.Addr{}).Ask(AskInterval, vip)
		serving := func(want ...string) {
			t.Helper()
			if got := asker.Serving(vip); !slices.Equal(got, want) {
				t.Errorf("at %v %v serve, want %v", s.Now(), got, want)
			}
		}
		serving()
		time.Sleep(1005 * time.Millisecond)
		serving("A")
		a.off()
		time.Sleep(300 * time.Millisecond)
		serving()
		b.serve(vip, true)
		time.Sleep(time.Second)
		serving("B")
		a = plug(s, "A", macA, vip)
		time.Sleep(100 * time.Millisecond)
		serving("A", "B")
		a.serve(vip, false)
		time.Sleep(time.Second)
		serving("B")
		asker.Stop()
		got := asker.Service(vip)
		if got, want := got.String(), "A 1.02s, nobody 300ms, B 1s, A+B 100ms, B 985ms"; got != want {
			t.Errorf("served: %s; want %s", got, want)
		}
		if n := got.Transitions(0, s.Now()); n != 3 {
			t.Errorf("%d transitions, want A, B, A+B, B: %v", n, got)
		}
		s.Close()
		a.off()
		b.off()
	})
}

// router joins two segments: it forwards what comes to its hardware address to the other host.
func router(lan, wan *machine, lanHost, wanHost *Host) {
	forward := func(out *machine, to MAC) func([]byte) {
		return func(in []byte) {
			f := slices.Clone(in)
			copy(f[0:], to[:])
			copy(f[6:], out.mac[:])
			f[etherSize+8]--
			f[etherSize+10], f[etherSize+11] = 0, 0
			binary.BigEndian.PutUint16(f[etherSize+10:], checksum(f[etherSize:etherSize+ipv4Size]))
			out.send(f)
		}
	}
	for _, x := range []struct {
		in   *machine
		next func([]byte)
	}{{lan, forward(wan, wanHost.MAC())}, {wan, forward(lan, lanHost.MAC())}} {
		x.in.mu.Lock()
		x.in.next = x.next
		x.in.mu.Unlock()
	}
}

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		epoch := time.Now()
		outside := addr("203.0.113.1")
		lan, wan := newSegment("LAN", epoch, "A", "B"), newSegment("WAN", epoch, "A", "B")
		client := lan.Host("client", macHO, prefix("192.168.10.100/24"), vip)
		server := wan.Host("server", macAsk, prefix("203.0.113.100/24"), outside)
		la, wa := plug(lan, "A", macA, vip), plug(wan, "A", MAC{2, 0, 0, 0, 2, 0x0a}, outside)
		lb, wb := plug(lan, "B", macB), plug(wan, "B", MAC{2, 0, 0, 0, 2, 0x0b})
		router(la, wa, client, server)
		router(lb, wb, client, server)
		there, back := client.Ping(server.Addr(), 10*time.Millisecond), server.Ping(client.Addr(), 10*time.Millisecond)
		time.Sleep(995 * time.Millisecond)
		la.off()
		wa.off()
		time.Sleep(200 * time.Millisecond)
		// A gratuitous ARP moves the gateway.
		lb.serve(vip, true)
		wb.serve(outside, true)
		lb.claim(vip)
		wb.claim(outside)
		synctest.Wait()
		if mac, ok := client.Gateway(); !ok || mac != macB {
			t.Errorf("the gateway is %v, want %v", mac, macB)
		}
		time.Sleep(time.Second)
		there.Stop()
		back.Stop()
		time.Sleep(PingBound)
		for _, p := range []*Pinger{there, back} {
			pings := p.Pings()
			if got, want := pings.Losses(0, lan.Now()), (Losses{Sent: 220, Lost: 20}); got != want {
				t.Errorf("losses %+v, want %+v", got, want)
			}
			want := []Loss{{From: time.Second, To: 1200 * time.Millisecond, Lost: 20}}
			if got := pings.Windows(0, lan.Now()); !slices.Equal(got, want) {
				t.Errorf("windows %v, want %v", got, want)
			}
		}
		lan.Close()
		wan.Close()
		lb.off()
		wb.off()
	})
}

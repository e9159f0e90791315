package announce

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"standfast/hw/hwtest"
)

func TestMain(m *testing.M) { os.Exit(hwtest.Main(m.Run)) }

// patience bounds every wait of these tests; what they wait for takes milliseconds.
const patience = 10 * time.Second

var (
	vip4 = netip.MustParseAddr("192.168.10.1")
	vip6 = netip.MustParseAddr("2001:db8::1")
	mac  = [6]byte{0x02, 0, 0x5e, 0x10, 0, 0x0a}
)

// octets reads hexadecimal digits, spaces ignored.
func octets(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFrame(t *testing.T) {
	tests := []struct {
		name  string
		frame []byte
		want  string
	}{
		{
			name: "gratuitous ARP", frame: gratuitousARP(vip4, mac),
			want: "ffffffffffff 02005e10000a 0806 0001 0800 06 04 0001 02005e10000a c0a80a01 ffffffffffff c0a80a01",
		},
		{
			name: "neighbour advertisement of a router", frame: unsolicitedNA(vip6, mac, true),
			want: "333300000001 02005e10000a 86dd 60000000 0020 3a ff 20010db8000000000000000000000001 ff020000000000000000000000000001" +
				"8800 1b11 a0000000 20010db8000000000000000000000001 0201 02005e10000a",
		},
		{
			name: "neighbour advertisement of a host", frame: unsolicitedNA(vip6, mac, false),
			want: "333300000001 02005e10000a 86dd 60000000 0020 3a ff 20010db8000000000000000000000001 ff020000000000000000000000000001" +
				"8800 9b11 20000000 20010db8000000000000000000000001 0201 02005e10000a",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(octets(t, tt.want), tt.frame); diff != "" {
				t.Errorf("frame (-want +got):\n%s", diff)
			}
		})
	}
}

// segment is a router that announces and a neighbour that listens, at the two ends of a cable.
type segment struct {
	t                 *testing.T
	router, neighbour *hwtest.Namespace
	port              *hwtest.Port
	link, far         netlink.Link
}

func newSegment(t *testing.T) *segment {
	t.Helper()
	lab := hwtest.New(t)
	s := &segment{t: t}
	a, err := lab.Router("router")
	s.must(err)
	b, err := lab.Router("neighbour")
	s.must(err)
	_, err = lab.Cable(a, "p3p1", b, "p3p1")
	s.must(err)
	s.router, s.neighbour, s.port = a.Namespace(), b.Namespace(), a.Port("p3p1")
	s.link, err = s.router.Link("p3p1")
	s.must(err)
	s.far, err = s.neighbour.Link("p3p1")
	s.must(err)
	return s
}

func (s *segment) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// open opens a Conn on the router's port; it is closed with the test.
func (s *segment) open() *Conn {
	s.t.Helper()
	var c *Conn
	s.must(s.router.Do(func() (err error) {
		c, err = Open(s.port.Index(), s.port.Name())
		return err
	}))
	s.t.Cleanup(func() { c.Close() })
	return c
}

// remember makes the neighbour's kernel believe that addr is at another station, of which it heard long ago.
func (s *segment) remember(addr netip.Addr) {
	s.t.Helper()
	family := netlink.FAMILY_V4
	if addr.Is6() {
		family = netlink.FAMILY_V6
	}
	s.must(s.neighbour.Kernel().NeighSet(&netlink.Neigh{
		LinkIndex: s.far.Attrs().Index, Family: family, State: netlink.NUD_STALE,
		IP: addr.AsSlice(), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 9},
	}))
}

// known returns what the neighbour's kernel knows of addr.
func (s *segment) known(addr netip.Addr) netlink.Neigh {
	s.t.Helper()
	all, err := s.neighbour.Kernel().NeighList(s.far.Attrs().Index, netlink.FAMILY_ALL)
	s.must(err)
	for _, n := range all {
		if n.IP.Equal(addr.AsSlice()) {
			return n
		}
	}
	return netlink.Neigh{}
}

// TestNeighbourBelieves: one announcement changes the mind of a Linux neighbour, though the port has no address at all and
// the announced hardware address is not the port's.
func TestNeighbourBelieves(t *testing.T) {
	for _, addr := range []netip.Addr{vip4, vip6} {
		t.Run(addr.String(), func(t *testing.T) {
			s := newSegment(t)
			s.must(s.neighbour.Sysctl("net/ipv4/neigh/p3p1/locktime", "0")) // else an ARP entry keeps its first second
			s.must(s.router.Sysctl("net/ipv6/conf/p3p1/disable_ipv6", "1"))
			c := s.open()
			s.remember(addr)
			s.must(c.Announce(addr, mac, true))
			deadline := time.Now().Add(patience)
			for s.known(addr).HardwareAddr.String() != net.HardwareAddr(mac[:]).String() {
				if time.Now().After(deadline) {
					t.Fatalf("the neighbour knows %v", s.known(addr))
				}
				time.Sleep(time.Millisecond)
			}
			if router := s.known(addr).Flags&netlink.NTF_ROUTER != 0; router != addr.Is6() {
				t.Errorf("the neighbour takes it for a router: %v", router)
			}
		})
	}
}

func TestAnnounceRefuses(t *testing.T) {
	s := newSegment(t)
	c := s.open()
	for _, addr := range []netip.Addr{{}, netip.MustParseAddr("::ffff:192.168.10.1")} {
		if err := c.Announce(addr, mac, false); err == nil {
			t.Errorf("announced %v", addr)
		}
	}
	s.must(s.router.Kernel().LinkSetDown(s.link))
	for _, addr := range []netip.Addr{vip4, vip6} {
		if err := c.Announce(addr, mac, false); !errors.Is(err, unix.ENETDOWN) {
			t.Errorf("announced %v on a port that is down: %v, want ENETDOWN", addr, err)
		}
	}
	s.must(s.router.Kernel().LinkSetUp(s.link))
	s.must(c.Announce(vip4, mac, false)) // nothing lingers
	s.must(s.router.Kernel().LinkDel(s.link))
	if err := c.Announce(vip4, mac, false); !errors.Is(err, unix.ENXIO) {
		t.Errorf("announced on a port that is gone: %v, want ENXIO", err)
	}
	s.must(c.Close())
	s.must(c.Close())
	if err := c.Announce(vip4, mac, false); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("announced after Close: %v, want fs.ErrClosed", err)
	}
}

// TestAnnounceNeverBlocks: behind a queue that lets nothing out, Announce fails and returns.
func TestAnnounceNeverBlocks(t *testing.T) {
	s := newSegment(t)
	c := s.open()
	err := s.router.Kernel().QdiscReplace(&netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: s.port.Index(), Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		Rate:       1000, Buffer: 2e9 / 64, Limit: 10 << 20, // the burst, 2 kB, in units of 64 ns
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("this kernel has no token bucket queue: %v", err)
	}
	s.must(err)
	done := make(chan error, 1)
	go func() {
		for range 100_000 {
			if err := c.Announce(vip4, mac, false); err != nil {
				done <- err
				return
			}
		}
		done <- errors.New("the queue never filled")
	}()
	select {
	case err := <-done:
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOBUFS) {
			t.Errorf("announced into a full queue: %v, want EAGAIN or ENOBUFS", err)
		}
	case <-time.After(patience):
		t.Fatal("still waiting for room in the queue")
	}
}

func TestOpenWithoutRight(t *testing.T) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread without rights dies with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			done <- fmt.Errorf("give up rights: %w", err)
			return
		}
		_, err := Open(1, "lo")
		done <- err
	}()
	if err := <-done; !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "CAP_NET_RAW") {
		t.Errorf("Open without rights: %v, want fs.ErrPermission and the capability's name", err)
	}
}

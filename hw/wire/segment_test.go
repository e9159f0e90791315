package wire

import (
	"cmp"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"standfast/hw/hwtest"
)

func TestMain(m *testing.M) { os.Exit(hwtest.Main(m.Run)) }

// patience bounds every wait of these tests; what they wait for takes milliseconds.
const patience = 10 * time.Second

// segment is a port in a throw-away namespace. All else on its wire is the test.
type segment struct {
	*hwtest.Namespace
	t     *testing.T
	name  string
	index int
	mac   [6]byte
	tap   *os.File
}

var (
	portMAC   = [6]byte{0x02, 0, 0x5e, 0x10, 0, 0x01}
	peerMAC   = [6]byte{0x02, 0, 0x5e, 0x10, 0, 0x02}
	secondMAC = [6]byte{0x02, 0, 0x5e, 0x10, 0, 0x03}
)

// newSegment makes a port that is up and has no address but its link-local one.
func newSegment(t *testing.T) *segment {
	t.Helper()
	router, err := hwtest.New(t).Router("router")
	if err != nil {
		t.Fatal(err)
	}
	s := &segment{Namespace: router.Namespace(), t: t, name: "p4p1", mac: portMAC}
	// An address is usable at once, and the port says nothing of its own.
	for _, name := range []string{"accept_dad", "router_solicitations"} {
		s.sysctl("net/ipv6/conf/default/"+name, "0")
	}
	s.plug()
	return s
}

// second makes another port in the same namespace, on a wire of its own.
func (s *segment) second() *segment {
	s.t.Helper()
	other := &segment{Namespace: s.Namespace, t: s.t, name: "p4p2", mac: secondMAC}
	other.plug()
	return other
}

// plug makes the port.
func (s *segment) plug() {
	s.t.Helper()
	s.do(func() error {
		node := cmp.Or(os.Getenv(hwtest.TunVariable), "/dev/net/tun")
		fd, err := unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		request, err := unix.NewIfreq(s.name)
		if err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		s.tap = os.NewFile(uintptr(fd), s.name)
		return nil
	})
	s.t.Cleanup(func() { s.tap.Close() })
	s.must(s.Kernel().LinkSetHardwareAddr(s.link(), net.HardwareAddr(s.mac[:])))
	s.index = s.link().Attrs().Index
	s.must(s.Kernel().LinkSetUp(s.link()))
}

func (s *segment) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *segment) do(f func() error) {
	s.t.Helper()
	s.must(s.Do(f))
}

func (s *segment) sysctl(name, value string) {
	s.t.Helper()
	s.must(s.Sysctl(name, value))
}

func (s *segment) link() netlink.Link {
	s.t.Helper()
	link, err := s.Kernel().LinkByName(s.name)
	s.must(err)
	return link
}

// address gives the port an address and waits until the kernel lets it be used.
func (s *segment) address(prefix string) {
	s.t.Helper()
	a, err := netlink.ParseAddr(prefix)
	s.must(err)
	s.must(s.Kernel().AddrAdd(s.link(), a))
	eventually(s.t, "the address is in use", func() bool {
		all, err := s.Kernel().AddrList(s.link(), netlink.FAMILY_V6)
		s.must(err)
		return !slices.ContainsFunc(all, func(a netlink.Addr) bool { return a.Flags&unix.IFA_F_TENTATIVE != 0 })
	})
}

// flush takes every address of both families from the port.
func (s *segment) flush() {
	s.t.Helper()
	all, err := s.Kernel().AddrList(s.link(), netlink.FAMILY_ALL)
	s.must(err)
	for _, a := range all {
		s.must(s.Kernel().AddrDel(s.link(), &a))
	}
}

// write puts frames on the wire.
func (s *segment) write(frames ...[]byte) {
	s.t.Helper()
	for _, frame := range frames {
		if _, err := s.tap.Write(frame); err != nil {
			s.t.Fatal(err)
		}
	}
}

// read returns the next frame from the port that match accepts; others, the kernel's own talk, are dropped.
func (s *segment) read(what string, match func(frame []byte) bool) []byte {
	s.t.Helper()
	s.must(s.tap.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, 2048)
	for {
		n, err := s.tap.Read(b)
		if err != nil {
			s.t.Fatalf("waiting for %s from the port: %v", what, err)
		}
		if match(b[:n]) {
			return b[:n]
		}
	}
}

// ethernet is a frame from the peer to dst, as short as Ethernet allows.
func ethernet(dst [6]byte, ethertype uint16, packet []byte) []byte {
	b := append(append([]byte{}, dst[:]...), peerMAC[:]...)
	b = append(binary.BigEndian.AppendUint16(b, ethertype), packet...)
	return append(b, make([]byte, max(0, 60-len(b)))...)
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// within returns what f returns, or fails the test when f does not return.
func within[T any](t *testing.T, what string, f func() T) T {
	t.Helper()
	done := make(chan T, 1)
	go func() { done <- f() }()
	select {
	case v := <-done:
		return v
	case <-time.After(patience):
		t.Fatalf("still waiting: %s", what)
		panic("unreachable")
	}
}

package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"standfast/hw/hwtest"
)

func TestMain(m *testing.M) { os.Exit(hwtest.Main(m.Run)) }

// patience bounds every wait of these tests; what they wait for takes milliseconds.
const patience = 10 * time.Second

// station is a Linux machine at one end of a cable.
type station struct {
	*hwtest.Namespace
	t    *testing.T
	port *hwtest.Port
	link netlink.Link
	// linkLocal is the port's own IPv6 address.
	linkLocal netip.Addr
}

// pair is two machines joined by a cable. They have 10.255.0.1/30 and 10.255.0.2/30, the second has the VIPs as well.
func pair(t *testing.T) (asker, answerer *station) {
	t.Helper()
	lab := hwtest.New(t)
	var routers [2]*hwtest.Router
	for i := range routers {
		r, err := lab.Router(fmt.Sprintf("router%d", i))
		if err != nil {
			t.Fatal(err)
		}
		// An address is usable at once, and the port says nothing of its own.
		for _, name := range []string{"accept_dad", "router_solicitations"} {
			if err := r.Sysctl("net/ipv6/conf/default/"+name, "0"); err != nil {
				t.Fatal(err)
			}
		}
		routers[i] = r
	}
	if _, err := lab.Cable(routers[0], "p4p1", routers[1], "p4p1"); err != nil {
		t.Fatal(err)
	}
	asker, answerer = newStation(t, routers[0], 1), newStation(t, routers[1], 2)
	asker.address("10.255.0.1/30")
	answerer.address("10.255.0.2/30")
	answerer.address(vip4.String() + "/24")
	answerer.address(vip6.String() + "/64")
	asker.settle()
	answerer.settle()
	return asker, answerer
}

var (
	vip4 = netip.MustParseAddr("192.0.2.1")
	vip6 = netip.MustParseAddr("2001:db8::1")
)

func newStation(t *testing.T, r *hwtest.Router, number int) *station {
	t.Helper()
	link, err := r.Namespace().Link("p4p1")
	if err != nil {
		t.Fatal(err)
	}
	s := &station{Namespace: r.Namespace(), t: t, port: r.Port("p4p1"), link: link}
	s.linkLocal = netip.MustParseAddr(fmt.Sprintf("fe80::%d", number))
	s.address(s.linkLocal.String() + "/64")
	return s
}

func (s *station) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// address gives the port an address.
func (s *station) address(prefix string) {
	s.t.Helper()
	a, err := netlink.ParseAddr(prefix)
	s.must(err)
	s.must(s.Kernel().AddrAdd(s.link, a))
}

// settle waits until the kernel has seen the port's carrier and uses all of its addresses.
func (s *station) settle() {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		all, err := s.Kernel().AddrList(s.link, netlink.FAMILY_V6)
		s.must(err)
		if !slices.ContainsFunc(all, func(a netlink.Addr) bool { return a.Flags&unix.IFA_F_TENTATIVE != 0 }) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("addresses are still tentative: %v", all)
		}
	}
}

// flush takes every address of both families from the port.
func (s *station) flush() {
	s.t.Helper()
	all, err := s.Kernel().AddrList(s.link, netlink.FAMILY_ALL)
	s.must(err)
	for _, a := range all {
		s.must(s.Kernel().AddrDel(s.link, &a))
	}
}

// known lists what the kernel knows of its neighbours, groups and router discovery left out.
func (s *station) known() []string {
	s.t.Helper()
	all, err := s.Kernel().NeighList(s.port.Index(), netlink.FAMILY_ALL)
	s.must(err)
	var list []string
	for _, n := range all {
		if !n.IP.IsMulticast() {
			list = append(list, fmt.Sprintf("%v %v %#x", n.IP, n.HardwareAddr, n.State))
		}
	}
	return list
}

// open opens a Conn on the port; it is closed with the test.
func (s *station) open() *Conn {
	s.t.Helper()
	var c *Conn
	s.must(s.Do(func() (err error) {
		c, err = Open(s.port.Index(), s.port.Name(), s.port.MAC())
		return err
	}))
	s.t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a question.
func (s *station) ask(c *Conn, q Question) {
	s.t.Helper()
	s.must(c.Ask(q))
}

// inject sends a whole frame from the port.
func (s *station) inject(frame []byte) {
	s.t.Helper()
	s.must(s.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: s.port.Index()})
	}))
}

// hear returns the next frame that is about the target, or from it.
func hear(t *testing.T, c *Conn, about netip.Addr) Heard {
	t.Helper()
	for {
		r := within(t, "Receive", func() result {
			h, err := c.Receive()
			return result{h, err}
		})
		if r.err != nil {
			t.Fatal(r.err)
		}
		if r.h.Sender == about || r.h.Target == about {
			return r.h
		}
	}
}

type result struct {
	h   Heard
	err error
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

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestLinuxAnswers: a Linux kernel answers every form, no question changes what the asking kernel knows of its neighbours,
// and one from nobody changes nothing at the answering side either.
func TestLinuxAnswers(t *testing.T) {
	tests := []struct {
		name        string
		target      netip.Addr
		own         bool // ask from an own address
		unicast     bool
		unaddressed bool // the asking port has lost its addresses
		trace       bool // the answering kernel learns of the asker
	}{
		{name: "ARP broadcast from nobody", target: vip4},
		{name: "ARP unicast from nobody", target: vip4, unicast: true},
		{name: "ARP broadcast from an own address", target: vip4, own: true, trace: true},
		{name: "ARP unicast from an own address", target: vip4, own: true, unicast: true, trace: true},
		{name: "ARP from a port without addresses", target: vip4, unaddressed: true},
		{name: "ND to the group", target: vip6, own: true, trace: true},
		{name: "ND unicast", target: vip6, own: true, unicast: true, trace: true},
		{name: "ND from a port without addresses", target: vip6, own: true, unaddressed: true, trace: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asker, answerer := pair(t)
			c := asker.open()
			if tt.unaddressed {
				asker.flush()
			}
			q, nobody := Question{Target: tt.target}, netip.IPv4Unspecified()
			if tt.own {
				q.Sender = map[bool]netip.Addr{true: addr("10.255.0.1"), false: asker.linkLocal}[tt.target.Is4()]
				nobody = q.Sender
			}
			if tt.unicast {
				q.To = answerer.port.MAC()
			}
			before := asker.known()
			asker.ask(c, q)
			want := Heard{Op: Reply, Sender: tt.target, MAC: answerer.port.MAC(), Target: nobody, ToUs: true}
			same(t, "answer", want, hear(t, c, tt.target))
			same(t, "neighbours that the asking kernel knows", before, asker.known())
			if got := len(answerer.known()) > 0; got != tt.trace {
				t.Errorf("the answering kernel knows %v, want any: %v", answerer.known(), tt.trace)
			}
			if n := c.Rejected(); n != 0 {
				t.Errorf("Rejected %d, want 0", n)
			}
		})
	}
}

// TestOverhears: questions and claims of another station are reported, with who they were sent to.
func TestOverhears(t *testing.T) {
	listener, talker := pair(t)
	c, other := listener.open(), talker.open()
	absent, mac := addr("10.255.0.3"), talker.port.MAC()
	for _, tt := range []struct {
		name string
		q    Question
		want Heard
	}{
		{
			name: "ARP to everybody", q: Question{Target: absent, Sender: addr("10.255.0.2")},
			want: Heard{Op: Request, Sender: addr("10.255.0.2"), MAC: mac, Target: absent},
		},
		{
			name: "ARP to us", q: Question{Target: absent, To: listener.port.MAC()},
			want: Heard{Op: Request, Sender: addr("0.0.0.0"), MAC: mac, Target: absent, ToUs: true},
		},
		{
			name: "gratuitous ARP", q: Question{Target: absent, Sender: absent},
			want: Heard{Op: Gratuitous, Sender: absent, MAC: mac, Target: absent},
		},
		{
			// The group of the target is not one of ours: an adapter passes it on only because the tap does not filter.
			name: "ND to us", q: Question{Target: addr("2001:db8::3"), Sender: talker.linkLocal, To: listener.port.MAC()},
			want: Heard{Op: Request, Sender: talker.linkLocal, MAC: mac, Target: addr("2001:db8::3"), ToUs: true},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			talker.ask(other, tt.q)
			same(t, "heard", tt.want, hear(t, c, tt.q.Target))
		})
	}
}

// TestPassesOver: what this port sends, what is for others and what is broken is not reported.
func TestPassesOver(t *testing.T) {
	listener, talker := pair(t)
	c, other := listener.open(), talker.open()
	ours, marker := addr("10.255.0.3"), addr("10.255.0.2")
	listener.ask(c, Question{Target: ours})
	listener.ask(c, Question{Target: ours, Sender: addr("10.255.0.1"), To: talker.port.MAC()})
	listener.ask(c, Question{Target: vip6, Sender: listener.linkLocal, To: [6]byte{2, 0, 0, 0, 0, 9}})
	from, mac := talker.port.MAC(), listener.port.MAC()
	ethernet := func(dst [6]byte, kind string, body []byte) []byte {
		return append(append(append(append([]byte{}, dst[:]...), from[:]...), octets(t, kind)...), body...)
	}
	question := appendARP(nil, from, marker, ours)
	talker.inject(ethernet([6]byte{2, 0, 0, 0, 0, 9}, "0806", question)) // to another station
	talker.inject(ethernet([6]byte{2, 0, 0, 0, 0, 9}, "86dd", appendNS(nil, from, talker.linkLocal, vip6, true)))
	talker.inject(ethernet(mac, "8100 0007 0806", question))              // on a VLAN that nobody has here
	talker.inject(ethernet(mac, "0806", question[:arpLen-1]))             // cut off
	talker.inject(ethernet(mac, "86dd", octets(t, "60000000 0000 3aff"))) // no header
	talker.ask(other, Question{Target: marker, Sender: marker})
	for {
		h := within(t, "Receive", func() result {
			h, err := c.Receive()
			return result{h, err}
		})
		if h.err != nil {
			t.Fatal(h.err)
		}
		if h.h.Target == ours || h.h.Target == vip6 || h.h.Sender == vip6 {
			t.Errorf("heard %+v", h.h)
		}
		if h.h.Op == Gratuitous && h.h.Sender == marker {
			break
		}
	}
	if got := c.Rejected(); got != 1 {
		t.Errorf("Rejected %d, want 1", got)
	}
}

// TestFloodHidesNothing: neighbour discovery is heard in the middle of a flood of ARP.
func TestFloodHidesNothing(t *testing.T) {
	listener, talker := pair(t)
	c, other := listener.open(), talker.open()
	for range 100 {
		talker.ask(other, Question{Target: addr("10.255.0.3")})
	}
	talker.ask(other, Question{Target: vip6, Sender: talker.linkLocal, To: listener.port.MAC()})
	// A claim is the last frame of the flood, so that all of it waits in the sockets before the first Receive.
	last := listener.open()
	talker.ask(other, Question{Target: addr("10.255.0.2"), Sender: addr("10.255.0.2")})
	hear(t, last, addr("10.255.0.2"))
	for n := 1; ; n++ {
		r := within(t, "Receive", func() result {
			h, err := c.Receive()
			return result{h, err}
		})
		if r.err != nil {
			t.Fatal(r.err)
		}
		if r.h.Target == vip6 {
			return
		}
		if n == 50 {
			t.Fatal("not heard among the first 50 frames of 101")
		}
	}
}

func TestSurvivesDown(t *testing.T) {
	asker, answerer := pair(t)
	kernel := asker.Kernel()
	asker.must(kernel.LinkSetDown(asker.link))
	c := asker.open() // a port may be down from the start
	for range 2 {
		asker.must(kernel.LinkSetDown(asker.link))
		if err := c.Ask(Question{Target: vip4}); !errors.Is(err, unix.ENETDOWN) {
			t.Errorf("Ask on a port that is down: %v, want ENETDOWN", err)
		}
		asker.must(kernel.LinkSetUp(asker.link))
		asker.ask(c, Question{Target: vip4})
		want := Heard{Op: Reply, Sender: vip4, MAC: answerer.port.MAC(), Target: netip.IPv4Unspecified(), ToUs: true}
		same(t, "answer", want, hear(t, c, vip4))

		// The report of having been down waits in the socket until somebody reads it: now nobody has.
		asker.must(kernel.LinkSetDown(asker.link))
		asker.must(kernel.LinkSetUp(asker.link))
		asker.ask(c, Question{Target: vip4})
		same(t, "answer", want, hear(t, c, vip4))
	}
}

// TestAskNeverBlocks: behind a queue that lets nothing out, Ask fails and returns.
func TestAskNeverBlocks(t *testing.T) {
	asker, _ := pair(t)
	c := asker.open()
	err := asker.Kernel().QdiscReplace(&netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: asker.port.Index(), Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		Rate:       1000, Buffer: 2e9 / 64, Limit: 10 << 20, // the burst, 2 kB, in units of 64 ns
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("this kernel has no token bucket queue: %v", err)
	}
	asker.must(err)
	for _, q := range []Question{{Target: vip4}, {Target: vip6, Sender: asker.linkLocal}} {
		err := within(t, "Ask into a full queue", func() error {
			for range 100_000 {
				if err := c.Ask(q); err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOBUFS) {
			t.Errorf("asking for %v with the queue full: %v, want EAGAIN or ENOBUFS", q.Target, err)
		}
	}
}

func TestClose(t *testing.T) {
	asker, _ := pair(t)
	c := asker.open()
	entered := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		close(entered)
		for {
			if _, err := c.Receive(); err != nil {
				ended <- err
				return
			}
		}
	}()
	<-entered
	asker.must(c.Close())
	if err := within(t, "Receive after Close", func() error { return <-ended }); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Receive during Close: %v, want fs.ErrClosed", err)
	}
	if _, err := c.Receive(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Receive after Close: %v, want fs.ErrClosed", err)
	}
	if err := c.Ask(Question{Target: vip4}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Ask after Close: %v, want fs.ErrClosed", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// TestPortRemoved: a port that is gone ends neither Receive nor Close.
func TestPortRemoved(t *testing.T) {
	asker, _ := pair(t)
	c := asker.open()
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := c.Receive(); err != nil {
				ended <- err
				return
			}
		}
	}()
	asker.must(asker.Kernel().LinkDel(asker.link))
	if err := c.Ask(Question{Target: vip4}); err == nil {
		t.Error("asked on a port that is gone")
	}
	asker.must(c.Close())
	if err := within(t, "Receive after Close", func() error { return <-ended }); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Receive: %v, want fs.ErrClosed", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	asker, _ := pair(t)
	asker.must(asker.Do(func() error {
		c, err := Open(4711, "gone", asker.port.MAC())
		if err == nil {
			c.Close()
			return errors.New("opened a port that is not there")
		}
		if !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("error %w, want %w", err, unix.ENODEV)
		}
		return nil
	}))
}

func TestOpenWithoutRight(t *testing.T) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread without rights dies with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			done <- err
			return
		}
		_, err := Open(1, "lo", [6]byte{})
		done <- err
	}()
	if err := <-done; !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "CAP_NET_RAW") {
		t.Errorf("Open without rights: %v, want fs.ErrPermission and the capability's name", err)
	}
}

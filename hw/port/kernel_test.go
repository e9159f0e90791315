package port

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	mdlayher "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"standfast/hw/hwtest"
)

// These tests ask the running kernel, in network namespaces that are thrown away.

func TestMain(m *testing.M) { os.Exit(hwtest.Main(m.Run)) }

// patience is how long the kernel may take for what it does at once on an idle machine.
const patience = 20 * time.Second

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// room is a network namespace and what the tests do in it.
type room struct {
	t *testing.T
	*hwtest.Namespace
}

// pair is two routers with cables between ports p1, p2 … of both.
func pair(t *testing.T, cables int) (room, []*hwtest.Link) {
	t.Helper()
	lab := hwtest.New(t)
	a, err := lab.Router("a")
	ok(t, err)
	b, err := lab.Router("b")
	ok(t, err)
	var links []*hwtest.Link
	for i := range cables {
		name := fmt.Sprintf("p%d", i+1)
		l, err := lab.Cable(a, name, b, name)
		ok(t, err)
		links = append(links, l)
	}
	return room{t, a.Namespace()}, links
}

func (r room) do(f func() error) {
	r.t.Helper()
	ok(r.t, r.Do(f))
}

func (r room) snapshot() (states []State) {
	r.t.Helper()
	r.do(func() (err error) { states, err = Snapshot(); return err })
	return states
}

func (r room) port(name string) State {
	r.t.Helper()
	return named(r.snapshot(), name)
}

// named is the zero State if there is no such port.
func named(states []State, name string) State {
	i := slices.IndexFunc(states, func(s State) bool { return s.Name == name })
	if i < 0 {
		return State{}
	}
	return states[i]
}

func (r room) add(l netlink.Link) int {
	r.t.Helper()
	ok(r.t, r.Kernel().LinkAdd(l))
	got, err := r.Kernel().LinkByName(l.Attrs().Name)
	ok(r.t, err)
	return got.Attrs().Index
}

func (r room) bridge(name string) int {
	r.t.Helper()
	return r.add(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}})
}

// link is a handle for changes that names the port by index only.
func (r room) link(index int) netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
}

func (r room) addAddress(index int, prefix string) {
	r.t.Helper()
	a, err := netlink.ParseAddr(prefix)
	ok(r.t, err)
	ok(r.t, r.Kernel().AddrAdd(r.link(index), a))
}

func (r room) dropAddress(index int, prefix string) {
	r.t.Helper()
	a, err := netlink.ParseAddr(prefix)
	ok(r.t, err)
	ok(r.t, r.Kernel().AddrDel(r.link(index), a))
}

// watch starts a watcher and hands on what it receives.
func (r room) watch(buffer int) (*Watcher, <-chan Change) {
	r.t.Helper()
	var w *Watcher
	r.do(func() (err error) { w, err = watch(buffer); return err })
	changes, ended := make(chan Change, 1<<16), make(chan error, 1)
	go func() {
		for {
			c, err := w.Receive()
			if err != nil {
				ended <- err
				return
			}
			changes <- c
		}
	}()
	r.t.Cleanup(func() {
		if err := w.Close(); err != nil {
			r.t.Error(err)
		}
		if err := <-ended; !errors.Is(err, fs.ErrClosed) {
			r.t.Errorf("Receive ended with %v, want fs.ErrClosed", err)
		}
	})
	return w, changes
}

// await returns the first change that satisfies the condition.
func await(t *testing.T, changes <-chan Change, what string, holds func(Change) bool) Change {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case c := <-changes:
			if holds(c) {
				return c
			}
		case <-limit:
			t.Fatalf("not reported: %s", what)
		}
	}
}

func TestFirstChangeListsEverything(t *testing.T) {
	r, _ := pair(t, 2)
	r.addAddress(r.port("p1").Index, "192.0.2.1/24")
	_, changes := r.watch(receiveBuffer)
	first := <-changes
	if !first.Resync {
		t.Error("the first change is no full reading")
	}
	p1 := named(first.States, "p1")
	if !slices.Contains(p1.Addresses, netip.MustParsePrefix("192.0.2.1/24")) {
		t.Errorf("p1 lacks its address: %+v", p1)
	}
	if !named(first.States, "lo").Loopback || p1.Loopback {
		t.Error("the loopback is not told from other ports")
	}
	if p1.MAC == [6]byte{} || p1.MTU != 1500 || !p1.AdminUp || p1.Carrier != CarrierUp || !p1.DownCountKnown {
		t.Errorf("p1 is not described: %+v", p1)
	}
}

// TestSiblingsAreReadWhileTheKernelHoldsTheirReportsBack is the reason for Snapshot: after
// one carrier loss was reported the kernel reports no other for a second, but a snapshot
// at the first loss sees them all.
func TestSiblingsAreReadWhileTheKernelHoldsTheirReportsBack(t *testing.T) {
	r, links := pair(t, 4)
	_, changes := r.watch(receiveBuffer)
	<-changes
	silentSecond(t, changes, links, func(cut time.Time) bool {
		states := r.snapshot()
		for _, name := range []string{"p2", "p3", "p4"} {
			if got := named(states, name); got.Carrier != CarrierDown || got.DownCount == 0 {
				t.Errorf("%s: carrier %v, lost %d times", name, got.Carrier, got.DownCount)
			}
		}
		return time.Since(cut) < 500*time.Millisecond // later they would have been reported anyway
	})
}

// TestTheKernelHoldsReportsBack shows that without the snapshot the siblings of a dark
// port are heard of late: otherwise the test above would prove nothing.
func TestTheKernelHoldsReportsBack(t *testing.T) {
	r, links := pair(t, 4)
	_, changes := r.watch(receiveBuffer)
	<-changes
	silentSecond(t, changes, links, func(cut time.Time) bool {
		await(t, changes, "the loss of p4", lost("p4"))
		return time.Since(cut) > 200*time.Millisecond
	})
}

// silentSecond has the kernel report the loss of the first cable, which may take a second
// if others on this machine lose carriers too; cuts the others in the silence that
// follows, and calls then, which tells whether it was in time to show something. A machine
// that was busy elsewhere gets another attempt.
func silentSecond(t *testing.T, changes <-chan Change, links []*hwtest.Link, then func(cut time.Time) bool) {
	t.Helper()
	for range 10 {
		ok(t, links[0].Cut())
		await(t, changes, "the loss of p1", lost("p1"))
		reported := time.Now()
		for _, l := range links[1:] {
			ok(t, l.Cut())
		}
		cut := time.Now()
		if cut.Sub(reported) < 100*time.Millisecond && then(cut) {
			return
		}
		for i, l := range links {
			ok(t, l.Mend())
			name := fmt.Sprintf("p%d", i+1)
			await(t, changes, "the return of "+name, found(name))
		}
	}
	t.Error("in ten attempts the kernel was never caught silent")
}

func lost(name string) func(Change) bool {
	return func(c Change) bool { return named(c.States, name).Carrier == CarrierDown }
}

func found(name string) func(Change) bool {
	return func(c Change) bool { return named(c.States, name).Carrier == CarrierUp }
}

func TestFlapTooShortToBeReportedIsCounted(t *testing.T) {
	r, links := pair(t, 2)
	_, changes := r.watch(receiveBuffer)
	before := named((<-changes).States, "p2")
	ok(t, links[0].Cut())
	await(t, changes, "the loss of p1", lost("p1"))
	ok(t, links[1].Cut())
	ok(t, links[1].Mend())
	await(t, changes, "the flap of p2", func(c Change) bool {
		s := named(c.States, "p2")
		return s.Carrier == CarrierUp && s.DownCount == before.DownCount+1
	})
}

func TestOverrunIsSurvived(t *testing.T) {
	r, links := pair(t, 1)
	p1 := r.port("p1").Index
	var w *Watcher
	r.do(func() (err error) { w, err = watch(4 << 10); return err })
	defer func() { ok(t, w.Close()) }()
	if _, err := w.Receive(); err != nil {
		t.Fatal(err)
	}

	// Nobody reads while three thousand reports are made, the last of them of a carrier.
	for i := range 1000 {
		prefix := fmt.Sprintf("10.%d.%d.1/32", i/250, i%250)
		r.addAddress(p1, prefix)
		if i%2 == 0 {
			r.dropAddress(p1, prefix)
		}
	}
	gone := r.bridge("br0")
	ok(t, r.Kernel().LinkDel(r.link(gone)))
	ok(t, links[0].Cut())

	resyncs := 0
	picture := table{}
	for limit := time.Now().Add(patience); ; {
		c, err := w.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if c.Resync {
			resyncs++
			clear(picture)
		}
		for _, s := range c.States {
			picture[s.Index] = s
		}
		if want := r.snapshot(); picture[p1].Carrier == CarrierDown && cmp.Equal(picture.states(), want) {
			break
		} else if time.Now().After(limit) {
			t.Fatalf("the picture never became true (-want +got):\n%s", cmp.Diff(want, picture.states()))
		}
	}
	if w.Losses() == 0 || resyncs == 0 {
		t.Errorf("%d losses and %d full readings; the storm was to make some", w.Losses(), resyncs)
	}

	// And it goes on hearing.
	added := r.bridge("br1")
	for {
		c, err := w.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if got := named(c.States, "br1"); got.Index == added {
			return
		}
	}
}

func TestRenameRemovalAndReturn(t *testing.T) {
	r, _ := pair(t, 0)
	_, changes := r.watch(receiveBuffer)
	<-changes
	first := r.bridge("br0")
	await(t, changes, "a new port", func(c Change) bool { return named(c.States, "br0").Index == first })

	ok(t, r.Kernel().LinkSetName(r.link(first), "br9"))
	c := await(t, changes, "a rename", func(c Change) bool { return named(c.States, "br9").Index == first })
	if len(c.Removed) != 0 {
		t.Errorf("a rename was reported as the removal of %v", c.Removed)
	}

	ok(t, r.Kernel().LinkDel(r.link(first)))
	await(t, changes, "a removal", func(c Change) bool { return slices.Contains(c.Removed, first) })

	second := r.bridge("br9")
	await(t, changes, "its return", func(c Change) bool { return named(c.States, "br9").Index == second })
	if second == first {
		t.Errorf("the kernel used index %d again; the test is to see another", first)
	}

	// The same index again, chosen by whoever makes the port.
	ok(t, r.Kernel().LinkDel(r.link(second)))
	r.add(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br9", Index: second}})
	removed := false
	await(t, changes, "a removal and a return under one index", func(c Change) bool {
		removed = removed || slices.Contains(c.Removed, second)
		return removed && named(c.States, "br9").Index == second
	})
}

func TestLeavingABridgeIsNoRemoval(t *testing.T) {
	r, _ := pair(t, 1)
	p1, bridge := r.port("p1").Index, r.bridge("br0")
	ok(t, r.Kernel().LinkSetUp(r.link(bridge)))
	_, changes := r.watch(receiveBuffer)
	<-changes
	ok(t, r.Kernel().LinkSetMasterByIndex(r.link(p1), bridge))
	await(t, changes, "the bridge", func(c Change) bool { return named(c.States, "p1").Master == bridge })
	ok(t, r.Kernel().LinkSetNoMaster(r.link(p1)))
	await(t, changes, "the freedom", func(c Change) bool {
		if len(c.Removed) > 0 {
			t.Errorf("reported as removed: %v", c.Removed)
		}
		s := named(c.States, "p1")
		return s.Index == p1 && s.Master == 0
	})
}

func TestSwitchedOffPort(t *testing.T) {
	r, _ := pair(t, 1)
	p1 := r.port("p1").Index
	_, changes := r.watch(receiveBuffer)
	<-changes
	ok(t, r.Kernel().LinkSetDown(r.link(p1)))
	c := await(t, changes, "switched off", func(c Change) bool { s := named(c.States, "p1"); return s.Present && !s.AdminUp })
	if got := named(c.States, "p1").Carrier; got != CarrierUnknown {
		t.Errorf("carrier of a port that is off: %v, want unknown", got)
	}
	ok(t, r.Kernel().LinkSetUp(r.link(p1)))
	await(t, changes, "switched on", func(c Change) bool {
		s := named(c.States, "p1")
		return s.AdminUp && s.Carrier == CarrierUp
	})
}

func TestAddressesComeAndGo(t *testing.T) {
	r, _ := pair(t, 1)
	p1 := r.port("p1").Index
	_, changes := r.watch(receiveBuffer)
	<-changes
	v4, v6 := netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64")
	r.addAddress(p1, v4.String())
	r.addAddress(p1, v6.String()) // reported twice: while it is tested, then as usable
	has := func(s State, p netip.Prefix) bool { return slices.Contains(s.Addresses, p) }
	await(t, changes, "both addresses", func(c Change) bool {
		s := named(c.States, "p1")
		return has(s, v4) && has(s, v6)
	})
	for _, p := range []netip.Prefix{v4, v6} {
		r.dropAddress(p1, p.String())
		c := await(t, changes, "the loss of "+p.String(), func(c Change) bool { return len(c.Deleted) > 0 })
		if want := []AddressGone{{Index: p1, Prefix: p}}; !cmp.Equal(c.Deleted, want, prefixes) {
			t.Error(cmp.Diff(want, c.Deleted, prefixes))
		}
		if has(named(c.States, "p1"), p) {
			t.Errorf("%v is still listed", p)
		}
	}
}

var prefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

// TestRenewalIsNoNews: a leased address is renewed every second.
func TestRenewalIsNoNews(t *testing.T) {
	r, _ := pair(t, 1)
	p1 := r.port("p1").Index
	ok(t, r.Sysctl("net/ipv6/conf/p1/disable_ipv6", "1")) // or an address of its own making comes later
	r.addAddress(p1, "192.0.2.1/24")
	_, changes := r.watch(receiveBuffer)
	if first := <-changes; named(first.States, "p1").OperState != OperUp {
		await(t, changes, "the port's readiness", func(c Change) bool { return named(c.States, "p1").OperState == OperUp })
	}
	a, err := netlink.ParseAddr("192.0.2.1/24")
	ok(t, err)
	a.ValidLft, a.PreferedLft = 30, 30
	ok(t, r.Kernel().AddrReplace(r.link(p1), a))
	r.addAddress(p1, "192.0.2.2/24")
	c := await(t, changes, "the second address", func(c Change) bool { return true })
	if got := named(c.States, "p1").Addresses; !slices.Contains(got, netip.MustParsePrefix("192.0.2.2/24")) {
		t.Errorf("the renewal was reported: %+v", c)
	}
}

// TestForgedReportIsIgnored: with the right to configure the network a process may send
// to the watcher's socket, by mistake or not.
func TestForgedReportIsIgnored(t *testing.T) {
	r, _ := pair(t, 1)
	p1 := r.port("p1").Index
	w, changes := r.watch(receiveBuffer)
	<-changes
	name, err := w.reports.s.Getsockname()
	ok(t, err)
	r.do(func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		forged := wrap(unix.RTM_DELLINK, 0, 0, linkBody(p1, 0, func(ae *mdlayher.AttributeEncoder) {
			ae.String(unix.IFLA_IFNAME, "p1")
		}))
		return unix.Sendto(fd, forged, 0,
			&unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: name.(*unix.SockaddrNetlink).Pid})
	})
	r.bridge("br0")
	await(t, changes, "a genuine report", func(c Change) bool {
		if len(c.Removed) != 0 {
			t.Errorf("a forged report was believed: %+v", c)
		}
		return named(c.States, "br0").Present
	})
}

func TestCounter(t *testing.T) {
	r, links := pair(t, 1)
	p1 := r.port("p1")
	var c *Counter
	r.do(func() (err error) { c, err = OpenCounter("p1"); return err })
	defer func() { ok(t, c.Close()) }()
	before, err := c.Read()
	ok(t, err)
	if before != p1.DownCount {
		t.Errorf("counter %d, snapshot %d", before, p1.DownCount)
	}
	ok(t, links[0].Cut())
	after, err := c.Read()
	ok(t, err)
	if after != before+1 {
		t.Errorf("the counter went from %d to %d, want one more", before, after)
	}

	ok(t, r.Kernel().LinkSetName(r.link(p1.Index), "x1"))
	renamed, err := c.Read()
	ok(t, err)
	if renamed != after {
		t.Errorf("the counter reads %d after a rename, want %d", renamed, after)
	}
}

func TestCounterOfARemovedPort(t *testing.T) {
	r, _ := pair(t, 0)
	index := r.bridge("br0")
	var c *Counter
	r.do(func() (err error) { c, err = OpenCounter("br0"); return err })
	defer func() { ok(t, c.Close()) }()
	ok(t, r.Kernel().LinkDel(r.link(index)))
	if v, err := c.Read(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("read %d, %v; want ENODEV", v, err)
	}
}

func TestCounterThatIsNotOurs(t *testing.T) {
	r, _ := pair(t, 1)
	for _, c := range []struct{ name, port string }{
		{"no such port", "nowhere"},
		{"no interface name", "../../../etc"},
		{"too long a name", "a-name-of-16-byt"},
		{"no name", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.do(func() error {
				if got, err := OpenCounter(c.port); !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("got %v, %v; want fs.ErrNotExist", got, err)
				}
				return nil
			})
		})
	}
	t.Run("the mount of another namespace", func(t *testing.T) {
		elsewhere, _ := pair(t, 0)
		elsewhere.bridge("p1")
		var want device
		elsewhere.do(func() (err error) { want, err = identity("p1"); return err })
		want.index = r.port("p1").Index // as laboratories, and cloned machines, have it
		r.do(func() error {
			if got, err := openCounter(Root, "p1", want); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("got %v, %v; want fs.ErrNotExist", got, err)
			}
			return nil
		})
	})
}

func TestNeighbours(t *testing.T) {
	r, _ := pair(t, 2)
	p1, p2 := r.port("p1").Index, r.port("p2").Index
	entry := func(index int, ip, mac string, state int) {
		t.Helper()
		n := &netlink.Neigh{LinkIndex: index, IP: net.ParseIP(ip), State: state, Family: unix.AF_INET}
		if n.IP.To4() == nil {
			n.Family = unix.AF_INET6
		}
		if mac != "" {
			hw, err := net.ParseMAC(mac)
			ok(t, err)
			n.HardwareAddr = hw
		}
		ok(t, r.Kernel().NeighSet(n))
	}
	entry(p1, "192.0.2.9", "02:00:00:00:00:09", unix.NUD_PERMANENT)
	entry(p1, "2001:db8::9", "02:00:00:00:00:0a", unix.NUD_STALE)
	entry(p1, "192.0.2.10", "02:00:00:00:00:0b", unix.NUD_FAILED)
	entry(p2, "192.0.2.11", "02:00:00:00:00:0c", unix.NUD_PERMANENT)
	var got []Neighbour
	r.do(func() (err error) { got, err = Neighbours(p1); return err })
	slices.SortFunc(got, func(a, b Neighbour) int { return a.Addr.Compare(b.Addr) })
	want := []Neighbour{
		{netip.MustParseAddr("192.0.2.9"), [6]byte{2, 0, 0, 0, 0, 9}},
		{netip.MustParseAddr("2001:db8::9"), [6]byte{2, 0, 0, 0, 0, 10}},
	}
	if diff := cmp.Diff(want, got, addresses); diff != "" {
		t.Errorf("neighbours (-want +got):\n%s", diff)
	}
}

var addresses = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestGateways(t *testing.T) {
	r, _ := pair(t, 2)
	p1, p2 := r.port("p1").Index, r.port("p2").Index
	r.addAddress(p1, "192.0.2.1/24")
	r.addAddress(p2, "198.51.100.1/24")
	route := func(r0 netlink.Route) {
		t.Helper()
		ok(t, r.Kernel().RouteAdd(&r0))
	}
	dst := func(s string) *net.IPNet {
		_, n, err := net.ParseCIDR(s)
		ok(t, err)
		return n
	}
	route(netlink.Route{Dst: dst("0.0.0.0/0"), Gw: net.ParseIP("192.0.2.254")})
	route(netlink.Route{Dst: dst("203.0.113.0/25"), Gw: net.ParseIP("192.0.2.253"), Table: 50})
	route(netlink.Route{Dst: dst("203.0.113.128/25"), MultiPath: []*netlink.NexthopInfo{
		{LinkIndex: p1, Gw: net.ParseIP("192.0.2.252")},
		{LinkIndex: p2, Gw: net.ParseIP("198.51.100.252")},
	}})
	route(netlink.Route{Dst: dst("10.0.0.0/8"), LinkIndex: p1,
		Via: &netlink.Via{AddrFamily: unix.AF_INET6, Addr: net.ParseIP("fe80::1")}})
	route(netlink.Route{Dst: dst("10.1.0.0/16"), LinkIndex: p1, Scope: unix.RT_SCOPE_LINK})
	route(netlink.Route{Dst: dst("2001:db8:1::/48"), LinkIndex: p1, Gw: net.ParseIP("fe80::2")})
	route(netlink.Route{Dst: dst("10.2.0.0/16"), Gw: net.ParseIP("198.51.100.254")})
	var got []netip.Addr
	r.do(func() (err error) { got, err = Gateways(p1); return err })
	slices.SortFunc(got, netip.Addr.Compare)
	var want []netip.Addr
	for _, s := range []string{"192.0.2.252", "192.0.2.253", "192.0.2.254", "fe80::1", "fe80::2"} {
		want = append(want, netip.MustParseAddr(s))
	}
	if diff := cmp.Diff(want, got, addresses); diff != "" {
		t.Errorf("gateways (-want +got):\n%s", diff)
	}
}

func TestIdentifyVirtualPort(t *testing.T) {
	r, _ := pair(t, 1)
	r.do(func() error {
		if got := Identify("p1"); got != (Identity{}) {
			return fmt.Errorf("a tap has the hardware %+v", got)
		}
		return nil
	})
}

func TestCloseEndsReceive(t *testing.T) {
	r, _ := pair(t, 0)
	w, changes := r.watch(receiveBuffer)
	<-changes
	ok(t, w.Close()) // the cleanup checks how Receive ended, and that closing twice is harmless
}

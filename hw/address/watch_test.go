package address

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// watched is a Watcher whose reports come through a channel, so that a test can
// wait for one with a deadline.
type watched struct {
	*Watcher
	reports chan Gone
	ended   chan error
}

func watcher(t *testing.T) *watched {
	t.Helper()
	w, err := Watch()
	if err != nil {
		t.Fatal(err)
	}
	return pump(t, w)
}

func pump(t *testing.T, w *Watcher) *watched {
	t.Helper()
	p := &watched{Watcher: w, reports: make(chan Gone, 4096), ended: make(chan error, 1)}
	go func() {
		for {
			g, err := w.Receive()
			if err != nil {
				p.ended <- err
				return
			}
			p.reports <- g
		}
	}()
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := <-p.ended; !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Receive after Close: %v, want fs.ErrClosed", err)
		}
	})
	return p
}

// soon bounds the wait for a report that must come.
const soon = 10 * time.Second

func (w *watched) next(t *testing.T) Gone {
	t.Helper()
	select {
	case g := <-w.reports:
		return g
	case <-time.After(soon):
		t.Fatalf("no report within %v", soon)
		panic("unreachable")
	}
}

// vips gathers reports until they name n addresses.
func (w *watched) vips(t *testing.T, n int) []VIP {
	t.Helper()
	var all []VIP
	for len(all) < n {
		all = append(all, w.next(t).VIPs...)
	}
	return all
}

func TestForeignDeletionIsSeenAtOnce(t *testing.T) {
	k := namespace(t)
	index := port(t, "p3p1")
	w := watcher(t)
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
	for _, v := range []VIP{
		{Prefix: prefix("192.0.2.1/24"), Index: index, Label: "p3p1:100", Broadcast: addr("192.0.2.255")},
		{Prefix: prefix("2001:db8::1/64"), Index: index},
	} {
		mustSet(t, k, v, MaxLease)
		a, err := netlink.ParseAddr(v.Prefix.String())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := netlink.AddrDel(link, a); err != nil {
			t.Fatal(err)
		}
		got := w.next(t)
		mustSet(t, k, v, MaxLease)
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Errorf("deletion of %v seen and repaired after %v, want 200 ms at most", v, took)
		}
		if diff := cmp.Diff(Gone{VIPs: []VIP{v}}, got, values); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		if _, ok := find(t, v); !ok {
			t.Errorf("%v was not repaired", v)
		}
	}
}

func TestExpiryIsSeen(t *testing.T) {
	k := namespace(t)
	v := VIP{Prefix: prefix("192.0.2.1/24"), Index: port(t, "p3p1"), Label: "p3p1"}
	w := watcher(t)
	mustSet(t, k, v, time.Second)
	if diff := cmp.Diff([]VIP{v}, w.vips(t, 1), values); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// Only deletions, and only of routes of ours, come through the filter.
func TestWatcherHearsNothingElse(t *testing.T) {
	k := namespace(t)
	index := port(t, "p3p1")
	w := watcher(t)
	v := VIP{Prefix: prefix("192.0.2.1/24"), Index: index, Label: "p3p1"}
	for range 3 {
		mustSet(t, k, v, MaxLease)
	}
	foreign := netlink.Route{Dst: ipNet(t, "198.51.100.0/24"), LinkIndex: index, Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_LINK}
	if err := netlink.RouteAdd(&foreign); err != nil {
		t.Fatal(err)
	}
	if err := netlink.RouteDel(&foreign); err != nil {
		t.Fatal(err)
	}
	want := []Route{
		{Dst: prefix("0.0.0.0/0"), Via: addr("192.0.2.254"), Index: index, Table: 70000},
		{Dst: prefix("198.51.100.0/24"), Via: addr("192.0.2.254"), Index: index, Table: unix.RT_TABLE_MAIN, Src: addr("192.0.2.1"), Metric: 5},
	}
	for _, r := range want {
		if err := k.SetRoute(r); err != nil {
			t.Fatal(err)
		}
		ours := netlink.Route{Dst: ipNet(t, r.Dst.String()), LinkIndex: index, Table: int(r.Table), Priority: int(r.Metric)}
		if err := netlink.RouteDel(&ours); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Gone{Routes: []Route{r}}, w.next(t), values); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	}
	if err := k.DropVIP(v); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Gone{VIPs: []VIP{v}}, w.next(t), values); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if n := w.Losses(); n != 0 {
		t.Errorf("%d losses", n)
	}
}

// What the Watcher's documentation warns of: the kernel takes routes in silence,
// and setting them again is all it needs.
func TestRoutesLeaveInSilence(t *testing.T) {
	k := namespace(t)
	index := port(t, "p3p1")
	w := watcher(t)
	v := VIP{Prefix: prefix("192.0.2.1/24"), Index: index, Label: "p3p1"}
	r := Route{Dst: prefix("198.51.100.0/24"), Via: addr("192.0.2.254"), Index: index, Src: addr("192.0.2.1")}
	mustSet(t, k, v, 0)
	if err := k.SetRoute(r); err != nil {
		t.Fatal(err)
	}
	if err := k.DropVIP(v); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Gone{VIPs: []VIP{v}}, w.next(t), values); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if left := kernelRoutes(t, index, Protocol); len(left) != 0 {
		t.Errorf("still there without its source address: %q", left)
	}
	mustSet(t, k, v, 0)
	if err := k.SetRoute(r); err != nil {
		t.Error(err)
	}
}

// More deletions than the socket holds are one Resync, after which the watcher
// misses nothing.
func TestLossIsAResync(t *testing.T) {
	k := namespace(t)
	index := port(t, "p3p1")
	slow, err := watch(1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		v := VIP{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 32), Index: index}
		mustSet(t, k, v, 0)
		if err := k.DropVIP(v); err != nil {
			t.Fatal(err)
		}
	}
	w := pump(t, slow)
	for !w.next(t).Resync {
	}
	v := VIP{Prefix: prefix("192.0.2.1/24"), Index: index, Label: "p3p1"}
	mustSet(t, k, v, 0)
	if err := k.DropVIP(v); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Gone{VIPs: []VIP{v}}, w.next(t), values); diff != "" {
		t.Errorf("the report after a loss (-want +got):\n%s", diff)
	}
	if n := w.Losses(); n != 1 {
		t.Errorf("%d losses counted, want 1", n)
	}
}

func ipNet(t *testing.T, s string) *net.IPNet {
	t.Helper()
	_, n, err := net.ParseCIDR(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

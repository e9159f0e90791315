package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/hw/address"
	"standfast/hw/port"
	"standfast/vrrp"
	"standfast/vrrp/node"
)

// pairFile is a router of the pair: adverts on a cable, VIPs on two LANs.
func pairFile(priority int, vips ...string) string {
	if vips == nil {
		vips = []string{"192.0.2.1/24 dev lan0", "198.51.100.1/24 dev lan1"}
	}
	return fmt.Sprintf(`vrrp_instance VI_0 {
    state BACKUP
    interface cable
    virtual_router_id 50
    priority %d
    advert_int 1
    notify_master /etc/promote
    notify_backup /etc/demote
    notify_fault /etc/fault
    notify_stop /etc/stop
    notify /etc/any
    authentication {
        auth_type PASS
        auth_pass secret
    }
    virtual_ipaddress {
        %s
    }
    virtual_routes {
        203.0.113.0/24 via 192.0.2.254 dev lan0
    }
}
`, priority, strings.Join(vips, "\n        "))
}

// pair is two routers, a cable and two LANs with a gateway on each.
type pair struct {
	*world
	a, b  *twinHost
	cable *segment
}

func newPair() *pair {
	w := newWorld()
	p := &pair{world: w, cable: &segment{cable: true}}
	lan0, lan1 := &segment{}, &segment{}
	p.a, p.b = w.host("a"), w.host("b")
	for i, h := range []*twinHost{p.a, p.b} {
		h.plug(p.cable, "cable", fmt.Sprintf("10.255.0.%d/30", i+1))
		h.plug(lan0, "lan0")
		h.plug(lan1, "lan1")
	}
	gateway := w.host("gateway")
	gateway.plug(lan0, "lan0", "192.0.2.254/24")
	gateway.plug(lan1, "lan1", "198.51.100.254/24")
	p.a.configure(pairFile(100))
	p.b.configure(pairFile(50))
	return p
}

// steady runs both until A has been MASTER for long enough to be calibrated.
func (p *pair) steady(t *testing.T) (a, b *service, ended func()) {
	t.Helper()
	a, endA := p.a.run(t)
	b, endB := p.b.run(t)
	time.Sleep(15 * time.Second)
	synctest.Wait()
	wantState(t, a, vrrp.Master)
	wantState(t, b, vrrp.Backup)
	for _, h := range []*twinHost{p.a, p.b} {
		h.did()
		h.scriptsRun()
	}
	return a, b, func() {
		for _, h := range []*twinHost{p.a, p.b} {
			if len(h.signals) == 0 {
				h.signals <- syscall.SIGTERM
			}
		}
		for _, end := range []func() error{endA, endB} {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
	}
}

func snapshotOf(t *testing.T, s *service) Snapshot {
	t.Helper()
	snapshot, err := s.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func wantState(t *testing.T, s *service, want vrrp.State) {
	t.Helper()
	if got := snapshotOf(t, s).Status.Instances[0].State; got != want {
		t.Fatalf("%s is %v, want %v", s.options.File, got, want)
	}
}

func wantHolds(t *testing.T, h *twinHost, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, h.holds()); diff != "" {
		t.Errorf("addresses in the kernel of %s (-want +got):\n%s", h.name, diff)
	}
}

func TestElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, endA := p.a.run(t)
		b, endB := p.b.run(t)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantState(t, a, vrrp.Master)
		wantState(t, b, vrrp.Backup)
		wantHolds(t, p.a, "192.0.2.1/24", "198.51.100.1/24")
		wantHolds(t, p.b)
		if n := p.a.kernelRoutes(); n != 1 {
			t.Errorf("%d routes in the kernel of a, want 1", n)
		}
		want := []string{
			"VI_0: /etc/demote", "VI_0: /etc/any INSTANCE VI_0 BACKUP 100",
			"VI_0: /etc/promote", "VI_0: /etc/any INSTANCE VI_0 MASTER 100",
		}
		if diff := cmp.Diff(want, p.a.scriptsRun()); diff != "" {
			t.Errorf("scripts of a (-want +got):\n%s", diff)
		}
		for _, line := range []string{"(VI_0) Entering BACKUP STATE (init)", "(VI_0) Entering MASTER STATE\""} {
			if !strings.Contains(p.a.log.String(), line) {
				t.Errorf("the log of a has no line %q", line)
			}
		}
		if !slices.Contains(p.a.statuses, "READY VI_0 BACKUP") {
			t.Errorf("the supervisor was told %q", p.a.statuses)
		}
		p.a.signals <- syscall.SIGTERM
		p.b.signals <- syscall.SIGTERM
		for _, end := range []func() error{endA, endB} {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestPowerOffIsTakenOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		_, b, ended := p.steady(t)
		p.b.ports["lan0"].claimed()
		p.a.powerOff()
		time.Sleep(60 * time.Millisecond)
		synctest.Wait()
		wantState(t, b, vrrp.Master)
		wantHolds(t, p.b, "192.0.2.1/24", "198.51.100.1/24")
		vip := netip.MustParseAddr("192.0.2.1")
		if diff := cmp.Diff(slices.Repeat([]netip.Addr{vip}, 5), p.b.ports["lan0"].claimed(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("announcements on lan0 (-want +got):\n%s", diff)
		}
		h := snapshotOf(t, b).History
		if got := h[len(h)-1].Transition.Verdict.Rule.String(); got != "backup-5-peer-dead" {
			t.Errorf("taken over by rule %s", got)
		}
		ended()
	})
}

// The kernel holds carrier losses back for a second after it reported one, so
// in that second the counters are read more often.
func TestCountersAreReadMoreOftenWhileReportsAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		_, _, ended := p.steady(t)
		readings := func(h *twinHost) int {
			p.mu.Lock()
			h.counted = 0
			p.mu.Unlock()
			time.Sleep(time.Second)
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			return h.counted
		}
		if n := readings(p.b); n < 49 || n > 51 {
			t.Errorf("%d readings in a quiet second, want 50", n)
		}
		p.b.ports["lan1"].carrier(port.CarrierDown)
		synctest.Wait()
		if n := readings(p.b); n < 480 {
			t.Errorf("%d readings in the second after a report, want about 500", n)
		}
		time.Sleep(time.Second)
		if n := readings(p.b); n < 49 || n > 51 {
			t.Errorf("%d readings later, want 50 again", n)
		}
		if n := readings(p.a); n < 9 || n > 11 {
			t.Errorf("%d readings of the MASTER, want 10", n)
		}
		ended()
	})
}

func TestCutCableMovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, b, ended := p.steady(t)
		p.cutCable(p.cable)
		for range 60 {
			time.Sleep(time.Second)
			synctest.Wait()
			wantState(t, a, vrrp.Master)
			wantState(t, b, vrrp.Backup)
			wantHolds(t, p.a, "192.0.2.1/24", "198.51.100.1/24")
			wantHolds(t, p.b)
		}
		if ran := append(p.a.scriptsRun(), p.b.scriptsRun()...); len(ran) > 0 {
			t.Errorf("scripts were run: %v", ran)
		}
		ended()
	})
}

func TestReloadTouchesOnlyWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, _, ended := p.steady(t)
		p.a.ports["lan1"].claimed()
		p.a.reload(pairFile(100, "192.0.2.1/24 dev lan0", "198.51.100.7/24 dev lan1"))
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		wantHolds(t, p.a, "192.0.2.1/24", "198.51.100.7/24")
		wantState(t, a, vrrp.Master)
		for _, deed := range p.a.did() {
			switch deed {
			case "drop 198.51.100.1/24", "add 198.51.100.7/24 3s", "renew 192.0.2.1/24 3s", "route 203.0.113.0/24":
			default:
				t.Errorf("the reload did to the kernel: %s", deed)
			}
		}
		if claims := p.a.ports["lan1"].claimed(); !slices.Contains(claims, netip.MustParseAddr("198.51.100.7")) {
			t.Errorf("the added address was not announced: %v", claims)
		}
		if ran := p.a.scriptsRun(); len(ran) > 0 {
			t.Errorf("scripts were run: %v", ran)
		}
		ended()
	})
}

// The kernel takes later addresses of a subnet away with the first. That is no
// somebody else's doing, and they come back.
func TestReloadRemovesTheFirstOfASubnet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		p.a.configure(pairFile(100, "192.0.2.1/24 dev lan0", "192.0.2.2/24 dev lan0", "198.51.100.1/24 dev lan1"))
		a, _, ended := p.steady(t)
		wantHolds(t, p.a, "192.0.2.1/24", "192.0.2.2/24", "198.51.100.1/24")
		p.a.reload(pairFile(100, "192.0.2.2/24 dev lan0", "198.51.100.1/24 dev lan1"))
		time.Sleep(time.Second)
		synctest.Wait()
		wantState(t, a, vrrp.Master)
		wantHolds(t, p.a, "192.0.2.2/24", "198.51.100.1/24")
		if strings.Contains(p.a.log.String(), "somebody else") {
			t.Error("our own deletion was taken for somebody else's")
		}
		ended()
	})
}

// A change that the brain does not see, such as a label, reaches the kernel too.
func TestReloadOfWhatOnlyTheKernelSees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		_, _, ended := p.steady(t)
		p.a.reload(pairFile(100, "192.0.2.1/24 dev lan0", "198.51.100.1/24 dev lan1 label lan1:1"))
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		// The report of the deletion may come before the change has ended; then
		// everything is set once more.
		want := []string{"drop 198.51.100.1/24", "add 198.51.100.1/24 3s", "route 203.0.113.0/24"}
		did := p.a.did()
		if again := []string{"renew 192.0.2.1/24 3s", "renew 198.51.100.1/24 3s", "route 203.0.113.0/24"}; len(did) > len(want) {
			want = append(want, again...)
		}
		if diff := cmp.Diff(want, did); diff != "" {
			t.Errorf("what was done to the kernel (-want +got):\n%s", diff)
		}
		if strings.Contains(p.a.log.String(), "somebody else") {
			t.Error("our own deletion was taken for somebody else's")
		}
		ended()
	})
}

func TestBrokenReloadChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, b, ended := p.steady(t)
		p.a.reload("vrrp_instance VI_0 {\n    interface cable\n    virtual_router_id 999\n    priority none\n")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantState(t, a, vrrp.Master)
		wantState(t, b, vrrp.Backup)
		wantHolds(t, p.a, "192.0.2.1/24", "198.51.100.1/24")
		for _, complaint := range []string{"standfast.conf:3:", "standfast.conf:4:", "stays in force"} {
			if !strings.Contains(p.a.log.String(), complaint) {
				t.Errorf("the log does not mention %q", complaint)
			}
		}
		ended()
	})
}

func TestStopSaysGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		_, b, ended := p.steady(t)
		p.cable.sent = nil
		p.a.signals <- syscall.SIGTERM
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		wantHolds(t, p.a)
		if n := p.a.kernelRoutes(); n != 0 {
			t.Errorf("%d routes left behind", n)
		}
		if prio := p.cable.sent[0].Payload[2]; prio != 0 {
			t.Errorf("the last advert has priority %d, want 0", prio)
		}
		want := []string{"VI_0: /etc/stop", "VI_0: /etc/any INSTANCE VI_0 STOP 100"}
		if diff := cmp.Diff(want, p.a.scriptsRun()); diff != "" {
			t.Errorf("scripts (-want +got):\n%s", diff)
		}
		wantState(t, b, vrrp.Master)
		ended()
	})
}

// A kernel that takes no addresses makes a router that cannot serve: it says so
// on the wire, and everything else goes on.
func TestStuckActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		_, b, ended := p.steady(t)
		release := make(chan struct{})
		p.mu.Lock()
		p.b.stuck = release
		p.mu.Unlock()
		p.a.powerOff()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		wantState(t, b, vrrp.Fault)
		if last := p.cable.sent[len(p.cable.sent)-1]; last.Payload[2] != 0 {
			t.Errorf("the last advert has priority %d, want 0", last.Payload[2])
		}
		p.mu.Lock()
		p.b.stuck = nil
		p.mu.Unlock()
		close(release)
		time.Sleep(time.Second)
		synctest.Wait()
		wantState(t, b, vrrp.Master)
		wantHolds(t, p.b, "192.0.2.1/24", "198.51.100.1/24")
		ended()
	})
}

// stuckWriter is a log daemon that has stopped reading.
type stuckWriter chan struct{}

func (w stuckWriter) Write([]byte) (int, error) {
	<-w
	return 0, io.ErrClosedPipe
}

// A log that nobody reads delays nothing, however much there is to say.
func TestStuckJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		stuck := make(stuckWriter)
		written := newJournal(stuck, slog.LevelDebug, 2)
		end := background(written.Run)
		p.b.logger = written.Logger()
		_, b, ended := p.steady(t)
		p.a.powerOff()
		time.Sleep(60 * time.Millisecond)
		synctest.Wait()
		wantState(t, b, vrrp.Master)
		wantHolds(t, p.b, "192.0.2.1/24", "198.51.100.1/24")
		if written.Dropped() == 0 {
			t.Error("the journal dropped nothing: it was not stuck")
		}
		ended()
		end()
		close(stuck)
	})
}

// idle is a service whose loop does not run: the test goes round in its place.
func idle(t *testing.T, h *twinHost) *service {
	t.Helper()
	p, _, err := load(h.edges().files, "/etc/standfast.conf")
	if err != nil {
		t.Fatal(err)
	}
	s := newService(Options{}, h.edges(), outlets{log: discard(), supervisor: h, scripts: h, lines: h}, p)
	states, _ := s.edges.ports.Snapshot()
	s.book.apply(port.Change{Resync: true, States: states})
	s.follow()
	s.step(s.book.portsRead(s.plan.ports()))
	return s
}

// advert is one of a MASTER of priority 100, heard now.
func advert(t *testing.T, s *service) stamped {
	t.Helper()
	src, dst := netip.MustParseAddr("10.255.0.1"), netip.MustParseAddr("224.0.0.18")
	payload, err := s.plan.node.Instances[0].VRRP.Advert(100).Append(nil, src, dst)
	if err != nil {
		t.Fatal(err)
	}
	return stamped{at: s.edges.now(), event: node.Frame{
		Port: "cable", MAC: node.MAC{2, 9}, Src: src, Dst: dst, TTL: 255, Payload: payload,
	}}
}

// An advert that waits in the queue, or that a receiver hands over as soon as a
// stall is over, is heard before a silence is announced.
func TestQueuedAdvertIsNoSilence(t *testing.T) {
	for name, c := range map[string]struct {
		late  time.Duration // the loop, behind its deadline
		queue func(*service, func() stamped)
	}{
		"queued before the deadline": {5 * time.Millisecond, func(s *service, a func() stamped) { s.frames <- a() }},
		"handed over after a stall": {time.Second, func(s *service, a func() stamped) {
			time.AfterFunc(time.Second+2*time.Millisecond, func() { s.frames <- a() })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := idle(t, newPair().b)
				for range 20 {
					due, ok := s.brain.Deadline()
					if !ok {
						t.Fatal("no deadline")
					}
					time.Sleep(time.Duration(due) - s.edges.now() - time.Millisecond)
					c.queue(s, func() stamped { return advert(t, s) })
					time.Sleep(time.Millisecond + c.late)
					s.expire()
				}
				if i := s.brain.Status().Instances[0]; i.State != vrrp.Backup || i.Doubt != "" {
					t.Errorf("the router is %v in doubt %q though an advert came each time", i.State, i.Doubt)
				}
				time.Sleep(5 * time.Second)
				s.expire()
				if i := s.brain.Status().Instances[0]; i.Doubt == "" {
					t.Error("five seconds of silence raise no doubt")
				}
			})
		})
	}
}

// An answer to what was asked before the last request is no answer to that.
func TestStaleAnswerIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := idle(t, newPair().b)
		key := s.plan.node.Instances[0].Key()
		s.install(node.Install{Key: key, Lease: 3 * time.Second})
		installed, _ := s.mutations.take()
		s.withdraw(node.Withdraw{Key: key})
		withdrawn, _ := s.mutations.take()
		s.takeAnswer(installed.done(nil, 0))
		if _, waits := s.requests[key]; !waits {
			t.Error("the answer to Install was taken for one to Withdraw")
		}
		s.takeAnswer(withdrawn.done(nil, 0))
		if _, waits := s.requests[key]; waits {
			t.Error("the answer to Withdraw was not taken")
		}
	})
}

func TestForeignDeletionIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, _, ended := p.steady(t)
		p.mu.Lock()
		p.a.remove(object{index: p.a.ports["lan0"].state.Index, prefix: netip.MustParsePrefix("192.0.2.1/24")})
		p.mu.Unlock()
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		wantHolds(t, p.a, "192.0.2.1/24", "198.51.100.1/24")
		wantState(t, a, vrrp.Master)
		if ran := p.a.scriptsRun(); len(ran) > 0 {
			t.Errorf("scripts were run: %v", ran)
		}
		ended()
	})
}

func TestLeftoversAreRemovedBeforeReady(t *testing.T) {
	for name, c := range map[string]struct {
		crowded bool
		want    []string
	}{
		"alone":          {false, nil},
		"beside another": {true, []string{"192.0.2.1/24", "192.0.2.99/24"}},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { testLeftovers(t, c.crowded, c.want) }) })
	}
}

func testLeftovers(t *testing.T, crowded bool, want []string) {
	p := newPair()
	p.a.crowded = crowded
	for _, prefix := range []string{"192.0.2.1/24", "192.0.2.99/24"} {
		v := address.VIP{Prefix: netip.MustParsePrefix(prefix), Index: p.a.ports["lan0"].state.Index}
		p.a.vips[identify(v)] = v
		p.a.order = append(p.a.order, identify(v))
	}
	_, end := p.a.run(t)
	synctest.Wait()
	wantHolds(t, p.a, want...)
	p.a.terminate(t, end)
}

// An address that an administrator put on the interface for good is neither
// leased nor removed.
func TestPermanentAddressIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		p.a.permanent[object{index: p.a.ports["lan0"].state.Index, prefix: netip.MustParsePrefix("192.0.2.1/24")}] = true
		_, _, ended := p.steady(t)
		wantHolds(t, p.a, "198.51.100.1/24")
		ended()
		for _, deed := range p.a.did() {
			if strings.Contains(deed, "192.0.2.1/24") {
				t.Errorf("the kernel was asked to %s", deed)
			}
		}
	})
}

func TestInterfaceThatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		late := p.a.ports["lan1"]
		late.state.Present = false
		a, end := p.a.run(t)
		time.Sleep(90 * time.Second)
		synctest.Wait()
		wantHolds(t, p.a, "192.0.2.1/24") // partial service
		for _, line := range []string{"interface lan1 does not exist", "still waiting for interfaces that do not exist: lan1"} {
			if !strings.Contains(p.a.log.String(), line) {
				t.Errorf("the log has no line %q", line)
			}
		}
		p.mu.Lock()
		late.state.Present, late.state.Index = true, 77
		late.report()
		p.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantState(t, a, vrrp.Master)
		wantHolds(t, p.a, "192.0.2.1/24", "198.51.100.1/24")
		p.a.terminate(t, end)
	})
}

// The heartbeat port is removed and made again with another index: the adverts
// go on, on new sockets.
func TestHeartbeatPortIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, b, ended := p.steady(t)
		cable := p.a.ports["cable"]
		p.mu.Lock()
		old := cable.state.Index
		cable.state.Index = 78
		for c := range p.a.watchers {
			c <- port.Change{Removed: []int{old}, States: []port.State{cable.state}}
		}
		p.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		p.mu.Lock()
		p.cable.sent = nil
		p.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantState(t, a, vrrp.Master)
		wantState(t, b, vrrp.Backup)
		if n := len(p.cable.sent); n < 9 {
			t.Errorf("%d adverts in ten seconds", n)
		}
		ended()
	})
}

func TestStopOfContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		load, _, err := load(p.a.edges().files, "/etc/standfast.conf")
		if err != nil {
			t.Fatal(err)
		}
		s := newService(Options{}, p.a.edges(), outlets{log: discard(), supervisor: p.a, scripts: p.a, lines: p.a}, load)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		if err := s.serve(ctx); err != nil {
			t.Error(err)
		}
		wantHolds(t, p.a)
	})
}

// groupFile is a router with an instance of each family in one group.
func groupFile(priority int) string {
	instance := func(name, vip, lan string) string {
		return fmt.Sprintf(`vrrp_instance %s {
    interface cable
    version 3
    virtual_router_id 50
    priority %d
    advert_int 1
    notify /etc/any
    virtual_ipaddress {
        %s dev %s
    }
}
`, name, priority, vip, lan)
	}
	return instance("V4", "192.0.2.1/24", "lan0") + instance("V6", "fe80::1/64", "lan1") + `vrrp_sync_group G {
    group {
        V4
        V6
    }
    notify_master /etc/promote
    notify /etc/group
}
`
}

// Both families serve together, and the scripts of the group run beside those of
// its members.
func TestGroupOfTwoFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		for _, h := range []*twinHost{p.a, p.b} {
			for _, port := range h.ports {
				linkLocal := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: port.state.MAC[5]})
				port.state.Addresses = append(port.state.Addresses, netip.PrefixFrom(linkLocal, 64))
			}
		}
		p.a.configure(groupFile(100))
		p.b.configure(groupFile(50))
		_, b, ended := p.steady(t)
		wantHolds(t, p.a, "192.0.2.1/24", "fe80::1/64")
		p.a.powerOff()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		wantHolds(t, p.b, "192.0.2.1/24", "fe80::1/64")
		for _, i := range snapshotOf(t, b).Status.Instances {
			if i.State != vrrp.Master {
				t.Errorf("%s is %v", i.Name, i.State)
			}
		}
		ran := p.b.scriptsRun()
		for _, script := range []string{
			"V4: /etc/any INSTANCE V4 MASTER 50", "V6: /etc/any INSTANCE V6 MASTER 50",
			"GROUP G: /etc/promote", "GROUP G: /etc/group GROUP G MASTER 0",
		} {
			if !slices.Contains(ran, script) {
				t.Errorf("%q was not run, but %q", script, ran)
			}
		}
		ended()
	})
}

// A route that somebody else removes comes back as well.
func TestForeignRouteDeletionIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		_, _, ended := p.steady(t)
		p.mu.Lock()
		for r := range p.a.routes {
			delete(p.a.routes, r)
			for c := range p.a.gone {
				c <- address.Gone{Routes: []address.Route{r}}
			}
		}
		p.mu.Unlock()
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if n := p.a.kernelRoutes(); n != 1 {
			t.Errorf("%d routes in the kernel, want 1", n)
		}
		ended()
	})
}

// What the kernel takes away without a word comes back: routes when their port
// was switched off, everything after lost reports.
func TestSilentLossesAreRepaired(t *testing.T) {
	for name, lose := range map[string]func(*twinHost){
		"an address of the port went": func(h *twinHost) {
			gone := port.AddressGone{Index: h.ports["lan0"].state.Index, Prefix: netip.MustParsePrefix("192.0.2.33/24")}
			for c := range h.watchers {
				c <- port.Change{States: []port.State{h.ports["lan0"].state}, Deleted: []port.AddressGone{gone}}
			}
		},
		"reports were lost": func(h *twinHost) {
			for c := range h.gone {
				c <- address.Gone{Resync: true}
			}
		},
		"the watcher failed": func(h *twinHost) {
			for c := range h.gone {
				close(c)
				delete(h.gone, c)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair()
				a, _, ended := p.steady(t)
				p.mu.Lock()
				clear(p.a.routes)
				lose(p.a)
				p.mu.Unlock()
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if n := p.a.kernelRoutes(); n != 1 {
					t.Errorf("%d routes in the kernel, want 1", n)
				}
				wantState(t, a, vrrp.Master)
				if ran := p.a.scriptsRun(); len(ran) > 0 {
					t.Errorf("scripts were run: %v", ran)
				}
				ended()
			})
		})
	}
}

// A port watcher that fails is replaced, and what happened meanwhile is learnt.
func TestPortWatcherIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, _, ended := p.steady(t)
		p.mu.Lock()
		for c := range p.a.watchers {
			close(c)
			delete(p.a.watchers, c)
		}
		lan := p.a.ports["lan0"]
		lan.state.Carrier = port.CarrierDown
		p.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if i := snapshotOf(t, a).Status.Instances[0]; len(i.Faults) == 0 {
			t.Errorf("the lost carrier of lan0 was not noticed: %+v", i)
		}
		ended()
	})
}

// A socket that breaks is opened again.
func TestBrokenSocketIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		_, b, ended := p.steady(t)
		p.mu.Lock()
		for c := range p.b.ports["cable"].wires {
			close(c.frames)
			delete(p.b.ports["cable"].wires, c)
		}
		p.mu.Unlock()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		wantState(t, b, vrrp.Backup)
		if heard := snapshotOf(t, b).Status.Instances[0].Doubt; heard != "" {
			t.Errorf("b is in doubt: %s", heard)
		}
		ended()
	})
}

// A firewall that drops adverts is named, and does no harm.
func TestFirewallIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		p.b.raw = 0
		_, b, ended := p.steady(t)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		wantState(t, b, vrrp.Backup)
		if line := "drops the adverts that come to cable"; strings.Count(p.b.log.String(), line) != 1 {
			t.Errorf("the log does not say once %q", line)
		}
		ended()
	})
}

// A firewall that begins to drop adverts while the service runs is named too, and
// so is its end.
func TestLateFirewallIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		_, b, ended := p.steady(t)
		for _, raw := range []uint64{1, 0, 1} {
			p.mu.Lock()
			p.b.raw = raw
			p.mu.Unlock()
			time.Sleep(30 * time.Second)
			synctest.Wait()
			for _, port := range statusDocument(snapshotOf(t, b)).Ports {
				if want := port.Name == "cable" && raw == 0; port.Filtered != want {
					t.Errorf("with %d: %s filtered %v, want %v", raw, port.Name, port.Filtered, want)
				}
			}
		}
		if line := "drops the adverts that come to cable"; strings.Count(p.b.log.String(), line) != 1 {
			t.Errorf("the log does not say once %q", line)
		}
		ended()
	})
}

// What somebody else removes while a change of ours is under way is not lost in
// it.
func TestDeletionDuringAChangeIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		_, _, ended := p.steady(t)
		lan0 := object{index: p.a.ports["lan0"].state.Index, prefix: netip.MustParsePrefix("192.0.2.1/24")}
		p.mu.Lock()
		p.a.slow = 10 * time.Millisecond
		p.a.during = func(deed string) {
			if deed == "drop 198.51.100.1/24" {
				p.a.remove(lan0)
			}
		}
		p.mu.Unlock()
		p.a.reload(pairFile(100, "192.0.2.1/24 dev lan0", "198.51.100.1/24 dev lan1 label lan1:1"))
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		wantHolds(t, p.a, "192.0.2.1/24", "198.51.100.1/24")
		ended()
	})
}

// A serving port that is made again between two looks has lost its addresses;
// they are put on the new one, and announced there.
func TestServingPortIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, _, ended := p.steady(t)
		lan := p.a.ports["lan0"]
		lan.claimed()
		p.mu.Lock()
		old := lan.state.Index
		delete(p.a.vips, object{index: old, prefix: netip.MustParsePrefix("192.0.2.1/24")})
		lan.state.Index = 79
		for c := range p.a.watchers {
			c <- port.Change{Removed: []int{old}, States: []port.State{lan.state}}
		}
		p.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		wantState(t, a, vrrp.Master)
		wantHolds(t, p.a, "192.0.2.1/24", "198.51.100.1/24")
		if claims := lan.claimed(); len(claims) == 0 {
			t.Error("nothing was announced on the new port")
		}
		ended()
	})
}

// A router in FAULT puts nothing back.
func TestNothingIsRepairedInFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, _, ended := p.steady(t)
		p.mu.Lock()
		p.a.ports["lan1"].carrier(port.CarrierDown)
		p.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		wantState(t, a, vrrp.Fault)
		wantHolds(t, p.a)
		p.mu.Lock()
		for c := range p.a.gone {
			c <- address.Gone{Resync: true}
		}
		p.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		wantHolds(t, p.a)
		ended()
	})
}

// A route that the kernel refuses keeps nobody from serving: it is tried again,
// and what else happens meanwhile is not overlooked.
func TestRefusedRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		p.a.noRoute = syscall.ENETUNREACH
		a, _, ended := p.steady(t)
		wantHolds(t, p.a, "192.0.2.1/24", "198.51.100.1/24")
		if n := strings.Count(p.a.log.String(), syscall.ENETUNREACH.Error()); n != 1 {
			t.Errorf("the refusal was logged %d times, want once", n)
		}
		p.mu.Lock()
		p.a.remove(object{index: p.a.ports["lan0"].state.Index, prefix: netip.MustParsePrefix("192.0.2.1/24")})
		p.mu.Unlock()
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		wantHolds(t, p.a, "192.0.2.1/24", "198.51.100.1/24")
		p.mu.Lock()
		p.a.noRoute = nil
		p.mu.Unlock()
		time.Sleep(wishSeldom)
		synctest.Wait()
		if n := p.a.kernelRoutes(); n != 1 {
			t.Errorf("%d routes in the kernel, want 1", n)
		}
		wantState(t, a, vrrp.Master)
		ended()
	})
}

// TestBrokenPacketsAreCountedOn says that what a socket counted is not lost with it.
func TestBrokenPacketsAreCountedOn(t *testing.T) {
	key := socketKey{port: "p4p1", kind: wireSocket}
	s := &service{sockets: map[socketKey]socket{}}
	for _, step := range []struct {
		news socketNews
		want uint64
	}{
		{socketNews{key: key, socket: socket{wire: &twinWire{rejected: 3}}}, 3},
		{socketNews{key: key, socket: socket{wire: &twinWire{rejected: 2}}}, 5},
		{socketNews{key: key}, 5},
		{socketNews{key: key, socket: socket{wire: &twinWire{rejected: 1}}}, 6},
	} {
		s.takeSocket(step.news)
		if got := s.broken(); got != step.want {
			t.Errorf("%d broken packets, want %d", got, step.want)
		}
	}
}

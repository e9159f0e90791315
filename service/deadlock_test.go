package service

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"standfast/hw/hwtest"
	"standfast/service/helper"
)

// deadlockVariable makes a test the daemon of another: the runtime directory.
const deadlockVariable = "STANDFAST_TEST_DEADLOCK"

// deadlock makes sockets whose sender waits for ever once it is told to.
type deadlock struct {
	socketEdge
	now *atomic.Bool
}

type deadlockedWire struct {
	wireConn
	now *atomic.Bool
}

func (d deadlock) Wire(index int, name string, family int, group netip.Addr) (wireConn, error) {
	c, err := d.socketEdge.Wire(index, name, family, group)
	return deadlockedWire{c, d.now}, err
}

func (d deadlockedWire) Send(src, dst netip.Addr, payload []byte) error {
	if d.now.Load() {
		var held sync.Mutex
		held.Lock()
		held.Lock()
	}
	return d.wireConn.Send(src, dst, payload)
}

// beDeadlocked is the daemon: the service on the real kernel, whose loop stops for good at SIGUSR1.
func beDeadlocked(t *testing.T, dir string) {
	var now atomic.Bool
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	go func() { <-told; now.Store(true) }()
	e := hostEdges(make(chan os.Signal), dir)
	e.launch = func(string) error { return nil }
	e.helpers = func(ctx context.Context, _ *helper.LauncherEnd) { <-ctx.Done() }
	e.sockets = deadlock{e.sockets, &now}
	if err := run(t.Context(), Options{File: filepath.Join(dir, "router.conf"), RuntimeDir: dir, Level: slog.LevelInfo}, e); err != nil {
		t.Error(err)
	}
}

// What is promised of a service whose loop stands still at advert_int 1.
const (
	deadlockedLease    = 4 * time.Second
	deadlockedInterval = 900 * time.Millisecond // of the watchdog
)

// TestDeadlock has the loop of a MASTER stand still for good, with everything else of the process alive. The watchdog is not fed
// any more, and the addresses go by themselves.
func TestDeadlock(t *testing.T) {
	if dir := os.Getenv(deadlockVariable); dir != "" {
		beDeadlocked(t, dir)
		return
	}
	lab := hwtest.New(t)
	router, err := lab.Router("A")
	must(t, err)
	neighbour, err := lab.Router("B")
	must(t, err)
	for _, name := range []string{"p4p1", "p3p1"} {
		_, err := lab.Cable(router, name, neighbour, name)
		must(t, err)
	}
	must(t, router.Port("p4p1").AddAddress(netip.MustParsePrefix("10.255.0.1/30")))
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "router.conf"), []byte(`vrrp_instance VI_0 {
    interface p4p1
    virtual_router_id 50
    virtual_ipaddress {
        192.168.10.1/24 dev p3p1
    }
}
`), 0o600))
	meals := listenForMeals(t, filepath.Join(dir, "notify"))
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestDeadlock$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), deadlockVariable+"="+dir, "NOTIFY_SOCKET="+filepath.Join(dir, "notify"),
		fmt.Sprintf("WATCHDOG_USEC=%d", deadlockedInterval.Microseconds()))
	var log lines
	cmd.Stdout, cmd.Stderr = &log, &log
	daemon, err := router.Start(cmd)
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	vip := netip.MustParsePrefix("192.168.10.1/24")
	holds := func() bool {
		held, err := router.Addresses()
		must(t, err)
		return slices.Contains(held, vip)
	}
	await(t, 20*time.Second, "the address", holds)
	await(t, 10*time.Second, "WATCHDOG=1", func() bool { return meals.Load() > 3 })

	must(t, daemon.Signal(syscall.SIGUSR1))
	stopped := time.Now()
	await(t, 2*deadlockedLease, "the end of the lease", func() bool { return !holds() })
	gone, last := time.Since(stopped), meals.Load()
	t.Logf("the address was gone %v after the loop was told to stand still", gone.Round(time.Millisecond))
	if gone > deadlockedLease+time.Second { // up to one interval passes until the next advert, in which it stands still
		t.Errorf("the address was gone after %v, promised are %v after the last advert", gone, deadlockedLease)
	}
	time.Sleep(2 * deadlockedInterval)
	if fed := meals.Load(); fed != last {
		t.Errorf("the watchdog was fed %d times more while the loop stood still", fed-last)
	}
	select {
	case <-daemon.Done():
		t.Errorf("the daemon has ended: %v", daemon.Wait())
	default: // it lives, as a deadlock does
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await looks until something is so.
func await(t *testing.T, patience time.Duration, what string, so func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// listenForMeals plays PID 1, and counts what the watchdog is fed.
func listenForMeals(t *testing.T, name string) *atomic.Int64 {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { socket.Close() })
	var meals atomic.Int64
	go func() {
		message := make([]byte, 4096)
		for {
			n, err := socket.Read(message)
			if err != nil {
				return
			}
			if string(message[:n]) == "WATCHDOG=1" {
				meals.Add(1)
			}
		}
	}()
	return &meals
}

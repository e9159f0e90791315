package hwtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Environment variables of the laboratory.
const (
	// TunVariable names the tun node, where it is not /dev/net/tun.
	TunVariable = "STANDFAST_TUN"
	// insideVariable tells a process that it is the one that Main started in a user namespace.
	insideVariable = "STANDFAST_LAB_INSIDE"
)

// ErrNotPermitted is the reason that [Open] gives where no laboratory can be built.
var ErrNotPermitted = errors.New("network namespaces with taps are not permitted here: be root, or allow user namespaces and make /dev/net/tun accessible")

// A Lab is a set of routers, switches and cables. Its methods may be called from any goroutine.
type Lab struct {
	node  string // the tun node
	pumps sync.WaitGroup

	mu       sync.Mutex // what exists, and carriers
	routers  []*Router
	links    []*Link
	rooms    []*Namespace // of switches and hosts
	watchers []func()     // closes of observers and recorders
	macs     uint16
	closed   bool

	gate sync.RWMutex // what may pass: read by the pumps for each frame
}

// TB is the part of testing.TB that New needs; programs that use this package do not link package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Skipf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// New opens a laboratory for a test. It is closed when the test ends, failed or not; the test is skipped where [Open] is not
// permitted.
func New(t TB) *Lab {
	t.Helper()
	lab, err := Open()
	if errors.Is(err, ErrNotPermitted) {
		t.Skipf("%v", err)
	}
	if err != nil {
		t.Fatalf("open the laboratory: %v", err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Errorf("close the laboratory: %v", err)
		}
	})
	return lab
}

// Open opens an empty laboratory. errors.Is(err, ErrNotPermitted) where the system allows none.
func Open() (*Lab, error) {
	lab := &Lab{node: "/dev/net/tun"}
	if node := os.Getenv(TunVariable); node != "" {
		lab.node = node
	}
	if err := permitted(lab.node); err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNotPermitted, err)
	}
	return lab, nil
}

// permitted tries what every laboratory needs: a namespace and a tap in it.
func permitted(node string) error {
	room, err := newNamespace(true)
	if err != nil {
		return err
	}
	defer room.Close()
	t, err := openTap(room, node, "probe", [6]byte{0x02, 0, 0, 0, 0, 1})
	if err != nil {
		return err
	}
	return t.file.Close()
}

// Main runs a program or a package's tests where a laboratory can be built: in place, if that is permitted or nothing can be
// done about it, else in a child of its own inside a user namespace. It returns the exit status. In a test:
//
//	func TestMain(m *testing.M) { os.Exit(hwtest.Main(m.Run)) }
//
// The process behind a [Disk] is the same program: Main tells it by its environment.
func Main(run func() int) int {
	if size, ok := os.LookupEnv(diskVariable); ok {
		return serveDisk(size)
	}
	if os.Getenv(insideVariable) != "" || unix.Geteuid() == 0 {
		return run()
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return run() // user namespaces are forbidden: let Open say so
	}
	return cmd.ProcessState.ExitCode()
}

// Close removes everything: processes, devices, namespaces. A second call does nothing.
func (l *Lab) Close() error {
	l.mu.Lock()
	closed, watchers := l.closed, l.watchers
	l.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	for _, stop := range watchers {
		stop()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, r := range l.routers {
		errs = append(errs, r.room.Close())
	}
	for _, link := range l.links {
		errs = append(errs, link.ends[0].unplug(), link.ends[1].unplug())
	}
	for _, room := range l.rooms {
		errs = append(errs, room.Close())
	}
	l.pumps.Wait()
	return errors.Join(errs...)
}

// onClose has f called first thing when the laboratory closes.
func (l *Lab) onClose(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers = append(l.watchers, f)
}

// nextMAC returns a locally administered MAC address that no other station of this laboratory has. The caller holds l.mu.
func (l *Lab) nextMAC() [6]byte {
	l.macs++
	return [6]byte{0x02, 0x5f, 0, 0, byte(l.macs >> 8), byte(l.macs)}
}

// newRoom makes a namespace that closes with the laboratory. The caller holds l.mu.
func (l *Lab) newRoom() (*Namespace, error) {
	room, err := newNamespace(false)
	if err == nil {
		l.rooms = append(l.rooms, room)
	}
	return room, err
}

// newLink makes a link between two ends, neither of which has a tap yet. The caller holds l.mu.
func (l *Lab) newLink(a, b *end) *Link {
	link := &Link{lab: l, ends: [2]*end{a, b}}
	for side, e := range link.ends {
		e.link, e.side = link, side
	}
	l.links = append(l.links, link)
	return link
}

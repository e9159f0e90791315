package hwtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	killPatience = 5 * time.Second // a killed process is gone long before, unless it is stuck in the kernel
	killPoll     = 2 * time.Millisecond
)

// A Namespace is a network namespace and the thread that lives in it. All methods may be called from any goroutine.
type Namespace struct {
	calls  chan func()
	quit   chan struct{} // closed to send the thread away
	left   chan struct{} // closed when it has left
	fd     int           // the namespace, as a descriptor: it lives while this is open
	inode  uint64
	thread int // the kernel's number of the thread
	kernel *netlink.Handle

	mu        sync.Mutex
	processes []*Process
	reader    *addressReader
	closed    bool
}

// newNamespace makes an empty namespace with its loopback up. With mounts true the thread, and every process started from it,
// sees a private mount tree: the sysfs of this namespace and an empty /run.
func newNamespace(mounts bool) (*Namespace, error) {
	n := &Namespace{calls: make(chan func()), quit: make(chan struct{}), left: make(chan struct{}), fd: -1}
	ready := make(chan error)
	go n.live(mounts, ready)
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("new network namespace: %w", err)
	}
	if err := n.open(); err != nil {
		n.Close()
		return nil, fmt.Errorf("new network namespace: %w", err)
	}
	return n, nil
}

// live is the thread of the namespace. It is never unlocked, so it ends with the goroutine, and with it, by their
// parent-death signal, end the processes that were started from it.
func (n *Namespace) live(mounts bool, ready chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The main thread would not end with its goroutine, and /proc/self would show its namespaces: hold it
		// until another thread has taken the part.
		settled := make(chan error)
		go n.live(mounts, settled)
		ready <- <-settled
		runtime.UnlockOSThread()
		return
	}
	if err := enter(mounts); err != nil {
		ready <- err
		return
	}
	ready <- nil
	defer close(n.left)
	for {
		select {
		case call := <-n.calls:
			call()
		case <-n.quit:
			return
		}
	}
}

// enter moves the calling thread into namespaces of its own.
func enter(mounts bool) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare the network: %w", err)
	}
	if !mounts {
		return nil
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare the mounts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount the namespace's sysfs: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mount an empty /run: %w", err)
	}
	return nil
}

// open takes the descriptors that make the namespace reachable from other threads.
func (n *Namespace) open() error {
	return n.Do(func() error {
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open the namespace: %w", err)
		}
		n.fd = fd
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return fmt.Errorf("stat the namespace: %w", err)
		}
		n.inode, n.thread = st.Ino, unix.Gettid()
		if n.kernel, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return fmt.Errorf("open rtnetlink: %w", err)
		}
		lo, err := n.kernel.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("find the loopback: %w", err)
		}
		return n.kernel.LinkSetUp(lo)
	})
}

// Do runs f on the namespace's thread: sockets it opens, files it reads below /proc/sys/net and /sys and processes it starts
// belong to the namespace, and stay there when used from elsewhere. Calls are served one by one; f must not call Do itself.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error, 1)
	select {
	case n.calls <- func() { done <- f() }:
		return <-done
	case <-n.left:
		return fmt.Errorf("network namespace: %w", os.ErrClosed)
	}
}

// proc is the folder in /proc of the namespace's thread.
func (n *Namespace) proc() string { return fmt.Sprintf("/proc/%d/task/%d", os.Getpid(), n.thread) }

// Sysctl writes a kernel parameter of the namespace, named by its path below /proc/sys: "net/ipv4/ip_forward".
func (n *Namespace) Sysctl(name, value string) error {
	return n.Do(func() error { return os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0o644) })
}

// Link returns a link of the namespace as the kernel describes it. Beware: asking for a link makes the kernel announce a
// change of its carrier at once that it would otherwise hold back for up to a second.
func (n *Namespace) Link(name string) (netlink.Link, error) { return n.kernel.LinkByName(name) }

// Kernel returns an rtnetlink handle of the namespace, for whatever this package has no word for. The caller must not close it.
func (n *Namespace) Kernel() *netlink.Handle { return n.kernel }

// Start starts a command on the namespace's thread, in a process group of its own. It dies when the namespace closes, at the
// latest when this process ends. Output that is not taken by cmd.Stdout or cmd.Stderr is discarded.
func (n *Namespace) Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr.Setpgid = true
	if err := n.Do(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go p.wait()
	n.mu.Lock()
	n.processes = append(n.processes, p)
	n.mu.Unlock()
	return p, nil
}

// Pids lists the processes in the namespace: the ones that were started and their descendants, wherever they moved to.
func (n *Namespace) Pids() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid)) // fails for a zombie and for what isn't ours
		if err != nil {
			continue
		}
		inode, _ := strings.CutPrefix(strings.TrimSuffix(link, "]"), "net:[")
		if inode == strconv.FormatUint(n.inode, 10) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Signal sends a signal to every process in the namespace, the youngest last.
func (n *Namespace) Signal(s syscall.Signal) error {
	pids, err := n.Pids()
	if err != nil {
		return err
	}
	var errs []error
	for _, pid := range pids {
		errs = append(errs, n.SignalProcess(pid, s))
	}
	return errors.Join(errs...)
}

// SignalProcess sends a signal to one of the processes that [Namespace.Pids] lists, through a pidfd. The process is looked at
// again once the descriptor pins it, lest its number has passed to a stranger in between. One that has ended is no error.
func (n *Namespace) SignalProcess(pid int, s syscall.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil || link != fmt.Sprintf("net:[%d]", n.inode) {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, s, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	return nil
}

// Close kills every process in the namespace, waits for those that were started, and gives the namespace back to the kernel.
// A second call does nothing.
func (n *Namespace) Close() error {
	n.mu.Lock()
	closed, processes := n.closed, n.processes
	n.closed = true
	n.mu.Unlock()
	if closed {
		return nil
	}
	errs := []error{n.killAll()}
	for _, p := range processes {
		<-p.done
	}
	if n.reader != nil {
		n.reader.file.Close()
	}
	if n.kernel != nil {
		n.kernel.Close()
	}
	if n.fd >= 0 {
		errs = append(errs, unix.Close(n.fd))
	}
	close(n.quit)
	<-n.left
	return errors.Join(errs...)
}

// killAll kills until nobody is left, since who is killed may just have forked.
func (n *Namespace) killAll() error {
	for deadline := time.Now().Add(killPatience); ; time.Sleep(killPoll) {
		pids, err := n.Pids()
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v survive SIGKILL", pids)
		}
		for _, pid := range pids {
			if err := n.SignalProcess(pid, syscall.SIGKILL); err != nil {
				return err
			}
		}
	}
}

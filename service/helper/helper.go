// Package helper is the processes beside the service, for what may hang on a disk,
// and the service's ends of the conversations with them: one runs scripts, one tries
// the disks, and the launcher starts them and sees to it that they are there.
//
// Each listens on a socket in the runtime directory, speaks JSON, one object a line,
// greets whoever connects, and says so again every two seconds: a process that hangs
// in the kernel keeps its connections, even when it was killed, so that only words
// tell who lives. They end a while after the service did, however it did, and find
// the next one where they are.
//
// helper.go is what all of them have in common, end.go and attendance.go what they
// have of those who connect. scripts.go, disk.go and presence.go are the service's
// ends; scriptserver.go with scriptprocess.go, diskserver.go with diskprober.go and
// launcher.go the helpers'. launch.go starts and ties.
package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"standfast/hw/process"
)

// Kind names a helper process, on command lines and, followed by ".sock", in the runtime directory.
type Kind string

// The helpers.
const (
	Scripts  Kind = "scripts"
	Disk     Kind = "disk"
	Launcher Kind = "launch"
)

// socket is the name of the helper's socket in the runtime directory.
func (h Kind) socket() string { return string(h) + ".sock" }

// String names the helper in a sentence.
func (h Kind) String() string {
	switch h {
	case Scripts:
		return "script helper"
	case Disk:
		return "disk helper"
	case Launcher:
		return "launcher"
	}
	return "helper " + string(h)
}

const (
	// beatEvery is how often the ends of a connection show each other that they live, silence for how long one
	// may be silent before it counts as gone.
	beatEvery = 2 * time.Second
	silence   = 7 * time.Second
	// lingerTime is how long a launched helper outlives its service.
	lingerTime = 5 * time.Second
	// firstPatience is how long a unit's helper waits for its first service: that one may be ordered behind what takes long
	// at boot. replaceEvery is how often it looks whether another helper is still in its place: less often than that one
	// lingers, which a look begins anew.
	firstPatience = 5 * time.Minute
	replaceEvery  = 2 * lingerTime
	// startPatience is how long a launched helper may take to answer, answerPatience one that runs. A service that starts
	// waits for glance only: one that is slow will be found by the launcher.
	startPatience  = 5 * time.Second
	answerPatience = time.Second
	glance         = 300 * time.Millisecond
	// writePatience bounds the wait for somebody who does not read.
	writePatience = time.Second
)

// Options say how a helper process runs.
type Options struct {
	// RuntimeDir is where the sockets are.
	RuntimeDir string
	// Linger is how long the helper stays without a service; 0: for ever.
	Linger time.Duration
	// Launched says that a launcher started it, whom it tells that it lives.
	Launched bool
	// Unit says that a unit started it, which is told when somebody can reach it.
	Unit bool
	// Log takes a line, and must not block for long.
	Log func(string)
}

// first is how long it waits for its first service; 0: for ever.
func (o Options) first() time.Duration {
	if o.Unit && o.Linger > 0 {
		return max(o.Linger, firstPatience)
	}
	return o.Linger
}

// Run is a helper process. It returns when ctx ends, or when no service has needed it for as long as it lingers.
// Where another process is that helper already the error is unix.EADDRINUSE; but a unit's helper takes its place when it
// has gone.
func Run(ctx context.Context, h Kind, o Options) error {
	o.Log = prefixed(h, o.Log)
	for _, err := range become(h) {
		o.Log(err.Error())
	}
	l, err := open(ctx, h, o, replaceEvery)
	if err != nil {
		return err
	}
	switch h {
	case Scripts:
		return serveScripts(ctx, l, o, defaultScriptLimits())
	case Disk:
		return serveDisk(ctx, l, o)
	case Launcher:
		return serveLauncher(ctx, l, o, defaultLaunchLimits(selfProgram))
	}
	return fmt.Errorf("there is no helper %q: %w", h, errors.ErrUnsupported)
}

// open opens the helper's socket, and tells the unit when there is one. A unit does not depend on others to have made
// the runtime directory. Where another helper answers, it looks every so often whether that one has gone.
func open(ctx context.Context, h Kind, o Options, every time.Duration) (*listener, error) {
	if !o.Unit {
		return listen(o.RuntimeDir, h)
	}
	if err := os.MkdirAll(o.RuntimeDir, 0o755); err != nil {
		return nil, fmt.Errorf("the runtime directory cannot be made: %w", err)
	}
	// It blocks for as long as systemd hangs.
	ready := sync.OnceFunc(func() { go func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }() })
	for {
		l, err := listen(o.RuntimeDir, h)
		if err == nil || !errors.Is(err, unix.EADDRINUSE) {
			if err == nil {
				ready()
			}
			return l, err
		}
		o.Log(err.Error() + "; this one takes its place when it has gone")
		ready() // whoever waits for this unit finds a helper
		for greets(o.RuntimeDir, h, answerPatience) == nil {
			if pause(ctx, every); ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
}

func prefixed(h Kind, log func(string)) func(string) {
	return func(line string) { log("standfast " + h.String() + ": " + line) }
}

// Sizes of a helper's heap, in bytes or percent: what collects by itself, and when one that forks does all the same.
const (
	heapGrowth = 10
	heapLimit  = 32 << 20
	// forkingThreads is how many threads run Go code at once where programs are started. One that waits for a program to be
	// started counts as running, and one at most does: the other goes on, on a machine with one processor as well.
	forkingThreads = 2
)

// become gives up what the process has inherited from the service, and makes it small. What fails is worth a line and
// nothing more; locked memory needs no word, since it does not survive exec.
func become(h Kind) (failed []error) {
	runtime.MemProfileRate = 0
	debug.SetMemoryLimit(heapLimit)
	if h == Disk {
		runtime.GOMAXPROCS(1)
		debug.SetGCPercent(heapGrowth)
	} else {
		runtime.GOMAXPROCS(forkingThreads)
		debug.SetGCPercent(-1) // see forks
	}
	if h == Scripts {
		// Scripts inherit it, and are no more precious than other programs.
		if err := forgiveMemory("/proc/self/oom_score_adj"); err != nil {
			failed = append(failed, err)
		}
	}
	if err := process.ResetScheduling(); err != nil {
		failed = append(failed, fmt.Errorf("cannot give up real time: %w", err))
	}
	// What was started as /proc/self/exe is called "exe" otherwise, and nobody would find it.
	if err := os.WriteFile("/proc/self/comm", []byte("standfast"), 0); err != nil {
		failed = append(failed, fmt.Errorf("cannot take a name: %w", err))
	}
	return failed
}

// forgiveMemory lets the kernel end this process when memory is short, as it may any other.
func forgiveMemory(file string) error {
	text, err := os.ReadFile(file)
	if err == nil && strings.HasPrefix(string(text), "-") {
		err = os.WriteFile(file, []byte("0"), 0)
	}
	if err != nil {
		return fmt.Errorf("scripts are spared when memory is short: %w", err)
	}
	return nil
}

// forks guards a process that starts programs. A collection waits for every thread, and one that starts a program from a
// disk that hangs does not stop: then the whole process would stand still. So such a process collects only while nothing
// is being started.
type forks struct{ starting sync.RWMutex }

// start runs what starts a program.
func (f *forks) start(program func() error) error {
	f.starting.RLock()
	defer f.starting.RUnlock()
	return program()
}

// collectEvery is how often a process that starts programs collects: its heap grows by little, and what a collection
// itself needs stays.
const collectEvery = time.Hour

// keepHouse collects from time to time, until ctx ends.
func (f *forks) keepHouse(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, collectEvery)
		f.collect()
	}
}

// collect says whether it could.
func (f *forks) collect() bool {
	if !f.starting.TryLock() {
		return false
	}
	defer f.starting.Unlock()
	debug.FreeOSMemory()
	return true
}

// pause waits, but not for longer than ctx lives.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// listener is a helper's socket under its name in the runtime directory.
type listener struct {
	*net.UnixListener
	path string
	file os.FileInfo // what the name stood for when it was ours
}

// listen opens the helper's socket in the runtime directory, for root (or the user it runs as) alone: whoever may
// write to it runs programs as that user. Where another helper answers the error is unix.EADDRINUSE; one that is left
// behind, or whose owner hangs, is replaced.
func listen(dir string, h Kind) (*listener, error) {
	path := filepath.Join(dir, h.socket())
	if greets(dir, h, answerPatience) == nil {
		return nil, fmt.Errorf("another %v answers on %s: %w", h, path, unix.EADDRINUSE)
	}
	// The mode that the socket has before bind is the one its name gets, so there is no moment at which others could
	// connect; and it takes its name in one step, so there is none at which nobody can.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	_ = os.Remove(fresh) // is there only where another process had our number
	l, err := config.Listen(context.Background(), "unix", fresh)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (at most 107 bytes long): %w", fresh, err)
	}
	own := &listener{UnixListener: l.(*net.UnixListener), path: path}
	own.SetUnlinkOnClose(false)
	if own.file, err = os.Lstat(fresh); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, errors.Join(err, own.UnixListener.Close(), os.Remove(fresh)))
	}
	return own, nil
}

// Close removes the socket's name, unless it is another helper's by now, and closes it.
func (l *listener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
		_ = os.Remove(l.path)
	}
	return l.UnixListener.Close()
}

// greets waits for a helper's greeting, but not longer than patience.
func greets(dir string, h Kind, patience time.Duration) error {
	conn, err := net.Dial("unix", filepath.Join(dir, h.socket()))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var greeting struct{ Ready bool }
	if err := json.NewDecoder(conn).Decode(&greeting); err != nil {
		return err
	}
	if !greeting.Ready {
		return errGone
	}
	return nil
}

// accept hands on connections until the listener is closed.
func (l *listener) accept(log func(string), serve func(*net.UnixConn)) error {
	for {
		conn, err := l.AcceptUnix()
		switch {
		case err == nil:
			go serve(conn)
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.ENOMEM):
			log(fmt.Sprintf("cannot accept a connection: %v", err))
			time.Sleep(50 * time.Millisecond)
		default:
			return fmt.Errorf("cannot listen any more: %w", err)
		}
	}
}

// CheckPeer refuses everybody at the other end but root and the user that this process runs as, whatever the mode of the socket.
func CheckPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("a process was refused, because who it is cannot be found out: %w", err)
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("process %d of user %d was refused: only root is served", peer.Pid, peer.Uid)
	}
	return nil
}

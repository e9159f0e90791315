package helper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"standfast/hw/hwtest"
)

// asHelper in the environment makes the test binary the program whose helpers are launched.
const asHelper = "STANDFAST_TEST_AS_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(asHelper) != "" && len(os.Args) > 2 && os.Args[1] == "helper" {
		os.Exit(helperMain(os.Args[2:]))
	}
	os.Exit(hwtest.Main(m.Run))
}

// helperMain is what service/standfast makes of "helper KIND --runtime-dir DIR --linger TIME --launched".
func helperMain(args []string) int {
	linger, err := time.ParseDuration(args[4])
	if len(args) != 6 || args[1] != "--runtime-dir" || args[3] != "--linger" || args[5] != "--launched" || err != nil {
		fmt.Fprintf(os.Stderr, "launched with %q\n", args)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o := Options{RuntimeDir: args[2], Linger: linger, Launched: true, Log: func(string) {}}
	if err := Run(ctx, Kind(args[0]), o); err != nil {
		return 1
	}
	return 0
}

// peerOf is the process that listens in the runtime directory as a helper.
func peerOf(dir string, h Kind) int {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(dir, h.socket()), Net: "unix"})
	if err != nil {
		return 0
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(peer.Pid)
		}
	})
	return pid
}

// attend is a service that only wants launcher and script helper to be there, until stop.
func attend(t *testing.T, dir string) (heard *noted, stop func()) {
	t.Helper()
	heard = &noted{}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { (&tether{dir: dir, heard: heard.hear}).run(ctx) })
	client := startClient(t, dir)
	stop = sync.OnceFunc(func() {
		cancel()
		client.stop()
		all.Wait()
	})
	t.Cleanup(stop)
	return heard, stop
}

// attendDisk is a service that only wants the disk helper to be there, until stop.
func attendDisk(t *testing.T, dir string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			ConverseWithDisk(ctx, dir, func() DiskOrder { return DiskOrder{} }, func(DiskWord) {})
			pause(ctx, tetherPause)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	t.Cleanup(stop)
	return stop
}

// noted collects what the launcher says.
type noted struct {
	mu    sync.Mutex
	notes []string
}

func (n *noted) hear(w launchWord) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if w.Note != "" {
		n.notes = append(n.notes, w.Note)
	}
}

func (n *noted) said(text string) func() bool {
	return func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return strings.Contains(strings.Join(n.notes, "\n"), text)
	}
}

// launched launches helpers in a new runtime directory, and sees to their end.
func launched(t *testing.T) (dir string) {
	t.Helper()
	t.Setenv(asHelper, "1")
	dir = scriptFolder(t)
	if err := launch(selfProgram, dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, h := range []Kind{Launcher, Scripts, Disk} {
			if pid := peerOf(dir, h); pid != 0 && pid != os.Getpid() {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
	})
	return dir
}

// Whichever of them is killed, or hangs, is replaced, and the others stay.
func TestKilledHelpersAreReplaced(t *testing.T) {
	dir := launched(t)
	heard, _ := attend(t, dir)
	attendDisk(t, dir)
	all := []Kind{Scripts, Disk, Launcher}
	for _, test := range []struct {
		sig  unix.Signal
		whom []Kind
	}{{unix.SIGKILL, all}, {unix.SIGTERM, all}, {unix.SIGSTOP, all[1:2]}} {
		for _, killed := range test.whom {
			sig := test.sig
			before := map[Kind]int{}
			for _, h := range all {
				soonIs(t, fmt.Sprintf("the %v answers", h), func() bool { return greets(dir, h, answerPatience) == nil })
				before[h] = peerOf(dir, h)
				if sid, err := unix.Getsid(before[h]); err != nil || sid != before[h] {
					t.Errorf("the session of the %v is %d (%v), want its own, %d", h, sid, err, before[h])
				}
			}
			if err := unix.Kill(before[killed], sig); err != nil {
				t.Fatal(err)
			}
			if sig == unix.SIGSTOP {
				t.Cleanup(func() { _ = unix.Kill(before[killed], unix.SIGKILL) })
			}
			soonIs(t, fmt.Sprintf("the %v is replaced after %v", killed, sig), func() bool {
				pid := peerOf(dir, killed)
				return pid != 0 && pid != before[killed] && greets(dir, killed, answerPatience) == nil
			})
			for _, h := range all {
				if h != killed && peerOf(dir, h) != before[h] {
					t.Errorf("%v of the %v replaced the %v", sig, killed, h)
				}
			}
		}
	}
	for _, line := range []string{
		"the script helper ended: signal: killed", "the script helper was gone and is started again",
	} {
		if !heard.said(line)() {
			t.Errorf("the launcher did not say %q, but %q", line, heard.notes)
		}
	}
}

// Nobody starts what nobody needs.
func TestHelpersEndWithTheirService(t *testing.T) {
	dir := launched(t)
	_, leave := attend(t, dir)
	stop := attendDisk(t, dir)
	pids := map[Kind]int{}
	for _, h := range []Kind{Scripts, Disk, Launcher} {
		soonIs(t, fmt.Sprintf("the %v answers", h), func() bool { return greets(dir, h, answerPatience) == nil })
		pids[h] = peerOf(dir, h)
	}
	// A launcher that is there is taken as it is.
	if err := launch("/no/such/program", dir); err != nil {
		t.Errorf("with helpers there: %v", err)
	}
	stop()
	leave()
	for h, pid := range pids {
		soonIs(t, fmt.Sprintf("the %v ends", h), func() bool {
			return !exists(filepath.Join(dir, h.socket()))() && !exists("/proc/"+strconv.Itoa(pid)+"/exe")()
		})
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.sock*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLaunchFails(t *testing.T) {
	dir := scriptFolder(t)
	if err := launch(filepath.Join(dir, "nowhere"), dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
	err := launch(script(t, dir, "broken", "#!/bin/sh\nexit 4\n"), dir)
	if err == nil || !strings.Contains(err.Error(), "the launcher ended at once: exit status 4; run") {
		t.Errorf("a program that ends at once: %v", err)
	}
}

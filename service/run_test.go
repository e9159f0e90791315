package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"
)

// Everything that keeps the service from running is one error that says what to
// do, and of a kind that the caller can tell.
func TestRefusals(t *testing.T) {
	good := fstest.MapFS{"etc/standfast.conf": &fstest.MapFile{Data: []byte(pairFile(100)), Mode: 0o644}}
	bad := fstest.MapFS{"etc/standfast.conf": &fstest.MapFile{Data: []byte("vrrp_instance {\n  nonsense\n"), Mode: 0o644}}
	occupied := t.TempDir()
	unlock, err := lock(occupied)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	allowed := func() error { return nil }
	for name, c := range map[string]struct {
		files  fs.FS
		dir    string
		rights func() error
		is     error
		says   string
	}{
		"no such file":        {fstest.MapFS{}, t.TempDir(), allowed, fs.ErrNotExist, "etc/standfast.conf"},
		"a broken file":       {bad, t.TempDir(), allowed, new(ConfigError), "standfast.conf:1:"},
		"a second instance":   {good, occupied, allowed, ErrRunning, "--runtime-dir"},
		"a missing right":     {good, t.TempDir(), func() error { return missing([]string{"CAP_NET_RAW"}) }, fs.ErrPermission, "CAP_NET_RAW"},
		"no runtime dir":      {good, "/proc/nowhere", allowed, fs.ErrNotExist, "--runtime-dir"},
		"a file as directory": {good, notADirectory(t), allowed, unix.ENOTDIR, "--runtime-dir"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newPair().a.edges()
			e.files, e.rights = c.files, c.rights
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err := run(ctx, Options{File: "/etc/standfast.conf", RuntimeDir: c.dir}, e)
			var config *ConfigError
			if !errors.Is(err, c.is) && !(errors.As(c.is, &config) && errors.As(err, &config)) {
				t.Errorf("the error is %v, want one that is %v", err, c.is)
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error %q does not say %q", err, c.says)
			}
		})
	}
}

// The whole service but for its edges: lock, control socket, word to the
// service manager, end.
func TestRun(t *testing.T) {
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", manager.LocalAddr().String())
	told := func(want string) {
		t.Helper()
		b := make([]byte, 4096)
		if err := manager.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := manager.Read(b)
			if err != nil {
				t.Fatalf("the service manager was not told %s: %v", want, err)
			}
			if strings.Contains(string(b[:n]), want) {
				return
			}
		}
	}
	host, dir := newPair().a, t.TempDir()
	ended := make(chan error)
	go func() {
		ended <- run(t.Context(), Options{File: "/etc/standfast.conf", RuntimeDir: dir, Version: "test"}, host.edges())
	}()
	told("READY=1")
	answer, err := Query(t.Context(), dir, Request{Verb: "status"})
	if err != nil || !strings.Contains(string(answer), `"VI_0"`) {
		t.Errorf("status: %s, %v", answer, err)
	}
	host.signals <- unix.SIGHUP
	told("RELOADING=1")
	told("READY=1")
	var reloaded strings.Builder
	if err := Reload(t.Context(), &reloaded, dir); err != nil || reloaded.String() != "reloaded /etc/standfast.conf\n" {
		t.Errorf("reload: %q, %v", reloaded.String(), err)
	}
	told("RELOADING=1")
	told("READY=1")
	host.signals <- unix.SIGTERM
	told("STOPPING=1")
	if err := <-ended; err != nil {
		t.Errorf("the end: %v", err)
	}
	if _, err := Query(t.Context(), dir, Request{Verb: "status"}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("status after the end: %v, want ErrNotRunning", err)
	}
}

func notADirectory(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLockGoesWithItsHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(dir); !errors.Is(err, ErrRunning) {
		t.Errorf("a second lock: %v, want ErrRunning", err)
	}
	unlock()
	again, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// The rights are those of the thread that asks, so one thread without them is
// enough to see what is said.
func TestRights(t *testing.T) {
	if err := rights(); err != nil {
		t.Skip("not permitted to begin with: ", err)
	}
	for _, dropped := range [][]uint{{unix.CAP_NET_ADMIN}, {unix.CAP_NET_RAW}, {unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}} {
		said := make(chan error)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			if err := drop(dropped); err != nil {
				said <- fmt.Errorf("cannot drop a capability: %w", err)
				return
			}
			said <- rights()
		}()
		err := <-said
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("without %v: %v, want fs.ErrPermission", dropped, err)
		}
	}
}

func TestAlone(t *testing.T) {
	said := make(chan []bool)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread and its namespace end with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			said <- nil
			return
		}
		said <- []bool{alone(), alone()}
	}()
	switch got := <-said; {
	case got == nil:
		t.Skip("not permitted to make a network namespace")
	case !got[0] || got[1]:
		t.Errorf("the first and the second in a namespace are alone: %v, want true and false", got)
	}
}

func drop(capabilities []uint) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	for _, c := range capabilities {
		data[0].Effective &^= 1 << c
	}
	return unix.Capset(&header, &data[0])
}

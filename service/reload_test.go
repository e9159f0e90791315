package service

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"standfast/vrrp"
)

// slowFiles are files on a disk that takes a while to give what was there when it was asked.
type slowFiles struct {
	fs.FS
	world *world // whose lock guards the files
	takes time.Duration
	reads atomic.Int64
}

func (f *slowFiles) Open(name string) (fs.File, error) {
	f.reads.Add(1)
	f.world.mu.Lock()
	file, err := f.FS.Open(name)
	f.world.mu.Unlock()
	time.Sleep(f.takes)
	return file, err
}

func (f *slowFiles) Stat(name string) (fs.FileInfo, error) {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	return fs.Stat(f.FS, name)
}

const brokenFile = "vrrp_instance VI_0 {\n    interface cable\n    virtual_router_id 999\n    priority none\n"

// reloading has somebody ask for a reload, who goes away after patience.
func reloading(t *testing.T, s *service, patience time.Duration) <-chan error {
	answer := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	go func() {
		defer cancel()
		_, err := s.reload(ctx)
		answer <- err
	}()
	return answer
}

func TestReloadIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, _, ended := p.steady(t)
		p.a.configure(pairFile(100, "192.0.2.1/24 dev lan0", "198.51.100.7/24 dev lan1"))
		d, err := a.reload(t.Context())
		if err != nil || d.Reloaded != "/etc/standfast.conf" {
			t.Errorf("reloaded %q, %v", d.Reloaded, err)
		}
		if vips := snapshotOf(t, a).Status.Instances[0].VIPs; vips[1].Prefix.Addr().String() != "198.51.100.7" {
			t.Errorf("answered before the new configuration was in force: %v", vips)
		}
		p.a.configure(brokenFile)
		_, err = a.reload(t.Context())
		for _, part := range []string{"/etc/standfast.conf:3:", "/etc/standfast.conf:4:", "stays in force"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("no %q in %v", part, err)
			}
		}
		wantState(t, a, vrrp.Master)
		ended()
		if _, err := a.reload(canceled(t)); !errors.Is(err, errStopping) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// Who asks while the file is being read hears of a read that began afterwards, and so does who asked before him: what
// was read first is not used.
func TestReloadsCoalesce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, _, ended := p.steady(t)
		synctest.Wait()
		disk := &slowFiles{FS: p.a.files, world: p.world, takes: time.Second}
		a.edges.files = disk
		p.a.configure(brokenFile)
		began := time.Now()
		all := []<-chan error{reloading(t, a, time.Minute)}
		time.Sleep(time.Second / 2)
		p.a.configure(pairFile(100, "192.0.2.1/24 dev lan0", "198.51.100.7/24 dev lan1"))
		for range 3 {
			all = append(all, reloading(t, a, time.Minute))
		}
		p.a.signals <- syscall.SIGHUP
		for i, answer := range all {
			if err := <-answer; err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		}
		if took := time.Since(began); took != 2*time.Second || disk.reads.Load() != 2 {
			t.Errorf("%d reads in %v, want 2 in 2s", disk.reads.Load(), took)
		}
		ended()
	})
}

// A read that takes for ever is not waited for for ever, nor is it by a service that stops.
func TestReloadFromADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, _, ended := p.steady(t)
		synctest.Wait()
		a.edges.files = &slowFiles{FS: p.a.files, world: p.world, takes: time.Hour}
		short, long := reloading(t, a, time.Second), reloading(t, a, time.Hour)
		if err := <-short; !errors.Is(err, errReading) {
			t.Errorf("after a second: %v", err)
		}
		wantState(t, a, vrrp.Master)
		p.a.signals <- syscall.SIGTERM
		if err := <-long; !errors.Is(err, errStopping) {
			t.Errorf("from a service that stops: %v", err)
		}
		ended()
		time.Sleep(time.Hour) // the reader ends, and nobody takes what it has read
	})
}

// Whoever may ask may not command.
func TestReloadIsNotForEverybody(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	var reloads atomic.Int64
	dir, _ := control(t, controlPatience, func(_ context.Context, r Request) (any, error) {
		if r.Verb == verbReload {
			reloads.Add(1)
		}
		return ReloadDocument{"/etc/x.conf"}, nil
	})
	for name, mode := range map[string]os.FileMode{dir: 0o755, dir + "/" + controlSocket: 0o666} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	said := make(chan [2]error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			said <- [2]error{errno, errno}
			return
		}
		_, question := Query(t.Context(), dir, Request{Verb: verbStatus})
		_, command := Query(t.Context(), dir, Request{Verb: verbReload})
		said <- [2]error{question, command}
	}()
	got := <-said
	if got[0] != nil {
		t.Errorf("a question: %v", got[0])
	}
	if got[1] == nil || !strings.Contains(got[1].Error(), "user 65534 was refused: only root") || reloads.Load() != 0 {
		t.Errorf("a command: %v, %d reloads", got[1], reloads.Load())
	}
	var told strings.Builder
	if err := Reload(t.Context(), &told, dir); err != nil || told.String() != "reloaded /etc/x.conf\n" {
		t.Errorf("root: %q, %v", told.String(), err)
	}
}

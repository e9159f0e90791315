package helper

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// greeter opens a helper's socket and greets whoever comes.
func greeter(t *testing.T, dir string, h Kind) *listener {
	t.Helper()
	l, err := listen(dir, h)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = l.accept(func(string) {}, func(conn *net.UnixConn) {
			_ = (&end{UnixConn: conn}).say(launchWord{Ready: true})
		})
	}()
	t.Cleanup(func() { _ = l.UnixListener.Close() })
	return l
}

func TestListenHelper(t *testing.T) {
	dir := scriptFolder(t)
	old := syscall.Umask(0)
	l := greeter(t, dir, Disk)
	syscall.Umask(old)
	path := filepath.Join(dir, "disk.sock")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket is %v, %v; want mode 0600", info.Mode(), err)
	}
	if _, err := listen(dir, Disk); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a second helper: %v, want EADDRINUSE", err)
	}
	if err := l.UnixListener.Close(); err != nil { // as a process that is killed does
		t.Fatal(err)
	}
	silent, err := listen(dir, Disk)
	if err != nil {
		t.Fatalf("after a helper that was killed: %v", err)
	}
	// A process that hangs in the kernel keeps its socket, even killed.
	next, err := listen(dir, Disk)
	if err != nil {
		t.Fatalf("beside a helper that does not greet: %v", err)
	}
	if err := silent.Close(); err != nil || !exists(path)() {
		t.Errorf("the end of the one before: %v; is the name there? %v", err, exists(path)())
	}
	if err := next.Close(); err != nil || exists(path)() {
		t.Errorf("the end: %v; is the name there? %v", err, exists(path)())
	}
	if left, err := filepath.Glob(path + "*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := listen(filepath.Join(dir, "nowhere"), Disk); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
	if _, err := listen("/tmp/"+strings.Repeat("x", 120), Disk); err == nil || !strings.Contains(err.Error(), "at most 107 bytes") {
		t.Errorf("a name too long: %v", err)
	}
}

// notifications opens what systemd would listen on.
func notifications(t *testing.T) (next func() string) {
	t.Helper()
	path := filepath.Join(scriptFolder(t), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return func() string {
		t.Helper()
		b := make([]byte, 256)
		if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(b)
		if err != nil {
			t.Fatalf("systemd hears nothing: %v", err)
		}
		return string(b[:n])
	}
}

// A unit's helper says when it can be reached, and makes the runtime directory where nobody has.
func TestUnitHelper(t *testing.T) {
	said := notifications(t)
	dir := filepath.Join(scriptFolder(t), "run")
	o := Options{RuntimeDir: dir, Unit: true, Linger: time.Second, Log: func(string) {}}
	l, err := open(t.Context(), Disk, o, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := said(); got != "READY=1" {
		t.Errorf("systemd is told %q", got)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode() != os.ModeDir|0o755 {
		t.Errorf("the runtime directory: %v, %v", info, err)
	}
	if got := o.first(); got != firstPatience {
		t.Errorf("the first service may take %v", got)
	}
	if got := (Options{Linger: time.Second}).first(); got != time.Second {
		t.Errorf("where the service started the helper, it may take %v", got)
	}
}

// A unit's helper that finds another in its place waits for its end: the unit has not failed, and systemd does not start
// it again and again.
func TestUnitHelperStandsBy(t *testing.T) {
	said := notifications(t)
	dir := scriptFolder(t)
	other := greeter(t, dir, Disk)
	logged := make(chan string, 1)
	o := Options{RuntimeDir: dir, Unit: true, Log: func(line string) { logged <- line }}
	type opened struct {
		l   *listener
		err error
	}
	done := make(chan opened, 1)
	go func() {
		l, err := open(t.Context(), Disk, o, time.Millisecond)
		done <- opened{l, err}
	}()
	if got := <-logged; !strings.Contains(got, "another disk helper answers") {
		t.Errorf("logged: %s", got)
	}
	if got := said(); got != "READY=1" {
		t.Errorf("systemd is told %q", got)
	}
	if len(done) > 0 {
		t.Fatal("it did not wait")
	}
	if err := other.UnixListener.Close(); err != nil {
		t.Fatal(err)
	}
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	_ = got.l.Close()
	greeter(t, dir, Disk)
	ctx, cancel := context.WithCancel(t.Context())
	o.Log = func(string) { cancel() }
	if _, err := open(ctx, Disk, o, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("told to end while it waits: %v", err)
	}
}

func TestForgiveMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "oom_score_adj")
	for text, want := range map[string]string{"-1000\n": "0", "0\n": "0\n", "500\n": "500\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := forgiveMemory(file); err != nil || content(t, file) != want {
			t.Errorf("%q becomes %q (%v), want %q", text, content(t, file), err, want)
		}
	}
	if err := forgiveMemory(filepath.Join(file, "nowhere")); err == nil {
		t.Error("what cannot be read is no error")
	}
}

// A helper whose service comes and goes stays as long as it lingers.
func TestAttendance(t *testing.T) {
	const linger = 50 * time.Millisecond
	a := newAttendance(linger, linger)
	for range 2 {
		if !a.enter() {
			t.Fatal("nobody is let in")
		}
	}
	a.leave()
	if endsWithin(a.over, 3*linger) || !a.anybody() {
		t.Error("it is over while one is there")
	}
	a.leave()
	if !a.enter() {
		t.Error("whoever comes back at once is not let in")
	}
	if endsWithin(a.over, 3*linger) {
		t.Error("it is over although one came back")
	}
	left := time.Now()
	a.leave()
	<-a.over
	if took := time.Since(left); took < linger {
		t.Errorf("it was over after %v", took)
	}
	if a.enter() {
		t.Error("somebody is let in after the end")
	}
	if endsWithin(newAttendance(0, 0).over, 3*linger) {
		t.Error("what does not linger is over")
	}
}

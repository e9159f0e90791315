package service

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The files are ordinary ones here: what stands in them is what the kernel would have been told.
func TestFenceFiles(t *testing.T) {
	dir := t.TempDir()
	trigger, log := filepath.Join(dir, "trigger"), filepath.Join(dir, "log")
	for _, name := range []string{trigger, log} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := openFenceFiles(trigger, log)
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, trigger); got != "" {
		t.Errorf("opened, and the trigger got %q", got)
	}
	if err := f.Fire("sda hangs"); err != nil {
		t.Fatal(err)
	}
	if got := content(t, trigger); got != "b" {
		t.Errorf("the trigger got %q", got)
	}
	if got, want := content(t, log), "<0>standfast: resetting this host: sda hangs\n"; got != want {
		t.Errorf("the log got %q, want %q", got, want)
	}
	if _, err := openFenceFiles(filepath.Join(dir, "nowhere"), log); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a trigger: %v", err)
	}
	if f, err = openFenceFiles(trigger, filepath.Join(dir, "nowhere")); err != nil {
		t.Fatalf("without a log: %v", err)
	}
	if err := f.Fire("x"); err != nil {
		t.Errorf("without a log: %v", err)
	}
	if err := (hostFence{trigger: -1, log: -1}).Fire("x"); !errors.Is(err, unix.EBADF) {
		t.Errorf("a trigger that does not take it: %v", err)
	}
}

// A console that takes no more does not hold up the reset.
func TestFenceWithAStuckLog(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	for _, err := unix.Write(pipe[1], make([]byte, 4096)); err == nil; _, err = unix.Write(pipe[1], make([]byte, 4096)) {
	}
	if err := unix.SetNonblock(pipe[1], false); err != nil {
		t.Fatal(err)
	}
	trigger, err := os.CreateTemp(t.TempDir(), "trigger")
	if err != nil {
		t.Fatal(err)
	}
	defer trigger.Close()
	began := time.Now()
	if err := (hostFence{trigger: int(trigger.Fd()), log: pipe[1]}).Fire("x"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < lastWords || took > lastWords+5*time.Second {
		t.Errorf("it took %v, want %v", took, lastWords)
	}
	if got := content(t, trigger.Name()); got != "b" {
		t.Errorf("the trigger got %q", got)
	}
	_ = unix.Close(pipe[0]) // lets the writer go
	_ = unix.Close(pipe[1])
}

// content is what is in a file.
func content(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

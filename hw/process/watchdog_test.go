package process

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWatchdog has a pipe play the device; a real one is never opened here.
func TestWatchdog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "watchdog")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	device, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	w, err := OpenWatchdog(path)
	if err != nil {
		t.Fatal(err)
	}
	if w.Timeout() != 0 {
		t.Errorf("timeout %v of a device that does not say", w.Timeout())
	}
	for range 2 {
		if err := w.Keepalive(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	if _, err := io.ReadFull(device, got); err != nil || string(got) != "\x00\x00V" {
		t.Errorf("the device was told %q, %v", got, err)
	}
	if err := w.Keepalive(); !errors.Is(err, unix.EBADF) {
		t.Errorf("after the close: %v", err)
	}
	if err := w.Close(); !errors.Is(err, unix.EBADF) {
		t.Errorf("a second close: %v", err)
	}
}

func TestNoWatchdog(t *testing.T) {
	if _, err := OpenWatchdog(filepath.Join(t.TempDir(), "watchdog")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenWatchdog = %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenWatchdog(file); !errors.Is(err, unix.ENODEV) {
		t.Errorf("OpenWatchdog of a file = %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

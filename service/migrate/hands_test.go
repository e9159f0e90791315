package migrate

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"standfast/service"
)

// TestReplace puts a file in place of another, keeps its mode, leaves nothing beside it, and takes it away.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "standfast")
	if err := os.WriteFile(name, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	here := Host(dir)
	for _, content := range []string{"b", ""} {
		if err := here.Replace(name, []byte(content)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(name)
		got, _ := os.ReadFile(name)
		if err != nil || info.Mode() != 0o600 || string(got) != content {
			t.Errorf("%v, %q, %v", info.Mode(), got, err)
		}
		if beside, _ := os.ReadDir(dir); len(beside) != 1 {
			t.Errorf("left: %v", beside)
		}
	}
	for range 2 { // what is gone may be removed again
		if err := here.Replace(name, nil); err != nil {
			t.Error(err)
		}
	}
	if err := here.Replace(filepath.Join(dir, "no", "folder"), []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
}

// TestSystemctl runs a program of that name, which says what it was asked for.
func TestSystemctl(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	program := "#!/bin/sh\ncase $3 in\nstart) echo Unit not found. >&2; exit 5;;\nstop) exec sleep 600;;\nesac\necho \"$@\" $LC_ALL\n"
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	here := Host(dir)
	if out, err := here.Systemctl(t.Context(), "show", "x"); err != nil || out != "--no-ask-password --no-pager show x C\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := here.Systemctl(t.Context(), "start", "x"); err == nil || err.Error() != "systemctl start: Unit not found." {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := here.Systemctl(ctx, "stop", "x"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stop x does not end") {
		t.Errorf("%v", err)
	}
	if _, err := here.Answers(t.Context()); !errors.Is(err, service.ErrNotRunning) {
		t.Errorf("nobody answers: %v", err)
	}
}

// TestThisHost: a look at the host of this test finds no fault of its own.
func TestThisHost(t *testing.T) {
	here := Host(t.TempDir())
	s, err := Look(t.Context(), here)
	if err != nil {
		t.Skipf("systemd does not answer here: %v", err)
	}
	if len(addresses(s.Files)) == 0 {
		t.Error("this host has no address")
	}
	for _, one := range routers(s.Files, Standfast) {
		if one.PID == os.Getpid() {
			t.Error("a test is taken for the service")
		}
	}
}

package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"
)

// scripted is a recipe of one script.
func scripted(script string) fs.FS {
	return fstest.MapFS{"build.sh": {Data: []byte(script)}, "root/etc/hostname": {Data: []byte("machine\n")}}
}

// programs has only so many programs be there, besides the shell's.
func programs(t *testing.T, names ...string) {
	t.Helper()
	bin := t.TempDir()
	if err := os.Chmod(filepath.Dir(bin), 0o755); err != nil { // for whoever is not root
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
}

func needed() (names []string) {
	for name := range Needed() {
		names = append(names, name)
	}
	return names
}

const honest = "set -e\n/bin/cat \"${0%/*}/root/etc/hostname\" >\"$1/kernel\"\necho making\necho disk >\"$1/root.img\"\n"

// wantRoot skips the tests that get as far as the script.
func wantRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, as an image does")
	}
}

func TestBuild(t *testing.T) {
	wantRoot(t)
	programs(t, needed()...)
	cache := t.TempDir()
	var log bytes.Buffer
	first, err := build(t.Context(), scripted(honest), cache, &log)
	if err != nil || log.String() != "making\n" {
		t.Fatalf("%v, saying %q", err, log.String())
	}
	if text, err := os.ReadFile(first.Kernel); err != nil || string(text) != "machine\n" {
		t.Errorf("the script found %q beside itself (%v)", text, err)
	}
	programs(t) // none is needed any more
	if again, err := build(t.Context(), scripted(honest), cache, io.Discard); err != nil || again != first {
		t.Errorf("for the second time it is %+v (%v), want %+v", again, err, first)
	}
	if other, err := build(t.Context(), scripted(honest+"\n"), cache, io.Discard); !errors.Is(err, ErrNoMachine) {
		t.Errorf("another recipe is no other image: %+v, %v", other, err)
	}
}

// TestBuildFails: there is no image where the script fails, and it is tried again.
func TestBuildFails(t *testing.T) {
	wantRoot(t)
	programs(t, needed()...)
	cache, mended := t.TempDir(), filepath.Join(t.TempDir(), "mended")
	recipe := scripted("set -e\necho kernel >\"$1/kernel\"\n[ -e " + mended + " ]\necho disk >\"$1/root.img\"\n")
	for range 2 {
		if image, err := build(t.Context(), recipe, cache, io.Discard); !errors.Is(err, ErrNoMachine) || image != (Image{}) {
			t.Fatalf("a script that fails: %+v, %v", image, err)
		}
	}
	if err := os.WriteFile(mended, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	image, err := build(t.Context(), recipe, cache, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(image.Disk); err != nil {
		t.Error(err)
	}
}

// TestBuildInterrupted: whoever interrupts it is not told that there can be no machines, and nothing goes on behind his back.
func TestBuildInterrupted(t *testing.T) {
	wantRoot(t)
	path := os.Getenv("PATH")
	programs(t, needed()...)
	t.Setenv("PATH", os.Getenv("PATH")+":"+path)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun, log := make(chan struct{}), &bytes.Buffer{}
	go func() {
		<-begun
		cancel()
	}()
	began := time.Now() // the child holds the log open
	_, err := build(ctx, scripted("(echo begun; sleep 300)\ntrue"), t.TempDir(), io.MultiWriter(log, once{begun}))
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrNoMachine) || time.Since(began) > time.Minute {
		t.Errorf("%v after %v, saying %q", err, time.Since(began), log)
	}
}

// once is closed with the first that is written.
type once struct{ begun chan struct{} }

func (o once) Write(p []byte) (int, error) {
	close(o.begun)
	return len(p), nil
}

func TestBuildLacksPrograms(t *testing.T) {
	for _, c := range []struct {
		has  []string
		want string
	}{
		{nil, "lacking debootstrap, mke2fs, qemu-system-x86_64; on Debian: apt-get install debootstrap e2fsprogs qemu-system-x86"},
		{[]string{"qemu-system-x86_64", "debootstrap"}, "lacking mke2fs; on Debian: apt-get install e2fsprogs"},
	} {
		programs(t, c.has...)
		_, err := build(t.Context(), scripted("exit 0"), t.TempDir(), io.Discard)
		if !errors.Is(err, ErrNoMachine) || !strings.HasSuffix(fmt.Sprint(err), c.want) {
			t.Errorf("with %q: %v, want %s", c.has, err, c.want)
		}
	}
}

func TestBuildWantsRoot(t *testing.T) {
	programs(t, needed()...)
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: only this thread is somebody else
		if os.Geteuid() == 0 {
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); errno != 0 {
				result <- errno
				return
			}
		}
		_, err := build(context.Background(), scripted("exit 0"), "nowhere", io.Discard)
		result <- err
	}()
	if err := <-result; !errors.Is(err, ErrNoMachine) || !strings.Contains(fmt.Sprint(err), "only root") {
		t.Error(err)
	}
}

// TestRecipeID: a recipe's name changes with each of its files, and with nothing else.
func TestRecipeID(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	recipes := []fstest.MapFS{
		{"build.sh": file("a"), "root/etc/hostname": file("b")},
		{"build.sh": file("a"), "root/etc/hostname": file("c")},
		{"build.sh": file("b"), "root/etc/hostname": file("a")},
		{"build.sh": file("a"), "root/etc/hostnames": file("b")},
		{"build.sh": file("ab"), "root/etc/hostname": file("")},
		{"build.sh": file("aroot/etc/hostname 1\nb")},
		{"build.sh": file("a"), "root/etc/hostname": file("b"), "root/x": file("")},
	}
	seen := map[string]int{}
	for i, r := range recipes {
		id, err := recipeID(r)
		again, _ := recipeID(r)
		if other, ok := seen[id]; err != nil || ok || id != again || len(id) != 12 {
			t.Errorf("recipe %d has the name %s (%v), once more %s; recipe %d has it as well: %t", i, id, err, again, other, ok)
		}
		seen[id] = i
	}
}

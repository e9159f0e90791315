package main

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// pack puts the packages and this program on the machines' second disk.
func (l *lab) pack(folder string) error {
	found, err := filepath.Glob(filepath.Join(folder, "standfast-*.x86_64.rpm"))
	if err != nil {
		return err
	}
	if len(found) != 2 {
		return fmt.Errorf("two packages are needed in %s, one newer than the other, and not %d; ./build.sh vm makes them", folder, len(found))
	}
	slices.Sort(found)
	me, err := os.Executable()
	if err != nil {
		return err
	}
	l.version = [2]string{filepath.Base(found[0]), filepath.Base(found[1])}
	l.payload = filepath.Join(l.folder, "payload")
	f, err := os.Create(l.payload)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	for name, from := range map[string]string{l.version[0]: found[0], l.version[1]: found[1], "vm": me} {
		if err := add(w, name, from); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	return f.Truncate((end + 4095) &^ 4095)
}

func add(w *tar.Writer, name, from string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// hold keeps a process stopped as a debugger does, for as long as it may: what a machine of the laboratory does to its PID 1.
func hold(number string) int {
	runtime.LockOSThread() // a tracer is a thread
	pid, err := strconv.Atoi(number)
	if err == nil {
		err = unix.PtraceSeize(pid)
	}
	if err == nil {
		err = unix.PtraceInterrupt(pid)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "vm: hold %s: %v\n", number, err)
		return 1
	}
	fmt.Println("held")
	for {
		time.Sleep(time.Hour)
	}
}

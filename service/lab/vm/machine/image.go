package machine

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// recipe is what an image is made from: a script, and files that it puts on the disk.
//
//go:embed build.sh all:root
var recipe embed.FS

// An Image is what machines boot from. Nobody writes to its files: each machine writes to a copy of its own.
type Image struct {
	Kernel, Initrd string // files
	Disk           string // a file system that is not partitioned
}

// ErrNoMachine is the reason that this package gives where no machine can be run.
var ErrNoMachine = errors.New("no machines here")

// Needed are programs without which there is neither an image nor a machine, and the Debian packages they are in.
func Needed() map[string]string {
	return map[string]string{
		"qemu-system-x86_64": "qemu-system-x86", "debootstrap": "debootstrap", "mke2fs": "e2fsprogs",
	}
}

// Build makes the image in a folder of its recipe below cache, unless it is there; that takes a minute or two, and needs root for its chroot and
// Debian's archive. What the script says goes to log. errors.Is(err, ErrNoMachine) where it cannot be made.
func Build(ctx context.Context, cache string, log io.Writer) (Image, error) {
	return build(ctx, recipe, cache, log)
}

func build(ctx context.Context, recipe fs.FS, cache string, log io.Writer) (Image, error) {
	id, err := recipeID(recipe)
	if err != nil {
		return Image{}, err
	}
	folder := filepath.Join(cache, "image-"+id)
	image := Image{Kernel: filepath.Join(folder, "kernel"), Initrd: filepath.Join(folder, "initrd"), Disk: filepath.Join(folder, "root.img")}
	if _, err := os.Stat(image.Disk); err == nil { // the script's last word
		return image, nil
	}
	if err := able(); err != nil {
		return Image{}, err
	}
	script, err := os.MkdirTemp("", "standfast-machine-")
	if err != nil {
		return Image{}, err
	}
	defer os.RemoveAll(script)
	if err := errors.Join(os.CopyFS(script, recipe), os.MkdirAll(folder, 0o755)); err != nil {
		return Image{}, fmt.Errorf("make a disk for machines: %w", err)
	}
	err = follow(ctx, filepath.Join(script, "build.sh"), folder, log)
	switch {
	case ctx.Err() != nil:
		return Image{}, fmt.Errorf("make a disk for machines: %w", ctx.Err())
	case err != nil:
		return Image{}, fmt.Errorf("%w: their disk could not be made: %w", ErrNoMachine, err)
	}
	return image, nil
}

// able says what an image cannot be made without.
func able() error {
	var lacking, packets []string
	for program, packet := range Needed() {
		if _, err := exec.LookPath(program); err != nil {
			lacking, packets = append(lacking, program), append(packets, packet)
		}
	}
	if len(lacking) > 0 {
		slices.Sort(lacking)
		slices.Sort(packets)
		return fmt.Errorf("%w: lacking %s; on Debian: apt-get install %s", ErrNoMachine, strings.Join(lacking, ", "), strings.Join(packets, " "))
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: only root may make their disk (debootstrap)", ErrNoMachine)
	}
	return nil
}

// follow runs the script to its end, or until ctx ends; then whatever it has started ends with it.
func follow(ctx context.Context, script, folder string, log io.Writer) error {
	c := exec.CommandContext(ctx, "/bin/sh", script, folder)
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return unix.Kill(-c.Process.Pid, unix.SIGKILL) }
	return c.Run()
}

// recipeID names a recipe by what it is made of.
func recipeID(recipe fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(recipe, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(recipe, name)
		fmt.Fprintf(sum, "%s %d\n", name, len(text))
		sum.Write(text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))[:12], err
}

// trial is how long a machine may take to its first process, to be worth being run by KVM.
const trial = 10 * time.Second

// Accelerator says how machines are run: "kvm" where a machine that was started for a look got to its first process by it, else "tcg".
// That a device for KVM is there proves nothing: in a machine that is itself virtual, guests may never get as far as their kernel.
func Accelerator(ctx context.Context, image Image) string {
	ctx, cancel := context.WithTimeout(ctx, trial)
	defer cancel()
	q := exec.CommandContext(ctx, "qemu-system-x86_64", "-machine", "pc", "-accel", "kvm", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", image.Kernel, "-initrd", image.Initrd, "-append", "console=ttyS0 panic=-1", "-serial", "stdio")
	out, err := q.StdoutPipe()
	if err != nil || q.Start() != nil {
		return "tcg"
	}
	text, _ := io.ReadAll(out)
	_ = q.Wait() // it was ended, or panicked for want of a root
	if strings.Contains(string(text), "Run /init") {
		return "kvm"
	}
	return "tcg"
}

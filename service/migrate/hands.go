package migrate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"standfast/service"
)

// host is the host that this process runs on.
type host struct{ runtimeDir string }

// Host returns the hands for this host. The service is asked in the runtime directory.
func Host(runtimeDir string) Hands { return host{runtimeDir} }

// Files is the root file system.
func (host) Files() fs.FS { return os.DirFS("/") }

// Root says whether this is root.
func (host) Root() bool { return os.Geteuid() == 0 }

// Systemctl runs the program of that name. What it complains of is the error; a call that takes too long is killed, and what
// it asked systemd for goes on.
func (host) Systemctl(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "systemctl", append([]string{"--no-ask-password", "--no-pager"}, args...)...)
	c.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for this process alone, which then has things undone
	var complaints bytes.Buffer
	c.Stderr = &complaints
	c.WaitDelay = time.Second
	out, err := c.Output()
	switch {
	case err == nil:
		return string(out), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("systemctl %s does not end: %w", strings.Join(args, " "), ctx.Err())
	case errors.Is(err, exec.ErrNotFound):
		return "", err
	}
	return "", fmt.Errorf("systemctl %s: %s", args[0], cmp.Or(strings.TrimSpace(complaints.String()), err.Error()))
}

// Replace writes into a temporary file beside the one that is meant, and renames it when it is on the disk. Its mode
// stays as it was.
func (host) Replace(name string, content []byte) (err error) {
	if content == nil {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncDir(filepath.Dir(name))
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// syncDir has a rename survive a power cut.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Answers asks over the control socket.
func (h host) Answers(ctx context.Context) ([]string, error) {
	d, err := service.QueryStatus(ctx, h.runtimeDir)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, i := range d.Instances {
		lines = append(lines, i.Name+" is "+i.State)
	}
	return lines, nil
}

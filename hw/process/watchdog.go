package process

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Watchdog is a device, /dev/watchdog or one of its kind, that resets the host if
// it is not told in time that all is well.
type Watchdog struct {
	file    int
	timeout time.Duration
}

// magicClose before a close tells the device that the program ends on purpose.
const magicClose = "V"

// OpenWatchdog opens the device and thereby arms it: from now on the host is reset
// unless Keepalive is called in time, whatever becomes of this process. Such a
// device has one user; if another has it the error is unix.EBUSY. One that does not
// exist is fs.ErrNotExist, what is no device unix.ENODEV.
func OpenWatchdog(path string) (*Watchdog, error) {
	file, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the watchdog %s: %w", path, err)
	}
	var is unix.Stat_t
	if err := unix.Fstat(file, &is); err != nil {
		_ = unix.Close(file)
		return nil, fmt.Errorf("cannot look at the watchdog %s: %w", path, err)
	}
	// What follows would write into a file. A pipe is for tests.
	if kind := is.Mode & unix.S_IFMT; kind != unix.S_IFCHR && kind != unix.S_IFIFO {
		_ = unix.Close(file)
		return nil, fmt.Errorf("the watchdog %s is no device: %w", path, unix.ENODEV)
	}
	w := &Watchdog{file: file}
	if seconds, err := unix.IoctlGetInt(file, unix.WDIOC_GETTIMEOUT); err == nil && seconds > 0 {
		w.timeout = time.Duration(seconds) * time.Second
	}
	return w, nil
}

// Timeout is how long the device waits, in whole seconds, and 0 if it does not say.
func (w *Watchdog) Timeout() time.Duration { return w.timeout }

// Keepalive has the device wait anew. Any write does; the ioctl is optional.
func (w *Watchdog) Keepalive() error { return w.write("\x00") }

// Close disarms the device. Where the kernel does not allow that (nowayout), the
// host will be reset.
func (w *Watchdog) Close() error {
	err := w.write(magicClose)
	if closed := unix.Close(w.file); closed != nil {
		closed = fmt.Errorf("cannot close the watchdog: %w", closed)
		err = errors.Join(err, closed)
	}
	return err
}

func (w *Watchdog) write(text string) error {
	for {
		_, err := unix.Write(w.file, []byte(text))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot write to the watchdog: %w", err)
		}
		return nil
	}
}

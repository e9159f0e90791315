package clock

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Alarm wakes at a moment of this package's clock, to within what the processor
// needs to wake up. The timers of the Go runtime do not: they wait in whole
// milliseconds, and a moment that is 9.9 ms away is met with two sleeps and up to
// a millisecond late. They also stand still while the machine sleeps.
type Alarm struct {
	file *os.File
	fd   int
}

// OpenAlarm makes an alarm that is not set. The kernel has such timers on this
// clock since Linux 3.15; before, the error is unix.EINVAL.
func OpenAlarm() (*Alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("no timer on CLOCK_BOOTTIME: %w", err)
	}
	return &Alarm{file: os.NewFile(uintptr(fd), "alarm"), fd: fd}, nil
}

// Set sets the alarm to a moment, in place of any other. A moment that has passed
// is now. It never blocks; it must not be called after Close.
func (a *Alarm) Set(at time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(at, 1)))} // zero would be never
	if err := unix.TimerfdSettime(a.fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		return fmt.Errorf("cannot set the alarm: %w", err)
	}
	return nil
}

// Wait waits until the alarm goes off, once for each time it is set. The error is
// os.ErrClosed after Close.
func (a *Alarm) Wait() error {
	var times [8]byte
	_, err := a.file.Read(times[:])
	if err != nil && !errors.Is(err, os.ErrClosed) {
		err = fmt.Errorf("cannot wait for the alarm: %w", err)
	}
	return err
}

// Close ends the alarm and a Wait that is under way.
func (a *Alarm) Close() error { return a.file.Close() }

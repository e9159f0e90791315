package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// connect makes the way of the daemon's log.
func (r *run) connect(pipe bool) (ear *os.File, err error) {
	if pipe {
		ear, r.outlet, err = os.Pipe()
		return ear, err
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, errors.Join(err, unix.Close(fds[0]), unix.Close(fds[1]))
	}
	r.outlet = os.NewFile(uintptr(fds[1]), "outlet")
	return os.NewFile(uintptr(fds[0]), "journal"), nil
}

// keepJournal reads the daemon's log until nobody writes it any more.
func (s *Supervisor) keepJournal(ear *os.File) {
	defer ear.Close()
	part := make([]byte, 4096)
	for {
		s.Journal.wait()
		n, err := ear.Read(part)
		s.member.Log.Write(part[:n])
		if err != nil {
			return
		}
	}
}

// FillJournal stops the journal and writes into the daemon's log until nothing more fits.
func (s *Supervisor) FillJournal() error {
	s.Journal.Shut()
	s.mu.Lock()
	defer s.mu.Unlock()
	line := []byte("the journal stands still\n")
	for _, chunk := range [][]byte{bytes.Repeat(line, 40), line, line[:1]} {
		for {
			_, err := unix.Pwritev2(int(s.run.outlet.Fd()), [][]byte{chunk}, -1, unix.RWF_NOWAIT)
			if errors.Is(err, unix.EAGAIN) {
				break
			}
			if err != nil {
				return fmt.Errorf("fill the journal of %s: %w", s.member.Name(), err)
			}
		}
	}
	return nil
}

// FillNotify stops PID 1 and sends to it until nothing more fits.
func (s *Supervisor) FillNotify() error {
	s.Notify.Shut()
	return s.member.Namespace().Do(func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for {
			err := unix.Sendto(fd, []byte("STATUS=PID 1 stands still"), 0, &unix.SockaddrUnix{Name: notifySocket})
			if errors.Is(err, unix.EAGAIN) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("fill the socket of PID 1: %w", err)
			}
		}
	})
}

// A Valve holds somebody up while it is shut. The zero value is open.
type Valve struct {
	mu   sync.Mutex
	shut chan struct{} // nil while open
}

// Shut shuts the valve. What has passed already goes on to its end.
func (v *Valve) Shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.shut == nil {
		v.shut = make(chan struct{})
	}
}

// Open opens it.
func (v *Valve) Open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.shut != nil {
		close(v.shut)
		v.shut = nil
	}
}

// wait returns when the valve is open.
func (v *Valve) wait() {
	v.mu.Lock()
	shut := v.shut
	v.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

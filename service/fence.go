package service

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"standfast/vrrp/node"
)

// fencer resets the host. Whoever has one has done beforehand what needs a disk.
type fencer interface {
	Fire(reason string) error
}

// hostFence are the files that reset this host, open since before its disk failed.
type hostFence struct{ trigger, log int }

// lastWords is how long the kernel's log may take the reason: its console may be a slow line.
const lastWords = 100 * time.Millisecond

// openFence opens what resets this host: the kernel's own key "b", which neither asks a process, nor stops a device, nor
// writes anything back, all of which would wait for the disk. The key works by this file whatever kernel.sysrq says.
func openFence() (fencer, error) { return openFenceFiles("/proc/sysrq-trigger", "/dev/kmsg") }

func openFenceFiles(trigger, log string) (fencer, error) {
	f := hostFence{log: -1}
	var err error
	if f.trigger, err = unix.Open(trigger, unix.O_WRONLY|unix.O_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("%s cannot be opened: %w; the unit must not protect kernel tunables, and the kernel needs CONFIG_MAGIC_SYSRQ",
			trigger, err)
	}
	if fd, err := unix.Open(log, unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
		f.log = fd // without it the host is reset without a word
	}
	return f, nil
}

// Fire resets the host, and returns only if it could not.
func (f hostFence) Fire(reason string) error {
	said := make(chan struct{})
	go func() {
		defer close(said)
		if f.log >= 0 {
			_, _ = unix.Write(f.log, []byte("<0>standfast: resetting this host: "+reason+"\n"))
		}
	}()
	select {
	case <-said:
	case <-time.After(lastWords):
	}
	if _, err := unix.Write(f.trigger, []byte("b")); err != nil {
		return fmt.Errorf("the kernel refuses to reset this host: %w", err)
	}
	return nil
}

// armed is what resets the host, or why nothing can.
type armed struct {
	fencer fencer
	err    error
}

// arm opens what a configuration needs to reset the host, unless it is open. It opens files, so it is not the loop's.
func arm(p plan, before armed, open func() (fencer, error)) armed {
	if p.node.Storage.Fence == 0 || before.fencer != nil {
		return armed{fencer: before.fencer}
	}
	f, err := open()
	return armed{fencer: f, err: err}
}

// setArmed says what came of arming.
func (s *service) setArmed(a armed) {
	s.armed = a
	if a.err != nil {
		s.log.Error("storage_fence will not reset this host: " + a.err.Error())
	}
}

// fence resets the host by a goroutine of its own: the kernel's log may be slow.
func (s *service) fence(a node.Fence) {
	f := s.armed.fencer
	if f == nil {
		s.log.Error("this host cannot be reset: storage_fence could not be prepared")
		return
	}
	s.workers.Go(func() {
		if err := f.Fire(a.Reason); err != nil {
			s.log.Error(err.Error())
			return
		}
		s.log.Error("the kernel was asked to reset this host, and has not")
	})
}

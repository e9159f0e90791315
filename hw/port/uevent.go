package port

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// Recovery is where the kernel is with a device that had a PCIe error. The zero value is not knowing.
type Recovery uint8

// The stages.
const (
	RecoveryNone   Recovery = iota // the event is about something else
	RecoveryBegun                  // the device is cut off
	RecoveryDone                   // the device works again
	RecoveryFailed                 // it does not, and nothing more will be tried
)

// Uevent is what the kernel tells about a device or an interface (NETLINK_KOBJECT_UEVENT).
type Uevent struct {
	// Lost is true when the kernel dropped events because they were not read in time: anything may
	// have happened. Every other field is then zero.
	Lost bool
	// Action is what happened, such as "add", "remove", "change", "bind" or "unbind".
	Action string
	// Path is the device's directory below /sys, with a leading slash.
	Path string
	// Subsystem is "pci" or "net"; events of other subsystems are not handed out.
	Subsystem string
	// Recovery is what the kernel says of a PCIe error of the device.
	Recovery Recovery
}

// concerns says that the event is about a device, or about something that it hangs beneath, given the
// directory of the device with the root before it.
func (e Uevent) concerns(root, device string) bool {
	path, ok := strings.CutPrefix(device, root)
	if !ok || e.Path == "" {
		return false
	}
	rest, ok := strings.CutPrefix(path, e.Path)
	return ok && (rest == "" || rest[0] == '/')
}

// UeventWatcher hears what the kernel tells about devices. Receive is for one goroutine, Close for any.
type UeventWatcher struct {
	s      *socket.Conn
	buf    []byte
	closed atomic.Bool
}

// A kernel event has at most 2 KiB of variables (UEVENT_BUFFER_SIZE) and a path.
const ueventSize = 16 << 10

// WatchUevents subscribes to what the kernel tells of devices. It needs no right and no udev.
func WatchUevents() (*UeventWatcher, error) {
	const kernelGroup = 1
	s, err := socket.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT, "uevent", nil)
	if err != nil {
		return nil, fmt.Errorf("cannot hear of devices: %w", err)
	}
	if err := s.Bind(&unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("cannot hear of devices: %w", err)
	}
	// More than one boot's worth; where it cannot be had, losses are told.
	_ = s.SetReadBuffer(1 << 20)
	return &UeventWatcher{s: s, buf: make([]byte, ueventSize)}, nil
}

// Receive blocks until something happened to a PCI device or an interface. After Close it fails with
// fs.ErrClosed.
func (w *UeventWatcher) Receive() (Uevent, error) {
	for {
		n, from, err := w.s.Recvfrom(context.Background(), w.buf, 0)
		switch {
		case w.closed.Load():
			return Uevent{}, fmt.Errorf("hearing of devices: %w", fs.ErrClosed)
		case errors.Is(err, unix.ENOBUFS):
			return Uevent{Lost: true}, nil
		case err != nil:
			return Uevent{}, fmt.Errorf("hearing of devices: %w", err)
		}
		// Others may send to this group as well; only the kernel has no port number.
		if a, ok := from.(*unix.SockaddrNetlink); !ok || a.Pid != 0 {
			continue
		}
		if e, ok := decodeUevent(w.buf[:n]); ok {
			return e, nil
		}
	}
}

// Close ends the subscription; a Receive that waits returns with fs.ErrClosed.
func (w *UeventWatcher) Close() error {
	if w.closed.Swap(true) {
		return nil
	}
	return w.s.Close()
}

// decodeUevent reads an event: "action@path", then variables, each with a zero after it. False for what
// is malformed and for what no port hangs on.
func decodeUevent(b []byte) (Uevent, bool) {
	head, rest, ok := bytes.Cut(b, []byte{0})
	if !ok {
		return Uevent{}, false
	}
	action, path, ok := strings.Cut(string(head), "@")
	if !ok || action == "" || !strings.HasPrefix(path, "/") {
		return Uevent{}, false
	}
	e := Uevent{Action: action, Path: path}
	for variable := range bytes.SplitSeq(rest, []byte{0}) {
		name, value, _ := strings.Cut(string(variable), "=")
		switch name {
		case "SUBSYSTEM":
			e.Subsystem = value
		case "ERROR_EVENT":
			e.Recovery = recovery(value)
		}
	}
	return e, e.Subsystem == "pci" || e.Subsystem == "net"
}

// recovery reads the kernel's word (pci_uevent_ers, drivers/pci/pci-driver.c).
func recovery(word string) Recovery {
	switch word {
	case "BEGIN_RECOVERY":
		return RecoveryBegun
	case "SUCCESSFUL_RECOVERY":
		return RecoveryDone
	case "FAILED_RECOVERY":
		return RecoveryFailed
	}
	return RecoveryNone
}

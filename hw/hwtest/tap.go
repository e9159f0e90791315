package hwtest

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tunSetCarrier is TUNSETCARRIER of linux/if_tun.h, which x/sys does not have: _IOW('T', 226, int), Linux 5.0.
const tunSetCarrier = 0x400454e2

// frameSize holds a frame of a tap without offloads at the standard MTU, with room for a VLAN tag.
const frameSize = 2048

// A tap is a network device whose cable is this process: what the kernel transmits is read, what is written is received.
type tap struct {
	name  string
	index int
	mac   [6]byte
	file  *os.File
	fd    int // of file; only used under the laboratory's gate, where closed is known
	gone  bool
}

// openTap makes a tap in the namespace, with the given address, administratively up and its carrier off.
func openTap(n *Namespace, node, name string, mac [6]byte) (*tap, error) {
	t := &tap{name: name, mac: mac}
	if err := n.Do(func() error { return t.attach(node) }); err != nil {
		return nil, fmt.Errorf("tap %s: %w", name, err)
	}
	if err := t.setUp(n.kernel); err != nil {
		t.file.Close()
		return nil, fmt.Errorf("tap %s: %w", name, err)
	}
	return t, nil
}

// attach opens the tun node and makes the device, in the namespace of the calling thread.
func (t *tap) attach(node string) error {
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", node, err)
	}
	request, err := unix.NewIfreq(t.name)
	if err != nil {
		unix.Close(fd)
		return err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		unix.Close(fd)
		return fmt.Errorf("make the device: %w", err)
	}
	t.fd = fd
	t.file = os.NewFile(uintptr(fd), node) // only now: a descriptor without a device cannot be polled
	return t.setCarrier(false)
}

// setUp gives the device its address and sets it up.
func (t *tap) setUp(kernel *netlink.Handle) error {
	link, err := kernel.LinkByName(t.name)
	if err != nil {
		return err
	}
	t.index = link.Attrs().Index
	if err := kernel.LinkSetHardwareAddr(link, net.HardwareAddr(t.mac[:])); err != nil {
		return fmt.Errorf("set the MAC address: %w", err)
	}
	if err := kernel.LinkSetUp(link); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return nil
}

// setCarrier switches the carrier at the device.
func (t *tap) setCarrier(on bool) error {
	value := 0
	if on {
		value = 1
	}
	if err := unix.IoctlSetPointerInt(t.fd, tunSetCarrier, value); err != nil {
		return fmt.Errorf("switch the carrier of %s: %w", t.name, err)
	}
	return nil
}

// An end is one end of a link: a tap, and the router that has it, if any.
type end struct {
	link   *Link
	side   int // index of this end in link.ends
	router *Router
	tap    *tap

	carrier  bool
	switched time.Time // when the carrier last changed
}

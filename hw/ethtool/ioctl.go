package ethtool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// host asks through the ioctls of one network namespace, by name and with a structure of the kernel as bytes.
type host interface {
	// name of the interface of an index.
	name(index int) (string, error)
	// ethtool is SIOCETHTOOL, whose structures begin with their command.
	ethtool(name string, b []byte) error
	// asleep says that the device of the interface is suspended to save power.
	asleep(name string) bool
	// mii is SIOCGMIIPHY or SIOCGMIIREG.
	mii(name string, request uint, m *miiData) error
	Close() error
}

// miiData is struct mii_ioctl_data of linux/mii.h.
type miiData struct{ phy, register, in, out uint16 }

// socket is a host by way of a socket that carries nothing.
type socket struct{ fd int }

func openHost() (host, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &socket{fd}, nil
}

func (s *socket) Close() error {
	if s.fd < 0 {
		return nil
	}
	err := unix.Close(s.fd)
	s.fd = -1
	return err
}

// ifreq is struct ifreq of linux/if.h around a pointer; the padding makes it as long as the kernel copies.
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [24 - unsafe.Sizeof(uintptr(0))]byte
}

func (s *socket) name(index int) (string, error) {
	r := struct {
		name  [unix.IFNAMSIZ]byte
		index int32
		_     [20]byte
	}{index: int32(index)}
	if err := s.ioctl(unix.SIOCGIFNAME, unsafe.Pointer(&r)); err != nil {
		return "", gone(err)
	}
	return unix.ByteSliceToString(r.name[:]), nil
}

func (s *socket) ethtool(name string, b []byte) error {
	r := ifreq{data: unsafe.Pointer(&b[0])}
	copy(r.name[:unix.IFNAMSIZ-1], name)
	return s.ioctl(unix.SIOCETHTOOL, unsafe.Pointer(&r))
}

func (s *socket) mii(name string, request uint, m *miiData) error {
	r := struct {
		name [unix.IFNAMSIZ]byte
		data miiData
		_    [16]byte
	}{data: *m}
	copy(r.name[:unix.IFNAMSIZ-1], name)
	err := s.ioctl(request, unsafe.Pointer(&r))
	*m = r.data
	return err
}

func (s *socket) asleep(name string) bool {
	if name == "" || strings.ContainsAny(name, "./") {
		return false
	}
	status, err := os.ReadFile("/sys/class/net/" + name + "/device/power/runtime_status")
	return err == nil && asleep(string(status))
}

// asleep reads a device's runtime_status. Those that do not suspend have none, or are "unsupported".
func asleep(status string) bool {
	switch strings.TrimSpace(status) {
	case "suspended", "suspending", "resuming":
		return true
	}
	return false
}

func (s *socket) ioctl(request uint, r unsafe.Pointer) error {
	if s.fd < 0 {
		return fs.ErrClosed
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.fd), uintptr(request), uintptr(r)); errno != 0 {
		return errno
	}
	return nil
}

// gone marks the kernel's failure to find an interface.
func gone(err error) error {
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("%w (%w)", ErrGone, err)
	}
	return err
}

// Driver says who drives a port (ETHTOOL_GDRVINFO). What the driver leaves out is empty.
type Driver struct {
	Name     string // "igb"
	Version  string // the kernel's release, for drivers that come with it
	Firmware string // "1.63, 0x800009fa"
	Bus      string // "0000:03:00.1"
}

// Driver asks who drives a port. The interface lo is driven by nobody, which [IsUnsupported] says.
func (c *Client) Driver(index int) (Driver, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := c.filled(index, unix.ETHTOOL_GDRVINFO, sizeofDrvinfo)
	if err != nil {
		return Driver{}, fmt.Errorf("driver of port %d: %w", index, c.absent(index, err))
	}
	return decodeDriver(b), nil
}

// filled is a structure of the kernel that holds nothing but its command when it goes in.
func (c *Client) filled(index int, command uint32, size int) ([]byte, error) {
	name, err := c.host.name(index)
	if err != nil {
		return nil, err
	}
	b := commanded(command, size)
	return b, c.host.ethtool(name, b)
}

// commanded is a structure of the kernel that begins with its command.
func commanded(command uint32, size int) []byte {
	b := make([]byte, size)
	binary.NativeEndian.PutUint32(b, command)
	return b
}

// sizeofDrvinfo is that of struct ethtool_drvinfo.
const sizeofDrvinfo = int(unsafe.Sizeof(unix.EthtoolDrvinfo{}))

// decodeDriver reads a struct ethtool_drvinfo: the command and four texts of 32 bytes.
func decodeDriver(b []byte) Driver {
	text := func(i int) string { return printable(b[4+32*i:][:32]) }
	return Driver{Name: text(0), Version: text(1), Firmware: text(2), Bus: text(3)}
}

// printable is a text up to its first zero, without what would upset a terminal, and without the padding around it.
func printable(b []byte) string {
	text := make([]byte, 0, len(b))
	for _, c := range b {
		if c == 0 {
			break
		}
		if c >= ' ' && c <= '~' && (c != ' ' || len(text) > 0) {
			text = append(text, c)
		}
	}
	for len(text) > 0 && text[len(text)-1] == ' ' {
		text = text[:len(text)-1]
	}
	return string(text)
}

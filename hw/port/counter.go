package port

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Root is where the kernel shows its devices.
const Root = "/sys"

// Counter reads how often one port lost its carrier. A reading takes about a microsecond
// and none of the kernel's locks.
type Counter struct {
	f   *os.File
	raw syscall.RawConn // of f: a position-free read, safe against Close
}

// OpenCounter opens the loss counter of a port of the calling thread's network
// namespace. It fails with fs.ErrNotExist when there is no such port, when the kernel
// has no such counter (before 4.16), and when /sys was mounted for another network
// namespace, whose ports may bear the same names.
func OpenCounter(name string) (*Counter, error) {
	want, err := identity(name)
	if err != nil {
		return nil, fmt.Errorf("no carrier counter of %s: %w", name, err)
	}
	return openCounter(Root, name, want)
}

func openCounter(root, name string, want device) (*Counter, error) {
	dir, err := classDir(root, name, want)
	if err != nil {
		return nil, fmt.Errorf("no carrier counter of %s: %w", name, err)
	}
	f, err := os.Open(filepath.Join(dir, "carrier_down_count"))
	if err != nil {
		return nil, fmt.Errorf("no carrier counter of %s: %w", name, err)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("no carrier counter of %s: %w", name, err)
	}
	return &Counter{f: f, raw: raw}, nil
}

// Read returns the number of carrier losses since the port exists, modulo 2^32. It fails
// with unix.ENODEV once the port was removed; a port made again needs a new Counter. A
// rename changes nothing.
func (c *Counter) Read() (uint32, error) {
	var b [16]byte
	var n int
	var failure error
	err := c.raw.Control(func(fd uintptr) { n, failure = unix.Pread(int(fd), b[:], 0) })
	if err := cmp.Or(err, failure); err != nil {
		return 0, fmt.Errorf("reading %s: %w", c.f.Name(), err)
	}
	v, err := strconv.ParseUint(strings.TrimSpace(string(b[:n])), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("reading %s: %w", c.f.Name(), err)
	}
	return uint32(v), nil
}

// Close releases the counter.
func (c *Counter) Close() error { return c.f.Close() }

// device is what tells a port from one of the same name in another network namespace.
type device struct {
	index    int
	hardware [14]byte // its address, as many bytes as its kind has
}

// identity asks the network namespace of the calling thread, without its configuration
// lock, which device bears a name. It fails with fs.ErrNotExist if none does.
func identity(name string) (device, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return device{}, fmt.Errorf("cannot ask for the port: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if name == "" || len(name) >= unix.IFNAMSIZ || strings.ContainsRune(name, '/') || name == "." || name == ".." {
		return device{}, fmt.Errorf("%q is no interface name: %w", name, fs.ErrNotExist)
	}
	index, err := interfaceRequest(fd, unix.SIOCGIFINDEX, name)
	if err != nil {
		return device{}, err
	}
	hardware, err := interfaceRequest(fd, unix.SIOCGIFHWADDR, name)
	if err != nil {
		return device{}, err
	}
	d := device{index: int(binary.NativeEndian.Uint32(index[:]))}
	copy(d.hardware[:], hardware[2:]) // after the hardware type
	return d, nil
}

// interfaceRequest is an ioctl about an interface; x/sys has no form of it that gives
// access to the whole answer.
func interfaceRequest(fd int, request uintptr, name string) (answer [24]byte, err error) {
	var r struct {
		name   [unix.IFNAMSIZ]byte
		answer [24]byte
	}
	copy(r.name[:unix.IFNAMSIZ-1], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&r)))
	switch errno {
	case 0:
		return r.answer, nil
	case unix.ENODEV:
		return r.answer, fmt.Errorf("there is no such port: %w", fs.ErrNotExist)
	default:
		return r.answer, fmt.Errorf("cannot ask for the port: %w", errno)
	}
}

// classDir returns the directory of a port under root, after making sure that it
// describes the device that is wanted and not its namesake elsewhere.
func classDir(root, name string, want device) (string, error) {
	dir := filepath.Join(root, "class/net", name)
	index, err := os.ReadFile(filepath.Join(dir, "ifindex"))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(dir, "address"))
	if err != nil {
		return "", err
	}
	// A virtual port may have no address, or a long one of which the kernel told the beginning.
	address, _ := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), ":", ""))
	known := min(len(address), len(want.hardware))
	if strings.TrimSpace(string(index)) != strconv.Itoa(want.index) || !bytes.Equal(address[:known], want.hardware[:known]) {
		return "", fmt.Errorf("%s shows another network namespace: %w", root, fs.ErrNotExist)
	}
	return dir, nil
}

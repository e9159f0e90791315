package port

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// tree builds a directory like /sys. Every device is given by its path below devices,
// of which the elements that look like PCI addresses get the subsystem pci.
type tree struct {
	t    *testing.T
	root string
}

func newTree(t *testing.T) tree {
	tr := tree{t, t.TempDir()}
	ok(t, os.MkdirAll(filepath.Join(tr.root, "devices"), 0o755))
	ok(t, os.MkdirAll(filepath.Join(tr.root, "class/net"), 0o755))
	return tr
}

func (tr tree) mkdir(path string) string {
	tr.t.Helper()
	path = filepath.Join(tr.root, path)
	ok(tr.t, os.MkdirAll(path, 0o755))
	return path
}

func (tr tree) write(path, content string) {
	tr.t.Helper()
	tr.mkdir(filepath.Dir(path))
	ok(tr.t, os.WriteFile(filepath.Join(tr.root, path), []byte(content+"\n"), 0o644))
}

// link makes a symbolic link in a directory to something that need not exist.
func (tr tree) link(dir, name, target string) {
	tr.t.Helper()
	ok(tr.t, os.Symlink(target, filepath.Join(tr.mkdir(dir), name)))
}

// subsystems marks every element of a path with its subsystem.
func (tr tree) subsystems(path string, subsystem func(element string) string) {
	tr.t.Helper()
	for dir := path; dir != "." && dir != "devices"; dir = filepath.Dir(dir) {
		full := filepath.Join(tr.mkdir(dir), "subsystem")
		if s := subsystem(filepath.Base(dir)); s != "" {
			_ = os.Remove(full) // of a sibling's path
			ok(tr.t, os.Symlink("/sys/bus/"+s, full))
		}
	}
}

// port puts a network port on a device.
func (tr tree) port(name string, index int, device, driver string) {
	tr.t.Helper()
	dir := filepath.Join(device, "net", name)
	tr.write(filepath.Join(dir, "ifindex"), strconv.Itoa(index))
	tr.write(filepath.Join(dir, "address"), "02:00:00:00:00:01")
	ok(tr.t, os.Symlink(filepath.Join(tr.root, device), filepath.Join(tr.root, dir, "device")))
	ok(tr.t, os.Symlink(filepath.Join(tr.root, dir), filepath.Join(tr.root, "class/net", name)))
	if driver != "" {
		_ = os.Remove(filepath.Join(tr.root, device, "driver")) // of another port on it
		tr.link(device, "driver", "/sys/bus/pci/drivers/"+driver)
	}
}

func pciElements(element string) string {
	if len(element) == len("0000:00:00.0") {
		return "pci"
	}
	return ""
}

func TestIdentify(t *testing.T) {
	tr := newTree(t)
	pci := func(name string, index int, device, driver string) {
		t.Helper()
		tr.subsystems(device, pciElements)
		tr.port(name, index, device, driver)
	}
	const host = "devices/pci0000:00/"
	pci("eno1", 2, host+"0000:00:19.0", "e1000e")
	pci("eno2", 3, host+"0000:00:1f.6", "e1000e")
	// Four functions of one chip beneath a root port.
	pci("p1p1", 4, host+"0000:00:1c.0/0000:03:00.0", "igb")
	pci("p1p2", 5, host+"0000:00:1c.0/0000:03:00.1", "igb")
	// Two chips of two functions behind the card's own switch chip.
	const card = host + "0000:00:1c.4/0000:06:00.0/"
	pci("p3p1", 6, card+"0000:07:02.0/0000:08:00.0", "ixgbe")
	pci("p3p4", 7, card+"0000:07:04.0/0000:09:00.1", "ixgbe")
	// Two slots behind a switch chip of the board, which the firmware knows.
	const board = host + "0000:00:01.0/0000:10:00.0/"
	pci("p4p1", 8, board+"0000:11:01.0/0000:12:00.0", "tg3")
	pci("p5p1", 9, board+"0000:11:02.0/0000:13:00.0", "tg3")
	tr.write("bus/pci/slots/4/address", "0000:12:00")
	tr.write("bus/pci/slots/5/address", "0000:13:00")
	// A virtual machine's port, and one on USB.
	virtio := host + "0000:00:03.0/virtio2"
	tr.subsystems(virtio, func(e string) string {
		if e == "virtio2" {
			return "virtio"
		}
		return pciElements(e)
	})
	tr.port("eth0", 10, virtio, "virtio_net")
	usb := host + "0000:00:14.0/usb1/1-1/1-1.4/1-1.4:1.0"
	tr.subsystems(usb, func(e string) string {
		if p := pciElements(e); p != "" && e != "pci0000:00" {
			return p
		}
		return "usb"
	})
	tr.port("eth1", 11, usb, "r8152")
	// A board without PCI; a driver that was unbound; a port without hardware.
	tr.port("end0", 12, "devices/platform/fe300000.ethernet", "macb")
	pci("p6p1", 13, host+"0000:00:1c.5/0000:20:00.0", "")
	tr.write("devices/virtual/net/br0/ifindex", "14")
	tr.write("devices/virtual/net/br0/address", "")
	ok(t, os.Symlink(filepath.Join(tr.root, "devices/virtual/net/br0"), filepath.Join(tr.root, "class/net/br0")))

	for _, c := range []struct {
		name  string
		index int
		want  Identity
	}{
		{"eno1", 2, Identity{Driver: "e1000e", Bus: "0000:00:19.0", Card: "0000:00:19"}},
		{"eno2", 3, Identity{Driver: "e1000e", Bus: "0000:00:1f.6", Card: "0000:00:1f"}},
		{"p1p1", 4, Identity{Driver: "igb", Bus: "0000:03:00.0", Card: "0000:03:00"}},
		{"p1p2", 5, Identity{Driver: "igb", Bus: "0000:03:00.1", Card: "0000:03:00"}},
		{"p3p1", 6, Identity{Driver: "ixgbe", Bus: "0000:08:00.0", Card: "0000:06:00"}},
		{"p3p4", 7, Identity{Driver: "ixgbe", Bus: "0000:09:00.1", Card: "0000:06:00"}},
		{"p4p1", 8, Identity{Driver: "tg3", Bus: "0000:12:00.0", Card: "0000:12:00"}},
		{"p5p1", 9, Identity{Driver: "tg3", Bus: "0000:13:00.0", Card: "0000:13:00"}},
		{"eth0", 10, Identity{Driver: "virtio_net", Bus: "0000:00:03.0", Card: "0000:00:03"}},
		{"eth1", 11, Identity{Driver: "r8152", Bus: "1-1.4:1.0", Card: "1-1.4"}},
		{"end0", 12, Identity{Driver: "macb", Bus: "fe300000.ethernet", Card: "fe300000.ethernet"}},
		{"p6p1", 13, Identity{Driver: "", Bus: "0000:20:00.0", Card: "0000:20:00"}},
		{"br0", 14, Identity{}},
		{"p1p1", 99, Identity{}}, // another namespace's
		{"nowhere", 1, Identity{}},
	} {
		want := device{index: c.index, hardware: [14]byte{2, 0, 0, 0, 0, 1}}
		if got := identify(tr.root, c.name, want); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
	if got := identify(tr.root, "p1p1", device{index: 4, hardware: [14]byte{2, 0, 0, 0, 0, 2}}); got != (Identity{}) {
		t.Errorf("a namesake with another hardware address was taken for ours: %+v", got)
	}
}

func TestCounterContent(t *testing.T) {
	tr := newTree(t)
	tr.port("p1", 4, "devices/virtual/p1", "")
	want := device{index: 4, hardware: [14]byte{2, 0, 0, 0, 0, 1}}
	if _, err := openCounter(tr.root, "p1", want); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a kernel before 4.16: got %v, want fs.ErrNotExist", err)
	}
	for _, c := range []struct {
		content string
		want    uint32
		ok      bool
	}{
		{"0", 0, true},
		{"4294967295", 1<<32 - 1, true},
		{"4294967296", 0, false},
		{"-1", 0, false},
		{"", 0, false},
		{"many", 0, false},
	} {
		tr.write("devices/virtual/p1/net/p1/carrier_down_count", c.content)
		counter, err := openCounter(tr.root, "p1", want)
		ok(t, err)
		got, err := counter.Read()
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: got %d, %v", c.content, got, err)
		}
		ok(t, counter.Close())
	}
}

package port

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Truth is the answer to a question of yes or no. The zero value is not knowing.
type Truth uint8

// The answers.
const (
	Unknown Truth = iota
	No
	Yes
)

// String returns "unknown", "no" or "yes".
func (t Truth) String() string {
	switch t {
	case No:
		return "no"
	case Yes:
		return "yes"
	case Unknown:
	}
	return "unknown"
}

func truth(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// Count is a counter of the kernel's, if the kernel or the driver has it.
type Count struct {
	N     uint64
	Known bool
}

// Grew says that the counter is known to be higher than it was. One that starts afresh is not.
func (c Count) Grew(was Count) bool { return c.Known && was.Known && c.N > was.N }

// Signals is what /sys says of one port and of the device beneath it. What a kernel does not have, from
// Linux 3.10 on, stays unknown.
type Signals struct {
	// Listed is whether the interface is there.
	Listed Truth
	// Plugged is whether its device is on the bus; unknown for a port without hardware.
	Plugged Truth
	// Bound is whether the device has a driver; unknown for a port without hardware.
	Bound Truth
	// ProtoDown is whether another protocol of this host holds the port down (Linux 4.1).
	ProtoDown Truth
	// Testing is whether a cable or self test runs. A link that is well has operstate "up"; drivers
	// that leave it unknown never say so.
	Testing Truth
	// Timeouts counts how often the kernel found a transmit queue stuck, over all queues.
	Timeouts Count
	// Corrected, Nonfatal and Fatal count PCIe errors of the device and of what it is plugged
	// into (Linux 4.19, with AER).
	Corrected, Nonfatal, Fatal Count
}

// Sensor reads the signals of one port. It outlives the port: what it says then is whether the device is
// still there. Its methods may be called by one goroutine at a time each.
type Sensor struct {
	root     string // without symbolic links
	dir      string // of the port's class entry
	index    int
	device   string   // the directory of the device; empty for a port without hardware
	function string   // the directory of the PCI function; empty where there is none
	errors   []string // directories with counters of PCIe errors
	identity Identity
}

// OpenSensor finds the directories of a port that rtnetlink has listed, under root, normally [Root]. It
// walks directories and takes none of the kernel's locks. It fails with fs.ErrNotExist when root does
// not show the port, or shows a namesake in another network namespace.
func OpenSensor(root string, of State) (*Sensor, error) {
	want := device{index: of.Index}
	copy(want.hardware[:], of.MAC[:])
	dir, err := classDirOf(root, of.Name, want, of.MAC != [6]byte{})
	if err != nil {
		return nil, fmt.Errorf("no sensor of %s: %w", of.Name, err)
	}
	s := &Sensor{dir: dir, index: of.Index}
	hardware, err := filepath.EvalSymlinks(filepath.Join(dir, "device"))
	if err != nil {
		return s, nil // no hardware
	}
	if s.root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, fmt.Errorf("no sensor of %s: %w", of.Name, err)
	}
	chain := pciChain(root, hardware)
	s.device = hardware
	s.identity = identityOf(root, hardware, chain)
	if len(chain) > 0 {
		s.function = pciDir(hardware, chain[len(chain)-1])
		s.errors = append(s.errors, s.function)
	}
	if len(chain) > 1 {
		s.errors = append(s.errors, pciDir(hardware, chain[len(chain)-2]))
	}
	return s, nil
}

// classDirOf is classDir for a port whose hardware address may not be known.
func classDirOf(root, name string, want device, addressed bool) (string, error) {
	if addressed {
		return classDir(root, name, want)
	}
	dir := filepath.Join(root, "class/net", name)
	index := readCount(dir, "ifindex")
	if !index.Known || index.N != uint64(want.index) {
		return "", fs.ErrNotExist
	}
	return dir, nil
}

// Identity is which piece of hardware the port was when the sensor was opened.
func (s *Sensor) Identity() Identity { return s.identity }

// Beneath is the one port that a VLAN or a macvlan lives on; empty for a port with hardware of its own, and
// for a bridge or a bond, which are well as long as one of several is. It may change while the port lives.
func (s *Sensor) Beneath() string {
	if s.device != "" || exists(filepath.Join(s.dir, "bridge")) != No || exists(filepath.Join(s.dir, "bonding")) != No {
		return ""
	}
	lower, _ := filepath.Glob(filepath.Join(s.dir, "lower_*")) // the pattern is well-formed
	if len(lower) != 1 {
		return ""
	}
	return strings.TrimPrefix(filepath.Base(lower[0]), "lower_")
}

// Concerned says that an event is about the port's device, or about what that is plugged into.
func (s *Sensor) Concerned(e Uevent) bool { return s.device != "" && e.concerns(s.root, s.device) }

// Read reads every signal but the bus. It takes none of the kernel's locks and waits for no hardware.
func (s *Sensor) Read() Signals {
	v := s.readDevice()
	index := readCount(s.dir, "ifindex")
	v.Listed = truth(index.Known && index.N == uint64(s.index))
	if v.Listed == No {
		return v
	}
	if down := readCount(s.dir, "proto_down"); down.Known {
		v.ProtoDown = truth(down.N != 0)
	}
	if state := readText(s.dir, "operstate"); state != "" && state != "unknown" {
		v.Testing = truth(state == "testing")
	}
	v.Timeouts = s.timeouts()
	return v
}

// ReadSent reads the counter of frames that left, and nothing else. Some drivers fetch it from their card, others
// bring it up to date only every second or two.
func (s *Sensor) ReadSent() Count {
	if index := readCount(s.dir, "ifindex"); !index.Known || index.N != uint64(s.index) {
		return Count{}
	}
	return readCount(s.dir, "statistics/tx_packets")
}

// readDevice reads what the device says, whether or not the interface is still there.
func (s *Sensor) readDevice() Signals {
	if s.device == "" {
		return Signals{}
	}
	v := Signals{Plugged: exists(s.device), Bound: No}
	if s.function != "" {
		v.Plugged = exists(s.function)
	}
	if target(filepath.Join(s.device, "driver")) != "" {
		v.Bound = Yes
	}
	for _, dir := range s.errors {
		v.Corrected = v.Corrected.plus(readTotal(dir, "aer_dev_correctable", "TOTAL_ERR_COR"))
		v.Nonfatal = v.Nonfatal.plus(readTotal(dir, "aer_dev_nonfatal", "TOTAL_ERR_NONFATAL"))
		v.Fatal = v.Fatal.plus(readTotal(dir, "aer_dev_fatal", "TOTAL_ERR_FATAL"))
	}
	return v
}

// Answers asks the device over the PCI bus whether it is there: one that is not reads as all ones. It may
// wait in the kernel, without end and deaf to signals, while the bus is being reset: for a goroutine that
// may be given up. Unknown for a device that is not on PCI, is gone, or sleeps and would have to be woken.
func (s *Sensor) Answers() Truth {
	if s.function == "" || readText(s.function, "power/runtime_status") == "suspended" {
		return Unknown
	}
	fd, err := unix.Open(filepath.Join(s.function, "config"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return Unknown
	}
	defer func() { _ = unix.Close(fd) }()
	// The whole standard header: the first word alone is all ones on every virtual function.
	var header [64]byte
	n, err := unix.Pread(fd, header[:], 0)
	if err != nil || n < len(header) {
		return Unknown
	}
	for _, b := range header {
		if b != 0xff {
			return Yes
		}
	}
	return No
}

// timeouts sums over the transmit queues.
func (s *Sensor) timeouts() Count {
	var sum Count
	files, _ := filepath.Glob(filepath.Join(s.dir, "queues/tx-*/tx_timeout")) // the pattern is well-formed
	for _, f := range files {
		sum = sum.plus(readCount(filepath.Dir(f), filepath.Base(f)))
	}
	return sum
}

func (c Count) plus(o Count) Count {
	return Count{N: c.N + o.N, Known: c.Known || o.Known}
}

// readText reads one short attribute; empty if it cannot be read.
func readText(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// readCount reads an attribute that is one number, decimal or with 0x before it.
func readCount(dir, name string) Count {
	n, err := strconv.ParseUint(readText(dir, name), 0, 64)
	return Count{N: n, Known: err == nil}
}

// readTotal reads the line of a statistic that begins with a word.
func readTotal(dir, name, word string) Count {
	for line := range strings.Lines(readText(dir, name)) {
		first, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		if first != word {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 64)
		return Count{N: n, Known: err == nil}
	}
	return Count{}
}

// exists is unknown when the question itself fails.
func exists(path string) Truth {
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Unknown
	}
	return truth(err == nil)
}

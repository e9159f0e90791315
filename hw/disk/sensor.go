package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Sensor reads the signals of one volume. It holds a folder of the volume open, so that the file system cannot be unmounted
// before it is closed. It is not for several goroutines at once.
type Sensor struct {
	tree   fs.FS
	volume Volume
	folder int // O_PATH descriptor of the mount point, or -1
	// shielded says that its mount is read-only and the file system is not: systemd does that to services.
	shielded bool
	// hidden are the paths of a multipath NVMe namespace, whose own counters older kernels do not keep; by leaf.
	hidden map[string][]string
}

// OpenSensor prepares to read a volume's signals. It looks the mount point up, so it is to be called while the disk works; an
// error is that of the lookup.
func OpenSensor(v Volume) (*Sensor, error) {
	s := openSensor(os.DirFS("/"), v)
	if !statWithoutDisk(v.Type) {
		return s, nil
	}
	fd, err := unix.Open(v.Mount, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s, where %s is mounted: %w", v.Mount, v.Source, err)
	}
	s.folder = fd
	return s, nil
}

// Look reads a volume's signals once, from any tree that looks like a host's, and asks no descriptor.
func Look(tree fs.FS, v Volume) Signals { return openSensor(tree, v).Read() }

// openSensor reads from any tree, and asks no descriptor.
func openSensor(tree fs.FS, v Volume) *Sensor {
	s := &Sensor{tree: tree, volume: v, folder: -1, hidden: map[string][]string{}}
	if text, err := fs.ReadFile(tree, mountinfo); err == nil {
		s.shielded = slices.ContainsFunc(mountsOf(text, v.Device), func(m mount) bool {
			return m.device == v.Device && m.point == v.Mount && slices.Contains(m.options, "ro") && !slices.Contains(m.super, "ro")
		})
	}
	all, _ := fs.ReadDir(tree, "sys/class/block")
	for _, leaf := range v.Leaves {
		for _, d := range all {
			if nvmePathOf(d.Name(), leaf) {
				s.hidden[leaf] = append(s.hidden[leaf], d.Name())
			}
		}
	}
	return s
}

// statWithoutDisk says that fstat of an open folder of this kind of file system is answered from memory. (A file system in user
// space or of a cluster asks somebody else, who may never answer.)
func statWithoutDisk(kind string) bool {
	return slices.Contains([]string{"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat"}, kind)
}

// Close lets go of the volume. It returns no error: there is nothing that a caller could do about one.
func (s *Sensor) Close() {
	if s.folder >= 0 {
		_ = unix.Close(s.folder)
		s.folder = -1
	}
}

// Read returns the signals of now. It reads /proc and /sys only and never waits for a disk; with few mounts it takes some ten
// microseconds for each leaf.
func (s *Sensor) Read() Signals {
	var now Signals
	if text, err := fs.ReadFile(s.tree, mountinfo); err == nil && len(text) > 0 {
		now.Mount = mountState(mountsOf(text, s.volume.Device), s.volume, s.shielded)
	}
	if s.folder >= 0 {
		var st unix.Stat_t
		if err := unix.Fstat(s.folder, &st); err != nil {
			now.Stat = Errno(err)
		}
	}
	for _, name := range s.volume.Leaves {
		now.Leaves = append(now.Leaves, s.leaf(name))
	}
	for _, name := range s.volume.Arrays {
		now.Arrays = append(now.Arrays, s.array(name))
	}
	return now
}

// Errno is the kernel's error number in an error, 0 for nil and EIO for an error without a number.
func Errno(err error) unix.Errno {
	if err == nil {
		return 0
	}
	if n, ok := errors.AsType[unix.Errno](err); ok {
		return n
	}
	return unix.EIO
}

// mountState judges what is mounted now against what the volume was when it was found. Shielded says that its mount was read-only
// from the beginning and the file system was not.
func mountState(mounts []mount, v Volume, shielded bool) MountState {
	state := MountDisappeared
	for _, m := range mounts {
		if m.device != v.Device {
			continue
		}
		switch {
		case slices.Contains(m.super, "shutdown"):
			return MountShutdown
		case slices.Contains(m.super, "emergency_ro"):
			return MountErrorsRead
		case v.ReadOnly || !slices.Contains(m.super, "ro"):
			state = MountWell
		case m.point == v.Mount && slices.Contains(m.options, "ro") && !shielded:
			// remount(2) marks the mount and the file system; a file system that gives up marks only itself.
			return MountReadOnly
		default:
			state = MountErrorsRead
		}
	}
	return state
}

// leaf reads one device.
func (s *Sensor) leaf(name string) Leaf {
	l := Leaf{Name: name}
	dir := "sys/class/block/" + name
	if _, err := fs.Stat(s.tree, dir+"/stat"); errors.Is(err, fs.ErrNotExist) {
		if _, err := fs.Stat(s.tree, "sys/class/block"); err == nil { // else /sys is not mounted
			l.State, l.Word = DeviceDead, "removed"
		}
		return l
	}
	l.State, l.Word = s.deviceState(name, dir)
	l.count(s.tree, dir)
	for _, p := range s.hidden[name] {
		l.count(s.tree, "sys/class/block/"+p)
	}
	return l
}

// count adds the counters of a device. A device whose counters cannot be read adds none.
func (l *Leaf) count(tree fs.FS, dir string) {
	stat, err := fs.ReadFile(tree, dir+"/stat")
	if err != nil {
		return
	}
	completed, total, ok := parseStat(string(stat))
	if !ok {
		return
	}
	text, err := fs.ReadFile(tree, dir+"/inflight")
	flight, known := parseInFlight(string(text))
	if err != nil || !known {
		flight = [2]uint64{total, total} // which of the two hangs cannot be told
	}
	l.Counted = true
	for op := range completed {
		l.Completed[op] += completed[op]
		l.InFlight[op] += flight[op]
	}
}

// parseStat reads /sys/block/D/stat (Documentation/block/stat.rst): what was completed, by Op, and what is in flight in all.
func parseStat(text string) (completed [2]uint64, inFlight uint64, ok bool) {
	const (
		reads, writes, flight, discards, flushes = 0, 4, 8, 11, 15 // 4.18 added discards, 5.5 flushes
		least                                    = 11
	)
	fields := strings.Fields(text)
	if len(fields) < least {
		return completed, 0, false
	}
	number := func(i int) uint64 {
		if i >= len(fields) {
			return 0
		}
		n, err := strconv.ParseUint(fields[i], 10, 64)
		ok = ok && err == nil
		return n
	}
	ok = true
	completed[OpRead] = number(reads)
	completed[OpWrite] = number(writes) + number(discards) + number(flushes)
	inFlight = number(flight)
	return completed, inFlight, ok
}

// parseInFlight reads /sys/block/D/inflight: two numbers, by Op.
func parseInFlight(text string) (n [2]uint64, ok bool) {
	fields := strings.Fields(text)
	if len(fields) != len(n) {
		return n, false
	}
	for i, f := range fields {
		v, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return [2]uint64{}, false
		}
		n[i] = v
	}
	return n, true
}

// deviceState asks the layer that knows the device: SCSI, or NVMe, each of whose controllers may have it.
func (s *Sensor) deviceState(name, dir string) (DeviceState, string) {
	if !strings.HasPrefix(name, "nvme") {
		word := s.word(dir + "/device/state")
		return scsiState(word), word
	}
	if word := s.word(dir + "/device/state"); word != "" { // the controller itself: no multipath
		return nvmeState(word), word
	}
	best, words := DeviceUnknown, ""
	for _, p := range s.hidden[name] {
		word := s.word("sys/class/block/" + p + "/device/state")
		if state := nvmeState(word); best == DeviceUnknown || state != DeviceUnknown && state < best {
			best, words = state, word
		}
	}
	return best, words
}

// array reads one mdraid array.
func (s *Sensor) array(name string) Array {
	dir := "sys/class/block/" + name + "/md/"
	degraded, _ := strconv.Atoi(s.word(dir + "degraded"))
	return Array{Name: name, State: s.word(dir + "array_state"), Degraded: degraded}
}

// word is what a file of one line says; nothing where it cannot be read.
func (s *Sensor) word(name string) string {
	text, err := fs.ReadFile(s.tree, path.Clean(name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// nvmePathOf says that a device is one path to a namespace: nvme0c1n2 of nvme0n2.
func nvmePathOf(name, leaf string) bool {
	subsystem, namespace, ok := strings.Cut(strings.TrimPrefix(leaf, "nvme"), "n")
	if !ok || !strings.HasPrefix(leaf, "nvme") {
		return false
	}
	controller, ok := strings.CutPrefix(name, "nvme"+subsystem+"c")
	if !ok {
		return false
	}
	number, ok := strings.CutSuffix(controller, "n"+namespace)
	_, err := strconv.Atoi(number)
	return ok && err == nil
}

package disk

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Volume is a file system that a host runs from, and the devices behind it.
type Volume struct {
	Paths  []string // those that were asked for and lie on it, in the order asked
	Mount  string   // where it is mounted
	Type   string   // "ext4", "xfs"
	Source string   // what was mounted: "/dev/mapper/rhel-root"
	Device string   // MAJOR:MINOR of its own device: "253:0"; of a btrfs an anonymous one: "0:37"
	Name   string   // the kernel's name of that device: "dm-0"; empty for btrfs
	// Leaves are the whole devices at the bottom, by the kernel's name, sorted: "sda", "nvme0n1". A loop device is one: that it
	// stands still says as much as if its file's disk were read, and the file may lie where this process cannot see it.
	Leaves []string
	Arrays []string // the mdraid arrays on the way: "md0"
	// ReadOnly says that by somebody's will the file system could not be written when it was found: it was mounted so, or is of a
	// kind that never is.
	ReadOnly bool
}

// String names the volume for an operator: "/ and /var on sda".
func (v Volume) String() string {
	where := v.Paths
	if len(where) == 0 {
		where = []string{v.Mount}
	}
	return strings.Join(where, " and ") + " on " + strings.Join(v.Leaves, " and ")
}

// Skipped is a path that cannot be watched, and why, in words that complete "PATH: …".
type Skipped struct {
	Path   string
	Reason string
	Remote bool // it lies on another host
}

// Find says which volumes are behind the paths, one for each file system, in the order of the paths, and which paths have no
// disk to watch. A path need not exist; what counts is where it would be. It reads /proc and /sys and resolves the paths, so it
// touches the disk and is to be called at start. The error is that of /proc/self/mountinfo, the only file it cannot do without.
func Find(paths []string) ([]Volume, []Skipped, error) { return FindIn(os.DirFS("/"), paths) }

// FindIn is Find on any tree that looks like a host's, rooted at "/".
func FindIn(tree fs.FS, paths []string) ([]Volume, []Skipped, error) {
	text, err := fs.ReadFile(tree, mountinfo)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot tell what is mounted: is /proc mounted? %w", err)
	}
	mounts := parseMounts(text)
	var volumes []Volume
	var skipped []Skipped
	for _, name := range paths {
		if !path.IsAbs(name) {
			skipped = append(skipped, Skipped{Path: name, Reason: "not an absolute path"})
			continue
		}
		m, ok := mountOf(mounts, "/"+resolve(tree, name))
		if !ok {
			skipped = append(skipped, Skipped{Path: name, Reason: "this process does not see on which mount it lies"})
			continue
		}
		if i := slices.IndexFunc(volumes, func(v Volume) bool { return v.Device == m.device }); i >= 0 {
			volumes[i].Paths = append(volumes[i].Paths, name)
			continue
		}
		v, reason := volumeOf(tree, m)
		if reason != "" {
			skipped = append(skipped, Skipped{Path: name, Reason: reason, Remote: remote(m.kind)})
			continue
		}
		v.Paths = []string{name}
		volumes = append(volumes, v)
	}
	return volumes, skipped, nil
}

// volumeOf looks for the devices behind a mount; the reason says why there are none.
func volumeOf(tree fs.FS, m mount) (v Volume, reason string) {
	v = Volume{Mount: m.point, Type: m.kind, Source: m.source, Device: m.device, ReadOnly: unwritten(m)}
	w := &walk{tree: tree}
	switch {
	case !strings.HasPrefix(m.device, "0:"):
		v.Name = w.number(m.device)
	case m.kind == "btrfs":
		w.btrfs(m.source)
	default:
		return Volume{}, deviceless(m.kind)
	}
	w.finish()
	v.Leaves, v.Arrays = w.leaves, w.arrays
	switch {
	case len(v.Leaves) > 0:
		return v, ""
	case w.memory != "":
		return Volume{}, "lives in memory (" + w.memory + ")"
	}
	return Volume{}, fmt.Sprintf("the devices behind %s (%s) are not to be found in /sys; is it mounted?", m.device, m.source)
}

// unwritten says that a file system is read-only because somebody wants it so. One that is read-only behind a mount that is
// not has become so by itself, unless it is of a kind that cannot be written at all. (A mount alone may be read-only where
// systemd shields a service from what others do write.)
func unwritten(m mount) bool {
	return slices.Contains(m.super, "ro") && (slices.Contains(m.options, "ro") || neverWritten(m.kind))
}

// neverWritten says that a kind of file system is read-only by nature.
func neverWritten(kind string) bool {
	return slices.Contains([]string{"squashfs", "iso9660", "erofs", "cramfs", "romfs", "udf"}, kind)
}

// deviceless says why there is no device behind a kind of file system.
func deviceless(kind string) string {
	switch kind {
	case "tmpfs", "ramfs", "rootfs", "devtmpfs", "hugetlbfs":
		return "lives in memory (" + kind + ")"
	case "overlay", "aufs":
		return "is put together of other folders (" + kind + "); name the path of the one that is written to"
	}
	if remote(kind) {
		return "lies on another host (" + kind + ")"
	}
	return "no block device of this host is behind it (" + kind + ")"
}

// remote says that a kind of file system is served by another host.
func remote(kind string) bool {
	return slices.Contains([]string{"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "virtiofs", "glusterfs", "afs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph"}, kind)
}

// walk goes down from a device to those at the bottom.
type walk struct {
	tree   fs.FS
	seen   []string
	leaves []string
	arrays []string
	memory string // a device that turned out to be memory
}

// number begins at MAJOR:MINOR and returns the device's name, or nothing where the kernel does not know it.
func (w *walk) number(device string) string {
	dir, ok := follow(w.tree, "sys/dev/block/"+device)
	if !ok {
		return ""
	}
	w.folder(dir)
	return path.Base(dir)
}

// name begins at a device's name.
func (w *walk) name(name string) {
	if dir, ok := follow(w.tree, "sys/class/block/"+name); ok {
		w.folder(dir)
	}
}

// folder takes the device whose folder in /sys/devices is given.
func (w *walk) folder(dir string) {
	if _, err := fs.Stat(w.tree, dir+"/partition"); err == nil {
		dir = path.Dir(dir)
	}
	name := path.Base(dir)
	if slices.Contains(w.seen, name) {
		return
	}
	w.seen = append(w.seen, name)
	if _, err := fs.Stat(w.tree, dir+"/md/array_state"); err == nil {
		w.arrays = append(w.arrays, name)
	}
	slaves, _ := fs.ReadDir(w.tree, dir+"/slaves")
	for _, s := range slaves {
		w.name(s.Name())
	}
	switch {
	case len(slaves) > 0:
	case strings.HasPrefix(name, "ram"), strings.HasPrefix(name, "zram"):
		w.memory = name
	default:
		w.leaves = append(w.leaves, name)
	}
}

// btrfs begins at all devices of the file system of which the source is one.
func (w *walk) btrfs(source string) {
	name := path.Base(resolve(w.tree, source))
	pools, _ := fs.ReadDir(w.tree, "sys/fs/btrfs")
	for _, pool := range pools {
		devices, _ := fs.ReadDir(w.tree, "sys/fs/btrfs/"+pool.Name()+"/devices")
		if !slices.ContainsFunc(devices, func(d fs.DirEntry) bool { return d.Name() == name }) {
			continue
		}
		for _, d := range devices {
			w.name(d.Name())
		}
		return
	}
	w.name(name)
}

func (w *walk) finish() {
	slices.Sort(w.leaves)
	slices.Sort(w.arrays)
}

// Groups puts volumes that share a device together: what hangs in one of a group hangs in all, so one task is to probe them all,
// one after the other, lest each gets stuck.
func Groups(volumes []Volume) [][]Volume {
	var groups [][]Volume
	for _, v := range volumes {
		shares := func(group []Volume) bool {
			return slices.ContainsFunc(group, func(o Volume) bool { return shareLeaf(v, o) })
		}
		first := slices.IndexFunc(groups, shares)
		if first < 0 {
			groups = append(groups, []Volume{v})
			continue
		}
		rest := groups[first+1:]
		groups = groups[:first+1]
		for _, g := range rest { // those that only v holds together
			if shares(g) {
				groups[first] = append(groups[first], g...)
			} else {
				groups = append(groups, g)
			}
		}
		groups[first] = append(groups[first], v)
	}
	return groups
}

func shareLeaf(a, b Volume) bool {
	return slices.ContainsFunc(a.Leaves, func(l string) bool { return slices.Contains(b.Leaves, l) })
}

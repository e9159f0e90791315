package disk

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"
)

// mountinfo is where the kernel lists the mounts that this process sees, relative to the root of the host's tree.
const mountinfo = "proc/self/mountinfo"

// mount is one line of mountinfo.
type mount struct {
	id, parent int
	device     string // "8:1"; "0:45" where no block device is behind it
	point      string
	options    []string // of this mount
	kind       string   // "ext4"
	source     string
	super      []string // options of the file system itself
}

// parseMounts reads /proc/PID/mountinfo. A line that makes no sense is left out.
func parseMounts(text []byte) []mount { return mountsWith(text, "") }

// mountsOf reads only what concerns one device: of a table that is read every second, most lines never matter.
func mountsOf(text []byte, device string) []mount { return mountsWith(text, " "+device+" ") }

func mountsWith(text []byte, part string) []mount {
	var mounts []mount
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, []byte(part)) {
			continue
		}
		if m, ok := parseMount(string(line)); ok {
			mounts = append(mounts, m)
		}
	}
	return mounts
}

// parseMount reads one line:
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//	id parent device root point options [tag…] - kind source super
func parseMount(line string) (mount, bool) {
	fields := strings.Split(strings.TrimSuffix(line, "\n"), " ") // a source may be empty
	dash := slices.Index(fields, "-")
	if dash < 6 || len(fields) != dash+4 {
		return mount{}, false
	}
	id, err := strconv.Atoi(fields[0])
	if err != nil {
		return mount{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return mount{}, false
	}
	m := mount{
		id: id, parent: parent, device: fields[2],
		point: path.Clean(unescape(fields[4])), options: strings.Split(fields[5], ","),
		kind: fields[dash+1], source: unescape(fields[dash+2]), super: strings.Split(fields[dash+3], ","),
	}
	return m, validDevice(m.device) && path.IsAbs(m.point)
}

// validDevice says that a string is MAJOR:MINOR, and nothing that could lead elsewhere in a file name.
func validDevice(s string) bool {
	major, minor, ok := strings.Cut(s, ":")
	if !ok {
		return false
	}
	_, err1 := strconv.ParseUint(major, 10, 32)
	_, err2 := strconv.ParseUint(minor, 10, 32)
	return err1 == nil && err2 == nil
}

// unescape undoes the kernel's \040 for space, tab, newline and backslash.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mountOf finds the mount on which an absolute path lies, as the kernel does: component by component from the root, and onto
// whatever is mounted on top. (The longest matching mount point would find what a later mount of a parent folder has hidden.)
func mountOf(mounts []mount, name string) (mount, bool) {
	at, ok := rootMount(mounts)
	if !ok {
		return mount{}, false
	}
	for end := 1; end <= len(name); end++ {
		if end < len(name) && name[end] != '/' {
			continue
		}
		at = topmost(mounts, at, name[:end])
	}
	return at, true
}

// rootMount is what "/" is.
func rootMount(mounts []mount) (mount, bool) {
	for _, m := range mounts {
		above := func(o mount) bool { return o.id == m.parent && o.id != m.id }
		if m.point == "/" && !slices.ContainsFunc(mounts, above) {
			return topmost(mounts, m, "/"), true
		}
	}
	return mount{}, false
}

// topmost follows what is mounted at a point, on the given mount and on one another. Each mount is followed once at most, so
// that no table sends it round in circles.
func topmost(mounts []mount, at mount, point string) mount {
	for range mounts {
		i := slices.IndexFunc(mounts, func(m mount) bool { return m.parent == at.id && m.id != at.id && m.point == point })
		if i < 0 {
			break
		}
		at = mounts[i]
	}
	return at
}

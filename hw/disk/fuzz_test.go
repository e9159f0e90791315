package disk

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"
)

// FuzzMounts: no table of mounts makes the search go round in circles, and what it finds is in the table and on the path.
func FuzzMounts(f *testing.F) {
	for _, name := range []string{"virtio", "lvm-raid", "btrfs", "old"} {
		for file, entry := range loadTree(f, name) {
			if path.Base(file) == "mountinfo" {
				f.Add(entry.Data, "/var/lib")
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		mounts := parseMounts(text)
		name = path.Clean("/" + name)
		m, ok := mountOf(mounts, name)
		if !ok {
			return
		}
		if m.point != "/" && m.point != name && !strings.HasPrefix(name, m.point+"/") {
			t.Errorf("%q is not on %q", name, m.point)
		}
		if !validDevice(m.device) {
			t.Errorf("device %q", m.device)
		}
	})
}

// FuzzFind reads trees made of the lines of the test data's form: whatever they say, leaves are devices without slaves, and no path
// is both found and skipped.
func FuzzFind(f *testing.F) {
	for _, name := range []string{"virtio", "lvm-raid", "nvme", "nvme-multipath", "btrfs", "old", "loop-well"} {
		text, err := os.ReadFile("testdata/" + name + ".tree")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		tree := parseTree(text)
		for name, file := range tree { // MapFS itself recurses without end where links go round in circles
			if !fs.ValidPath(name) || file.Mode&fs.ModeSymlink != 0 && circular(tree, name) {
				return
			}
		}
		paths := []string{"/", "/var", "/srv", "x"}
		volumes, skipped, err := FindIn(tree, paths)
		if err != nil {
			return
		}
		told := len(skipped)
		for _, v := range volumes {
			told += len(v.Paths)
			if len(v.Leaves) == 0 || v.String() == "" {
				t.Errorf("%+v", v)
			}
			r := NewRecord(v, DefaultLimits())
			r.Observe(time.Second, openSensor(tree, v).Read())
			r.Grade(time.Second)
		}
		if told != len(paths) {
			t.Errorf("%d paths of %d: %+v %+v", told, len(paths), volumes, skipped)
		}
	})
}

// circular says that a link, or a folder on its way, leads back to where it came from.
func circular(tree fstest.MapFS, name string) bool {
	for range maxLinks {
		link := ""
		for at := name; at != "."; at = path.Dir(at) {
			if file := tree[at]; file != nil && file.Mode&fs.ModeSymlink != 0 {
				link = at
			}
		}
		if link == "" {
			return false
		}
		name = path.Join(path.Dir(link), string(tree[link].Data), strings.TrimPrefix(name, link))
		if !fs.ValidPath(name) {
			return true // out of the tree
		}
	}
	return true
}

func FuzzCounters(f *testing.F) {
	f.Add("  895870   215028 20973466   686490   254066   369735 39880408   301063        0   128196  1027902   352635       56 46200392    40328      504       20\n", "       0        0\n")
	f.Add("1 2 3 4 5 6 7 8 9 10 11", "1 2 3")
	f.Add("", "-1 2")
	f.Fuzz(func(t *testing.T, stat, flight string) {
		completed, total, ok := parseStat(stat)
		if fields := strings.Fields(stat); ok && len(fields) < 11 {
			t.Errorf("made %v, %d of %q", completed, total, stat)
		}
		if n, ok := parseInFlight(flight); !ok && n != [2]uint64{} {
			t.Errorf("made %v of %q", n, flight)
		}
	})
}

// FuzzRecord feeds a record with what bytes say. It must not fail without cause, not keep its grade to itself, and forget in the end.
func FuzzRecord(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	f.Add([]byte("operations, signals and pauses of all kinds, one after the other"))
	f.Fuzz(func(t *testing.T, bytes []byte) {
		r := NewRecord(plain, DefaultLimits())
		well := Signals{Mount: MountWell, Leaves: []Leaf{{Name: "sda", Counted: true, State: DeviceRunning}}}
		now, cause := time.Second, false
		r.Observe(now, well)
		var seq uint64
		for rest := bytes; len(rest) >= 4; rest = rest[4:] {
			word := binary.BigEndian.Uint32(rest)
			now += time.Duration(word&0xff) * 100 * time.Millisecond
			argument := word >> 16
			switch word >> 8 & 3 {
			case 0:
				seq++
				r.Add(Sample{Op: Op(argument & 3), Seq: seq, Began: now})
			case 1:
				n := []unix.Errno{0, 0, 0, unix.EIO, unix.ENOSPC, unix.EROFS, unix.ENOMEM, unix.ENODATA}[argument>>2&7]
				cause = cause || isFault(n)
				r.Add(Sample{Op: Op(argument & 3), Seq: seq, Began: now - time.Duration(argument)*time.Millisecond, Ended: now, Errno: n})
			case 2:
				s := Signals{Mount: MountState(argument & 7), Leaves: []Leaf{{Name: "sda", Counted: argument&8 != 0,
					State: DeviceState(argument >> 4 & 3), InFlight: [2]uint64{uint64(argument >> 6 & 1), uint64(argument >> 7 & 1)}}}}
				l := s.Leaves[0]
				cause = cause || !l.Counted || l.State >= DeviceSuspended || l.InFlight != [2]uint64{} || s.Mount == MountErrorsRead || s.Mount == MountShutdown
				r.Observe(now, s)
			case 3:
				g, why := r.Grade(now)
				if (g == Healthy) != (why == "") {
					t.Fatalf("%v: %q", g, why)
				}
				if g == Failed && !cause {
					t.Fatalf("failed without cause: %s", why)
				}
			}
		}
		// Long after the last word, with a device that is idle and well, nothing is known.
		for range len(bytes) + 4*60 {
			now += time.Second
			r.Observe(now, well)
			r.Grade(now)
		}
		if g, why := r.Grade(now); g != Unknown {
			t.Fatalf("%v in the end: %s", g, why)
		}
	})
}

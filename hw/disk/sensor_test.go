package disk

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestSensor(t *testing.T) {
	tests := []struct {
		tree, path string
		want       Signals
	}{{
		tree: "virtio", path: "/",
		want: Signals{Mount: MountWell, Leaves: []Leaf{{Name: "vda", Counted: true, Completed: [2]uint64{898707, 608908}}}},
	}, {
		tree: "lvm-raid", path: "/",
		want: Signals{Mount: MountWell, Arrays: []Array{{Name: "md127", State: "clean", Degraded: 1}}, Leaves: []Leaf{
			{Name: "sda", State: DeviceRunning, Word: "running", Counted: true, InFlight: [2]uint64{1, 2}, Completed: [2]uint64{100, 500 + 11 + 15}},
			{Name: "sdb", State: DeviceDead, Word: "transport-offline", Counted: true, Completed: [2]uint64{1, 5}},
		}},
	}, {
		tree: "nvme", path: "/",
		want: Signals{Mount: MountWell, Leaves: []Leaf{
			{Name: "nvme0n1", State: DeviceSuspended, Word: "resetting", Counted: true, Completed: [2]uint64{100, 526}}}},
	}, {
		// Its own counters count nothing; those of its paths do. One path that lives is enough.
		tree: "nvme-multipath", path: "/",
		want: Signals{Mount: MountWell, Leaves: []Leaf{
			{Name: "nvme1n2", State: DeviceRunning, Word: "live", Counted: true, InFlight: [2]uint64{1, 2}, Completed: [2]uint64{11, 22}}}},
	}, {
		tree: "btrfs", path: "/",
		want: Signals{Mount: MountWell, Leaves: []Leaf{
			{Name: "sda", Counted: true, Completed: [2]uint64{1, 1}}, {Name: "sdb", Counted: true, Completed: [2]uint64{2, 2}}}},
	}, {
		// Without an inflight file which of the two is in flight cannot be told.
		tree: "old", path: "/",
		want: Signals{Mount: MountWell, Leaves: []Leaf{{Name: "cciss!c0d0", Counted: true, InFlight: [2]uint64{7, 7}, Completed: [2]uint64{100, 500}}}},
	}, {
		tree: "old", path: "/live",
		want: Signals{Mount: MountWell, Leaves: []Leaf{{Name: "loop0", Counted: true, Completed: [2]uint64{1, 1}}}},
	}}
	for _, tt := range tests {
		t.Run(tt.tree+tt.path, func(t *testing.T) {
			tree := loadTree(t, tt.tree)
			volumes, _, err := FindIn(tree, []string{tt.path})
			if err != nil || len(volumes) != 1 {
				t.Fatal(volumes, err)
			}
			if diff := cmp.Diff(tt.want, Look(tree, volumes[0])); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSensorLoses takes away what a sensor reads.
func TestSensorLoses(t *testing.T) {
	tree := loadTree(t, "lvm-raid")
	volumes, _, err := FindIn(tree, []string{"/"})
	if err != nil {
		t.Fatal(err)
	}
	s := openSensor(tree, volumes[0])
	const sda = "sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/"
	states := func() string {
		var b strings.Builder
		now := s.Read()
		fmt.Fprint(&b, now.Mount)
		for _, l := range now.Leaves {
			fmt.Fprintf(&b, ", %s %v %q %v", l.Name, l.State, l.Word, l.Counted)
		}
		for _, a := range now.Arrays {
			fmt.Fprintf(&b, ", %s %q", a.Name, a.State)
		}
		return b.String()
	}
	steps := []struct {
		lost []string
		put  map[string]string
		want string
	}{
		{nil, map[string]string{sda + "state": "frobnicating\n"},
			`well, sda unknown "frobnicating" true, sdb dead "transport-offline" true, md127 "clean"`},
		{[]string{sda + "state"}, nil, `well, sda unknown "" true, sdb dead "transport-offline" true, md127 "clean"`},
		{nil, map[string]string{sda + "block/sda/stat": "1 2 3\n"}, `well, sda unknown "" false, sdb dead "transport-offline" true, md127 "clean"`},
		{nil, map[string]string{sda + "block/sda/stat": "1 2 3 4 x 6 7 8 9 10 11\n"},
			`well, sda unknown "" false, sdb dead "transport-offline" true, md127 "clean"`},
		{[]string{sda + "block/sda/stat", "sys/class/block/sda"}, nil,
			`well, sda dead "removed" false, sdb dead "transport-offline" true, md127 "clean"`},
		{nil, map[string]string{"sys/devices/virtual/block/md127/md/array_state": "broken\n"},
			`well, sda dead "removed" false, sdb dead "transport-offline" true, md127 "broken"`},
		{nil, map[string]string{"proc/self/mountinfo": "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n"},
			`unmounted, sda dead "removed" false, sdb dead "transport-offline" true, md127 "broken"`},
		{[]string{"proc/self/mountinfo"}, nil, `unknown, sda dead "removed" false, sdb dead "transport-offline" true, md127 "broken"`},
	}
	for _, step := range steps {
		for _, name := range step.lost {
			delete(tree, name)
		}
		for name, text := range step.put {
			tree[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := states(); got != step.want {
			t.Errorf("got  %s\nwant %s", got, step.want)
		}
	}
	clear(tree)
	if got, want := states(), `unknown, sda unknown "" false, sdb unknown "" false, md127 ""`; got != want {
		t.Errorf("without /sys: got %s, want %s", got, want)
	}
}

func TestMountState(t *testing.T) {
	v := Volume{Mount: "/var", Device: "8:1"}
	unwritten := Volume{Mount: "/var", Device: "8:1", ReadOnly: true}
	tests := []struct {
		name     string
		volume   Volume
		shielded bool
		lines    string
		want     MountState
	}{
		{"well", v, false, "/var rw - ext4 /dev/sda1 rw,errors=remount-ro", MountWell},
		{"ext4 gave up, Linux 6.15 and newer", v, false, "/var rw - ext4 /dev/sda1 rw,emergency_ro", MountErrorsRead},
		{"ext4 gave up, older", v, false, "/var rw - ext4 /dev/sda1 ro,errors=remount-ro", MountErrorsRead},
		{"ext4 shut down", v, false, "/var rw - ext4 /dev/sda1 rw,shutdown", MountShutdown},
		{"an administrator", v, false, "/var ro - ext4 /dev/sda1 ro", MountReadOnly},
		{"an administrator, seen through another mount first", v, false, "/srv rw - ext4 /dev/sda1 ro|/var ro - ext4 /dev/sda1 ro", MountReadOnly},
		{"gave up, seen through two mounts", v, false, "/var rw - ext4 /dev/sda1 ro|/srv ro - ext4 /dev/sda1 ro", MountErrorsRead},
		{"shielded and well", v, true, "/var ro - ext4 /dev/sda1 rw", MountWell},
		{"shielded and gave up", v, true, "/var ro - ext4 /dev/sda1 ro", MountErrorsRead},
		{"read-only from the beginning", unwritten, false, "/var ro - ext4 /dev/sda1 ro", MountWell},
		{"read-only from the beginning and shut down", unwritten, false, "/var ro - ext4 /dev/sda1 ro,shutdown", MountShutdown},
		{"unmounted", v, false, "/var rw - tmpfs tmpfs rw", MountDisappeared},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := ""
			for i, line := range strings.Split(tt.lines, "|") {
				device := "8:1"
				if strings.Contains(line, "tmpfs") {
					device = "0:9"
				}
				text += fmt.Sprintf("%d 1 %s / %s\n", i+2, device, line)
			}
			if got := mountState(mountsOf([]byte(text), tt.volume.Device), tt.volume, tt.shielded); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestShielded wants a sensor to notice how systemd shows a file system to a service that may not write to it.
func TestShielded(t *testing.T) {
	tree := fstest.MapFS{"proc/self/mountinfo": {Data: []byte("9 8 8:1 / / ro - ext4 /dev/sda1 rw\n")}}
	if s := openSensor(tree, Volume{Mount: "/", Device: "8:1"}); !s.shielded {
		t.Error("it did not")
	}
	if m := parseMounts(tree["proc/self/mountinfo"].Data); unwritten(m[0]) {
		t.Error("taken for a file system that is never written")
	}
}

func TestStates(t *testing.T) {
	for word, want := range map[string]DeviceState{
		"running": DeviceRunning, "blocked": DeviceSuspended, "created-blocked": DeviceSuspended, "quiesce": DeviceSuspended, "created": DeviceSuspended,
		"offline": DeviceDead, "transport-offline": DeviceDead, "cancel": DeviceDead, "deleted": DeviceDead, "": DeviceUnknown, "well": DeviceUnknown,
	} {
		if got := scsiState(word); got != want {
			t.Errorf("SCSI %q: %v", word, got)
		}
	}
	for word, want := range map[string]DeviceState{
		"live": DeviceRunning, "resetting": DeviceSuspended, "connecting": DeviceSuspended, "new": DeviceSuspended,
		"deleting": DeviceDead, "deleting (no IO)": DeviceDead, "dead": DeviceDead, "": DeviceUnknown, "running": DeviceUnknown,
	} {
		if got := nvmeState(word); got != want {
			t.Errorf("NVMe %q: %v", word, got)
		}
	}
	for state, want := range map[string]bool{"broken": true, "inactive": true, "clear": true, "clean": false, "active": false, "": false} {
		if got := arrayBroken(state); got != want {
			t.Errorf("array %q: %v", state, got)
		}
	}
}

func TestNVMePaths(t *testing.T) {
	for _, tt := range []struct {
		name, leaf string
		want       bool
	}{
		{"nvme1c0n2", "nvme1n2", true}, {"nvme1c12n2", "nvme1n2", true}, {"nvme1c0n22", "nvme1n2", false}, {"nvme11c0n2", "nvme1n2", false},
		{"nvme1n2", "nvme1n2", false}, {"nvme1n2p1", "nvme1n2", false}, {"nvme1cxn2", "nvme1n2", false}, {"sda", "sda", false}, {"nvme1c0n2", "sda", false},
	} {
		if got := nvmePathOf(tt.name, tt.leaf); got != tt.want {
			t.Errorf("%s of %s: %v", tt.name, tt.leaf, got)
		}
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		OpRead.String(): "read", OpWrite.String(): "write", numOps.String(): "unknown",
		Unknown.String(): "unknown", Healthy.String(): "healthy", Slow.String(): "slow", Failed.String(): "failed", Grade(9).String(): "unknown",
		DeviceUnknown.String(): "unknown", DeviceRunning.String(): "running", DeviceSuspended.String(): "suspended", DeviceDead.String(): "dead",
		DeviceState(9).String(): "unknown", MountReadOnly.String(): "read-only", MountErrorsRead.String(): "read-only after errors",
		MountShutdown.String(): "shut down", MountState(9).String(): "unknown",
		Volume{Mount: "/", Leaves: []string{"sda", "sdb"}}.String(): "/ on sda and sdb",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestErrno(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want unix.Errno
	}{
		{nil, 0}, {fmt.Errorf("read: %w", unix.ENXIO), unix.ENXIO}, {fmt.Errorf("nothing of the kernel"), unix.EIO},
	} {
		if got := Errno(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}

// TestRecordedDisks reads what real disks said while they misbehaved, as the volume that they were when they were well.
func TestRecordedDisks(t *testing.T) {
	volumes, _, err := FindIn(loadTree(t, "loop-well"), []string{"/run/loop0"})
	if err != nil || len(volumes) != 1 {
		t.Fatal(volumes, err)
	}
	for name, want := range map[string]MountState{
		"loop-well": MountWell, "loop-hangs": MountWell, "loop-read-only-after-errors": MountErrorsRead,
		"loop-read-only-by-administrator": MountReadOnly, "loop-shutdown-ext4": MountShutdown,
		"loop-shutdown-xfs": MountWell, // it says so to fstat alone
	} {
		now := openSensor(loadTree(t, name), volumes[0]).Read()
		if now.Mount != want {
			t.Errorf("%s: %v, want %v", name, now.Mount, want)
		}
		if len(now.Leaves) != 1 || !now.Leaves[0].Counted || now.Leaves[0].Completed[OpWrite] == 0 {
			t.Errorf("%s: %+v", name, now.Leaves)
		}
		if hangs := now.Leaves[0].InFlight != [2]uint64{}; hangs != (name == "loop-hangs") {
			t.Errorf("%s: in flight %v", name, now.Leaves[0].InFlight)
		}
	}
}

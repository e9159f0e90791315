package disk

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestFind(t *testing.T) {
	tests := []struct {
		tree    string
		paths   []string
		want    []Volume
		skipped []Skipped
	}{{
		tree: "virtio", paths: []string{"/", "/var"},
		want: []Volume{{Paths: []string{"/", "/var"}, Mount: "/", Type: "ext4", Source: "/dev/vda", Device: "254:0", Name: "vda", Leaves: []string{"vda"}}},
	}, {
		tree: "lvm-raid", paths: []string{"/var/lib/../log", "/", "/var/tmp space/x", "/boot"},
		want: []Volume{
			{Paths: []string{"/var/lib/../log"}, Mount: "/var", Type: "xfs", Source: "/dev/mapper/rhel-var", Device: "253:1", Name: "dm-1",
				Leaves: []string{"sda", "sdb"}, Arrays: []string{"md127"}},
			{Paths: []string{"/"}, Mount: "/", Type: "xfs", Source: "/dev/mapper/rhel-root", Device: "253:0", Name: "dm-0",
				Leaves: []string{"sda", "sdb"}, Arrays: []string{"md127"}},
			{Paths: []string{"/boot"}, Mount: "/boot", Type: "ext4", Source: "/dev/sda1", Device: "8:1", Name: "sda1", Leaves: []string{"sda"}},
		},
		skipped: []Skipped{{Path: "/var/tmp space/x", Reason: "lives in memory (tmpfs)"}},
	}, {
		tree: "nvme", paths: []string{"/", "/var"},
		want: []Volume{
			{Paths: []string{"/"}, Mount: "/", Type: "ext4", Source: "/dev/mapper/root", Device: "254:0", Name: "dm-0", Leaves: []string{"nvme0n1"}},
			{Paths: []string{"/var"}, Mount: "/var", Type: "ext4", Source: "/dev/nvme0n1p1", Device: "259:1", Name: "nvme0n1p1", Leaves: []string{"nvme0n1"}},
		},
	}, {
		tree: "nvme-multipath", paths: []string{"/"},
		want: []Volume{{Paths: []string{"/"}, Mount: "/", Type: "xfs", Source: "/dev/nvme1n2", Device: "259:1", Name: "nvme1n2", Leaves: []string{"nvme1n2"}}},
	}, {
		tree: "btrfs", paths: []string{"/", "/var/lib", "/srv"},
		want: []Volume{
			{Paths: []string{"/", "/var/lib"}, Mount: "/", Type: "btrfs", Source: "/dev/mapper/one", Device: "0:34", Leaves: []string{"sda", "sdb"}},
			{Paths: []string{"/srv"}, Mount: "/srv", Type: "btrfs", Source: "/dev/sdz2", Device: "0:35", Leaves: []string{"sdz"}},
		},
	}, {
		tree: "old", paths: []string{"/", "/var/lib", "/srv2", "/opt", "/zram", "/gone", "/zfs", "/media", "/live", "var"},
		want: []Volume{
			{Paths: []string{"/"}, Mount: "/", Type: "ext4", Source: "/dev/cciss/c0d0p2", Device: "104:2", Name: "cciss!c0d0p2", Leaves: []string{"cciss!c0d0"}},
			{Paths: []string{"/media"}, Mount: "/media", Type: "ext4", Source: "/dev/cciss/c0d0p3", Device: "104:3", Name: "cciss!c0d0p3",
				Leaves: []string{"cciss!c0d0"}, ReadOnly: true},
			{Paths: []string{"/live"}, Mount: "/live", Type: "squashfs", Source: "/dev/loop0", Device: "7:0", Name: "loop0", Leaves: []string{"loop0"}, ReadOnly: true},
		},
		skipped: []Skipped{
			{Path: "/var/lib", Reason: "lives in memory (tmpfs)"},
			{Path: "/srv2", Reason: "lies on another host (nfs4)", Remote: true},
			{Path: "/opt", Reason: "is put together of other folders (overlay); name the path of the one that is written to"},
			{Path: "/zram", Reason: "lives in memory (zram0)"},
			{Path: "/gone", Reason: "the devices behind 9:9 (/dev/md9) are not to be found in /sys; is it mounted?"},
			{Path: "/zfs", Reason: "no block device of this host is behind it (zfs)"},
			{Path: "var", Reason: "not an absolute path"},
		},
	}}
	for _, tt := range tests {
		t.Run(tt.tree, func(t *testing.T) {
			volumes, skipped, err := FindIn(loadTree(t, tt.tree), tt.paths)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, volumes); diff != "" {
				t.Errorf("volumes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.skipped, skipped); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindWithoutProc(t *testing.T) {
	if _, _, err := FindIn(fstest.MapFS{}, []string{"/"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestFindWhereTheRootIsNoMount(t *testing.T) {
	tree := fstest.MapFS{"proc/self/mountinfo": {Data: []byte("9 8 8:1 / /data rw - ext4 /dev/sda1 rw\n")}}
	_, skipped, err := FindIn(tree, []string{"/var"})
	if diff := cmp.Diff([]Skipped{{Path: "/var", Reason: "this process does not see on which mount it lies"}}, skipped); diff != "" || err != nil {
		t.Errorf("(-want +got):\n%s%v", diff, err)
	}
}

// TestFindThisHost holds for whatever host the test runs on.
func TestFindThisHost(t *testing.T) {
	volumes, skipped, err := Find([]string{"/"})
	if err != nil {
		t.Fatal(err)
	}
	if len(volumes)+len(skipped) != 1 {
		t.Fatalf("got %+v, %+v", volumes, skipped)
	}
	for _, v := range volumes {
		s, err := OpenSensor(v)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		now := s.Read()
		if now.Mount != MountWell || now.Stat != 0 || len(now.Leaves) != len(v.Leaves) {
			t.Errorf("%v: %+v", v, now)
		}
		for _, l := range now.Leaves {
			if !l.Counted || l.State == DeviceDead {
				t.Errorf("%v: %+v", v, l)
			}
		}
	}
}

func TestMounts(t *testing.T) {
	const text = `
1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 8:2 / /var rw,noatime master:1 propagate_from:2 - ext4 /dev/sda2 rw
3 2 8:3 / /var/lib rw - ext4 /dev/sda3 rw
4 1 8:4 / /var rw - ext4 /dev/sda4 rw
5 2 8:5 / /var rw - ext4 /dev/sda5 rw
6 5 8:6 / /var/spool rw - ext4 /dev/sda6 rw
7 6 8:7 / /var/spool/mail\040box\011\134 rw - ext4  rw
8 8 8:8 / /self rw - ext4 /dev/sda8 rw
9 10 8:9 / /circle rw - ext4 /dev/sda9 rw
10 9 8:9 / /circle rw - ext4 /dev/sda9 rw
x 1 8:1 / /bad rw - ext4 a rw
1 x 8:1 / /bad rw - ext4 a rw
11 1 8 / /bad rw - ext4 a rw
11 1 8:../.. / /bad rw - ext4 a rw
11 1 8:1 / bad rw - ext4 a rw
11 1 8:1 / /bad rw ext4 a rw
11 1 8:1 / /bad rw -
11 1 8:1 - - - -
`
	mounts := parseMounts([]byte(text))
	if len(mounts) != 10 {
		t.Errorf("%d mounts: %+v", len(mounts), mounts)
	}
	for name, want := range map[string]string{
		"/": "8:1", "/etc": "8:1", "/variable": "8:1",
		"/var":                        "8:5", // mounted over 8:2; 8:4 is a second that the first hides
		"/var/lib/x":                  "8:5", // 8:3 is hidden by what was mounted over its parent
		"/var/spool":                  "8:6",
		"/var/spool/mail":             "8:6",
		"/var/spool/mail box\t\\/new": "8:7",
		"/self":                       "8:1", "/circle": "8:1",
	} {
		if got, ok := mountOf(mounts, name); got.device != want || !ok {
			t.Errorf("%s: got %s, want %s", name, got.device, want)
		}
	}
	own := parseMounts([]byte("1 1 0:2 / / rw - rootfs rootfs rw\n2 1 8:1 / / rw - ext4 /dev/sda1 rw\n"))
	if got, ok := mountOf(own, "/var"); got.device != "8:1" || !ok {
		t.Errorf("where the root is its own parent: %+v", got)
	}
	if diff := cmp.Diff([]string{"rw"}, mounts[6].super); diff != "" {
		t.Errorf("options behind an empty source (-want +got):\n%s", diff)
	}
}

func TestGroups(t *testing.T) {
	v := func(device string, leaves ...string) Volume { return Volume{Device: device, Leaves: leaves} }
	got := Groups([]Volume{v("1", "a"), v("2", "b"), v("3", "c"), v("4", "c", "a"), v("5", "d")})
	want := [][]Volume{{v("1", "a"), v("3", "c"), v("4", "c", "a")}, {v("2", "b")}, {v("5", "d")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Groups(nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

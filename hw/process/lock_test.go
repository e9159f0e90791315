package process

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestSpans(t *testing.T) {
	const maps = `00400000-00402000 r--p 00000000 08:01 1234                               /usr/sbin/standfast
00402000-00a00000 r-xp 00002000 08:01 1234                               /usr/sbin/standfast
00a00000-00a10000 rw-p 005fe000 08:01 1234                               /usr/sbin/standfast
00a10000-00a20000 rw-p 00000000 00:00 0 
c000000000-c000400000 rw-p 00000000 00:00 0                              [anon: Go: heap]
7f0000000000-7f0000001000 r--p 00000000 08:01 99                         /usr/sbin/standfast.old
7f0000001000-7f0000002000 r--p 00000000 08:01 99                         /tmp/with space/standfast
7f0000002000-7f0000003000 r--p 00000000 08:01 99                         /new/standfast (deleted)
7f00zzzz2000-7f0000003000 r--p 00000000 08:01 99                         /usr/sbin/standfast
7f0000003000-7f0000002000 r--p 00000000 08:01 99                         /usr/sbin/standfast
7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0                          [vdso]
short line
`
	for name, want := range map[string][]span{
		"/usr/sbin/standfast":       {{0x400000, 0x402000}, {0x402000, 0xa00000}, {0xa00000, 0xa10000}},
		"/tmp/with space/standfast": {{0x7f0000001000, 0x7f0000002000}},
		"/new/standfast (deleted)":  {{0x7f0000002000, 0x7f0000003000}},
		"/absent":                   nil,
	} {
		if diff := cmp.Diff(want, spansOf([]byte(maps), name), cmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("of %s (-want +got):\n%s", name, diff)
		}
	}
}

// TestDegrees has the kernel refuse one thing after the other.
func TestDegrees(t *testing.T) {
	const onFault = unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT
	for _, test := range []struct {
		name             string
		mlock, unlimited error
		mlockall         map[int]error
		want             Locked
		wantErr          error
		wantFlags        []int
	}{
		{name: "all is granted", want: LockedAll, wantFlags: []int{onFault}},
		{name: "before 4.4", mlockall: map[int]error{onFault: unix.EINVAL}, want: LockedFilled, wantFlags: []int{onFault, onFault &^ unix.MCL_ONFAULT}},
		{name: "before 4.4, refused", mlockall: map[int]error{onFault: unix.EINVAL, onFault &^ unix.MCL_ONFAULT: unix.ENOMEM},
			want: LockedText, wantErr: unix.ENOMEM, wantFlags: []int{onFault, onFault &^ unix.MCL_ONFAULT}},
		{name: "no right", unlimited: ErrNoLimit, want: LockedText, wantErr: ErrNoLimit},
		{name: "refused", mlockall: map[int]error{onFault: unix.EPERM}, want: LockedText, wantErr: unix.EPERM, wantFlags: []int{onFault}},
		{name: "not even the text", mlock: unix.ENOMEM, want: LockedNothing, wantErr: unix.ENOMEM},
	} {
		t.Run(test.name, func(t *testing.T) {
			var flags []int
			got, err := lockMemory(kernel{
				mlock:     func(span) error { return test.mlock },
				mlockall:  func(f int) error { flags = append(flags, f); return test.mlockall[f] },
				unlimited: func() error { return test.unlimited },
			})
			if got != test.want || !errors.Is(err, test.wantErr) {
				t.Errorf("locked %v, %v, want %v, %v", got, err, test.want, test.wantErr)
			}
			if diff := cmp.Diff(test.wantFlags, flags); diff != "" {
				t.Errorf("flags of mlockall (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEverythingIsLocked wants the kernel's word for it: no page of the executable
// is left out, and none that is used later.
func TestEverythingIsLocked(t *testing.T) {
	if !inChild(t) {
		return
	}
	locked, err := LockMemory()
	if err != nil {
		t.Skipf("locked %v: %v", locked, err)
	}
	if locked != LockedAll {
		t.Skipf("this kernel locks %v", locked)
	}
	name, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	used := make([]byte, 8<<20)
	for i := range used {
		used[i] = 1
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mappingsOf(string(smaps)) {
		if m.name == name && m.resident != m.size {
			t.Errorf("%s: %d of %d KB are resident", m.at, m.resident, m.size)
		}
		// What the kernel itself put there, such as [vdso], is never taken away.
		if m.locked != m.resident && !strings.HasPrefix(m.name, "[v") {
			t.Errorf("%s %s: %d of %d KB are locked", m.at, m.name, m.locked, m.resident)
		}
	}
	memory, err := ReadMemory(os.Getpid())
	if err != nil || memory.Locked < 8<<20 || memory.Resident > 64<<20 {
		t.Errorf("memory %+v, %v: want 8 MB locked at least, and what is only reserved not filled", memory, err)
	}
	if used[0] != 1 {
		t.Error("the memory that was filled is not what it was")
	}
}

// mapping is what /proc/self/smaps says of one, sizes in KB. Proportions of shared
// pages are left out: this process shares its executable with the test's parent.
type mapping struct {
	at, name               string
	size, resident, locked int
}

func mappingsOf(smaps string) []mapping {
	var all []mapping
	for line := range strings.Lines(smaps) {
		fields := strings.Fields(line)
		if len(fields) >= 5 && strings.Contains(fields[0], "-") && !strings.HasSuffix(fields[0], ":") {
			m := mapping{at: fields[0]}
			if len(fields) > 5 {
				m.name = fields[5]
			}
			all = append(all, m)
			continue
		}
		last := &all[len(all)-1]
		var n int
		if _, err := fmt.Sscanf(line, "Size: %d kB", &n); err == nil {
			last.size = n
		}
		if _, err := fmt.Sscanf(line, "Rss: %d kB", &n); err == nil {
			last.resident = n
		}
		if _, err := fmt.Sscanf(line, "VmFlags:"); err == nil && strings.Contains(line, " lo") {
			last.locked = last.resident
		}
	}
	return all
}

// TestLockWithoutRight has 8 MB to lock, which is what a service gets by default.
// The executable of a test with the race detector may be larger.
func TestLockWithoutRight(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can take the right away for certain")
	}
	if !inChild(t, "prlimit", "--memlock=8388608:8388608", "setpriv", "--bounding-set=-ipc_lock,-sys_resource") {
		return
	}
	locked, err := LockMemory()
	if errors.Is(err, unix.ENOMEM) {
		t.Skip("this test's executable is larger than the limit")
	}
	if locked != LockedText || !errors.Is(err, ErrNoLimit) || !errors.Is(err, os.ErrPermission) {
		t.Errorf("locked %v, %v, want the text and ErrNoLimit", locked, err)
	}
}

func TestTooSmallALimit(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can take the right away for certain")
	}
	if !inChild(t, "prlimit", "--memlock=4096:4096", "setpriv", "--bounding-set=-ipc_lock,-sys_resource") {
		return
	}
	if locked, err := LockMemory(); locked != LockedNothing || !errors.Is(err, unix.ENOMEM) {
		t.Errorf("locked %v, %v, want nothing and ENOMEM", locked, err)
	}
}

func TestLockedInWords(t *testing.T) {
	for want, l := range map[string]Locked{"nothing": LockedNothing, "text": LockedText, "all": LockedAll, "all, and filled": LockedFilled} {
		if l.String() != want {
			t.Errorf("%d is %q, want %q", l, l, want)
		}
	}
}

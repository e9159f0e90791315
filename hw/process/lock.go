package process

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Locked says what of the process is held in memory.
type Locked uint8

// The degrees of holding on to memory, each more than the one before.
const (
	LockedNothing Locked = iota
	LockedText           // the executable: code can run without its disk, data may be swapped out
	LockedAll            // the executable, and whatever else is in use, from now on
	LockedFilled         // the same on a kernel that fills all that is reserved as well, tens of MB of it
)

// String returns "nothing", "text", "all" or "all, and filled".
func (l Locked) String() string {
	switch l {
	case LockedText:
		return "text"
	case LockedAll:
		return "all"
	case LockedFilled:
		return "all, and filled"
	case LockedNothing:
	}
	return "nothing"
}

// ErrNoLimit says that memory must not be locked for good under the limit on
// locked memory: a later allocation could exceed it and would fail.
var ErrNoLimit = errors.New("the limit on locked memory (RLIMIT_MEMLOCK) is finite and CAP_IPC_LOCK is missing")

// LockMemory makes the whole executable resident and keeps it there, and then
// everything else that the process has in use or will have. It returns how far it
// got, also with an error. It costs less than a millisecond if the executable is
// in the page cache; otherwise its disk is read, so call it while that works.
//
// The kernel locks a page when it is first used (MCL_ONFAULT). Before Linux 4.4 it
// cannot, and fills everything that the Go runtime has reserved: the result is
// LockedFilled. Without the right (fs.ErrPermission, ErrNoLimit, or unix.ENOMEM where the
// limit is below the size of the executable) the rest is as good as it was.
func LockMemory() (Locked, error) {
	return lockMemory(kernel{
		mlock: func(r span) error {
			_, _, errno := unix.Syscall(unix.SYS_MLOCK, r.start, r.end-r.start, 0)
			return errnoError(errno)
		},
		mlockall:  unix.Mlockall,
		unlimited: unlimitedLocking,
	})
}

// kernel is what locking asks of the kernel.
type kernel struct {
	mlock     func(span) error
	mlockall  func(flags int) error
	unlimited func() error // nil if a lock can never make an allocation fail
}

func lockMemory(k kernel) (Locked, error) {
	text, err := executableSpans()
	if err != nil {
		return LockedNothing, err
	}
	permitted := k.unlimited() // raises the limit if it may
	for _, r := range text {
		if err := k.mlock(r); err != nil {
			return LockedNothing, fmt.Errorf("the executable cannot be locked in memory: %w", err)
		}
	}
	if permitted != nil {
		return LockedText, permitted
	}
	err = k.mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
	if err == nil {
		return LockedAll, nil
	}
	if errors.Is(err, unix.EINVAL) {
		if err = k.mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE); err == nil {
			return LockedFilled, nil
		}
	}
	return LockedText, fmt.Errorf("memory cannot be locked: %w", err)
}

func errnoError(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// unlimitedLocking sees to it that no allocation ever fails for being locked: by
// capability, or by a limit that is none, which it sets if it may.
func unlimitedLocking() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("cannot read the capabilities of this process: %w", err)
	}
	if data[0].Effective&(1<<unix.CAP_IPC_LOCK) != 0 {
		return nil
	}
	var now unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_MEMLOCK, nil, &now); err != nil {
		return fmt.Errorf("cannot read RLIMIT_MEMLOCK: %w", err)
	}
	if now.Cur == unix.RLIM_INFINITY {
		return nil
	}
	none := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(0, unix.RLIMIT_MEMLOCK, &none, nil); err != nil {
		return fmt.Errorf("%w: %w", ErrNoLimit, err)
	}
	return nil
}

// span is a part of the address space.
type span struct{ start, end uintptr }

// executableSpans are the parts that the executable is mapped into.
func executableSpans() ([]span, error) {
	name, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("cannot find this process's executable: %w", err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, fmt.Errorf("cannot read this process's mappings: %w", err)
	}
	spans := spansOf(maps, name)
	if len(spans) == 0 {
		return nil, fmt.Errorf("the executable %s is not among this process's mappings: %w", name, os.ErrNotExist)
	}
	return spans, nil
}

// spansOf finds the mappings of a file in the text of /proc/self/maps. A line that
// makes no sense is none of them. A file that was replaced since has the same
// suffix, " (deleted)", here as in the name.
func spansOf(maps []byte, name string) []span {
	var spans []span
	lines := bufio.NewScanner(bytes.NewReader(maps))
	for lines.Scan() {
		// 00400000-00401000 r-xp 00000000 08:01 1234   /usr/sbin/standfast
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 {
			continue
		}
		_, path, _ := strings.Cut(lines.Text(), " "+fields[4]+" ")
		if strings.TrimLeft(path, " ") != name {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		start, err1 := strconv.ParseUint(from, 16, strconv.IntSize)
		end, err2 := strconv.ParseUint(to, 16, strconv.IntSize)
		if err1 == nil && err2 == nil && start < end {
			spans = append(spans, span{uintptr(start), uintptr(end)})
		}
	}
	return spans
}

// Preload does now what the runtime otherwise does when it is first needed, by
// reading files: the time zone of the host.
func Preload() { _, _ = time.Now().Local().Zone() }

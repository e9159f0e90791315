package disk

import (
	"time"

	"golang.org/x/sys/unix"
)

// Limits are the thresholds of a [Record].
type Limits struct {
	// Faults is how many operations of one kind have to fail one after the other.
	Faults int
	// Hung is the age at which an operation that is not answered counts as hung, if the device has stood still with requests in
	// flight for Still.
	Hung  time.Duration
	Still time.Duration
	// HungUnseen is the same where the device's counters cannot be read, or where there is no probe and the device stands still.
	HungUnseen time.Duration
	// Late is the age of one operation that is not answered that makes a disk slow.
	Late time.Duration
	// Slow is what one in ten operations of a kind has to exceed to make a disk slow; to be healthy again they have to fall below half.
	Slow [2]time.Duration
	// Calm is for how long a slow disk must be fast to be healthy again.
	Calm time.Duration
	// Recover is for how long a failed disk must work to be healthy again.
	Recover time.Duration
	// Stale is how long nothing can be heard before nothing is known.
	Stale time.Duration
}

// DefaultLimits are those that the product uses.
func DefaultLimits() Limits {
	return Limits{
		// One error may be one bad block; the next read goes elsewhere. Both come within Plan's rhythm, half a second apart.
		Faults: 2,
		// A MASTER has to resign within 10 s of a hang. The slower operation begins 2 s into it at worst: 2 + 5 s, the service's look
		// at the clock, and 2 s to spare. SSDs that collect garbage stop for less; one that stops for more has failed its router
		// for as long, and resigning to a peer that lives costs nothing.
		Hung:  5 * time.Second,
		Still: 4 * time.Second, // shorter than Hung by two looks at the counters
		// Without a second witness a stopped helper looks like a hung disk, and one long discard like a hang: be sure.
		HungUnseen: 15 * time.Second,
		Late:       3 * time.Second,
		// A disk that turns needs 10 ms, one under load some hundred. A write waits for the file system's journal as well.
		Slow: [2]time.Duration{OpRead: time.Second, OpWrite: 2 * time.Second},
		Calm: 30 * time.Second,
		// A disk that comes back is not believed at once: each failure lets a MASTER resign once.
		Recover: 30 * time.Second,
		Stale:   time.Minute,
	}
}

// recentOps is how many operations the share that is too slow is taken of, and leastOps how many there have to be.
const (
	recentOps = 20
	leastOps  = 10
)

// heldLeast is how old an operation has to be before an idle device shows that it waits for something else: a short one may be over,
// and not told yet.
const heldLeast = time.Second

// isFault says that an error number is the disk's fault, or that of a file system that gives up on it.
func isFault(n unix.Errno) bool {
	switch n {
	case unix.EIO, unix.EROFS, unix.ENXIO, unix.ENODEV, // the plain ones
		unix.ETIMEDOUT, unix.ENOLINK, unix.EREMOTEIO, unix.ENODATA, unix.EILSEQ, unix.EBADE, // block/blk-core.c, blk_errors
		unix.EUCLEAN, unix.EBADMSG, // EFSCORRUPTED, EFSBADCRC
		unix.ESHUTDOWN:
		return true
	}
	return false // ENOSPC and EDQUOT are a full disk, not a bad one; the rest is the probe's own trouble
}

// Package disk finds out whether the storage that this host runs from still works.
//
// [Find] says which devices are behind a path. A [Sensor] reads what the kernel says about them without touching a disk, so it
// may be used by a process that must never hang. A [Probe] reads and writes the disk, which hangs when the disk does, as long as
// it does, and no signal ends that: it belongs into a process of its own. Each attempt becomes a [Sample], and a [Record] makes
// a grade and one sentence of samples and signals. Record and [Plan] are pure: they know moments as values.
//
// What is no fault of a disk is none here: a full file system, a quota, a file system that is frozen for a snapshot, one that
// was read-only from the beginning or that an administrator made so.
//
// Memory of what is measured about kernels, since it is why things are as they are:
//   - A request that hangs is counted in flight by its device, and the count of completed ones stands still. That is true of
//     every driver, and of nothing else: a probe that is held up by a frozen file system or by a stopped process leaves the
//     device idle.
//   - ext4 that has made itself read-only shows "emergency_ro" among the options of its superblock (Linux 6.15 and newer) or
//     "ro" there while its mount says "rw" (older); statfs says neither. After a shutdown it shows "shutdown".
//   - XFS that has shut down shows nothing at all; fstat of any of its files says EIO, without a disk.
package disk

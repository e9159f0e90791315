package disk

import "golang.org/x/sys/unix"

// Op is what a probe does, and the direction of a request.
type Op uint8

// The two operations.
const (
	OpRead Op = iota
	OpWrite
	numOps
)

// String returns a lower-case word for logs and status.
func (o Op) String() string {
	switch o {
	case OpRead:
		return "read"
	case OpWrite:
		return "write"
	}
	return "unknown"
}

// Signals is what the kernel says about a volume at one moment without a disk being touched. What could not be read is unknown,
// and proves nothing.
type Signals struct {
	Mount  MountState
	Stat   unix.Errno // what fstat of a folder on it said; 0: nothing wrong, or not asked
	Leaves []Leaf     // as Volume.Leaves
	Arrays []Array    // as Volume.Arrays
}

// MountState is what mountinfo says of the file system.
type MountState uint8

// The states; the zero value is not knowing.
const (
	MountUnknown     MountState = iota
	MountWell                   // as it should be, or read-only by somebody's will from the beginning
	MountReadOnly               // an administrator has made it so since
	MountErrorsRead             // the file system has made itself read-only
	MountShutdown               // the file system has shut itself down
	MountDisappeared            // unmounted
)

// String returns lower-case words for logs and status.
func (s MountState) String() string {
	switch s {
	case MountWell:
		return "well"
	case MountReadOnly:
		return "read-only"
	case MountErrorsRead:
		return "read-only after errors"
	case MountShutdown:
		return "shut down"
	case MountDisappeared:
		return "unmounted"
	case MountUnknown:
	}
	return "unknown"
}

// Leaf is what one whole device says.
type Leaf struct {
	Name  string
	State DeviceState
	Word  string // the kernel's own word for the state: "transport-offline"; empty where there is none
	// Counted says that the counters were read.
	Counted   bool
	InFlight  [2]uint64 // requests handed to the device and not answered, by Op; discards and flushes count as writes
	Completed [2]uint64 // requests answered since the device came, by Op; the same
}

// DeviceState is what the driver's layer says of a device.
type DeviceState uint8

// The states; the zero value is not knowing, which is usual: many drivers have no word for it.
const (
	DeviceUnknown   DeviceState = iota
	DeviceRunning               // takes requests
	DeviceSuspended             // requests wait: blocked, quiesced, resetting. It may come back
	DeviceDead                  // requests fail: offline, dead, removed
)

// String returns a lower-case word for logs and status.
func (s DeviceState) String() string {
	switch s {
	case DeviceRunning:
		return "running"
	case DeviceSuspended:
		return "suspended"
	case DeviceDead:
		return "dead"
	case DeviceUnknown:
	}
	return "unknown"
}

// Array is what an mdraid array says.
type Array struct {
	Name     string
	State    string // array_state: "clean", "active", "broken"; empty where it could not be read
	Degraded int    // members that are missing
}

// scsiState classes /sys/block/sdX/device/state (drivers/scsi/scsi_sysfs.c).
func scsiState(word string) DeviceState {
	switch word {
	case "running":
		return DeviceRunning
	case "created", "quiesce", "blocked", "created-blocked":
		return DeviceSuspended
	case "offline", "transport-offline", "cancel", "deleted":
		return DeviceDead
	}
	return DeviceUnknown
}

// nvmeState classes /sys/class/nvme/nvmeN/state (drivers/nvme/host/sysfs.c).
func nvmeState(word string) DeviceState {
	switch word {
	case "live":
		return DeviceRunning
	case "new", "resetting", "connecting":
		return DeviceSuspended
	case "deleting", "deleting (no IO)", "dead":
		return DeviceDead
	}
	return DeviceUnknown
}

// arrayBroken says that an array has lost more than it can bear, or has been stopped (Documentation/admin-guide/md.rst).
func arrayBroken(state string) bool {
	return state == "broken" || state == "clear" || state == "inactive"
}

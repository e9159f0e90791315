package helper

import (
	"context"
	"encoding/json"
	"path/filepath"

	"standfast/hw/disk"
)

// The disk helper tries the disks, because whoever touches one hangs when it
// does. This file is the service's end of the conversation and what is said in it,
// diskserver.go the helper's, diskprober.go those who hang.

// ProbeFile is written by the disk helper on the volume on which it lies, and made where it is missing. It stays: it is written
// in place, and needs no space once it is there.
const ProbeFile = "/var/lib/standfast/probe"

// DiskOrder is what the service says to the disk helper, every beat: what to try.
type DiskOrder struct {
	Watch []DiskTask `json:"watch"`
}

// DiskTask is one volume, and the file on it that may be written; without one it is only read.
type DiskTask struct {
	Volume disk.Volume `json:"volume"`
	File   string      `json:"file,omitempty"`
}

// DiskWord is what the disk helper says every second: what was tried since it last spoke, and what still runs.
type DiskWord struct {
	Ready   bool          `json:"ready"`
	Samples []DiskSample  `json:"samples,omitempty"`
	Trouble []DiskTrouble `json:"trouble,omitempty"`
}

// DiskSample is an attempt on the volume of that device number.
type DiskSample struct {
	Device string      `json:"device"`
	Sample disk.Sample `json:"sample"`
}

// DiskTrouble is why a volume cannot be tried as it should be.
type DiskTrouble struct {
	Device string `json:"device"`
	Text   string `json:"text"`
}

// ConverseWithDisk is one connection of the service to the disk helper in its runtime directory, from its beginning to its end,
// or that of ctx. It says again and again what is ordered, and hands on what it hears.
func ConverseWithDisk(ctx context.Context, runtimeDir string, ordered func() DiskOrder, heard func(DiskWord)) {
	c, err := dial(filepath.Join(runtimeDir, Disk.socket()))
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	go c.beat(ctx, func() []byte { return lineOf(ordered()) })
	_ = c.listen(func(line []byte) error { // how it ends makes no difference
		var w DiskWord
		if err := json.Unmarshal(line, &w); err != nil {
			return err
		}
		heard(w)
		return nil
	})
}

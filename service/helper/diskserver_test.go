package helper

import (
	"context"
	"encoding/json"
	"net"
	"testing"
	"time"

	"standfast/hw/clock"
	"standfast/hw/disk"
)

// diskServerAt runs a disk helper in this process whose disks are twins.
func diskServerAt(t *testing.T, dir string, d *twinDisk) {
	t.Helper()
	l, err := listen(dir, Disk)
	if err != nil {
		t.Fatal(err)
	}
	s := newDiskServer(Options{RuntimeDir: dir, Log: func(string) {}}, clock.Now, d.open)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.accept(func(string) {}, func(conn *net.UnixConn) { s.serve(ctx, conn) })
	}()
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		<-ended
	})
}

// diskClient is a service that orders once, and gives what it hears until the connection ends.
func diskClient(t *testing.T, dir string, order any) (c *end, heard chan DiskWord) {
	t.Helper()
	c, err := dial(dir + "/" + Disk.socket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	heard = make(chan DiskWord, 1024)
	go func() {
		defer close(heard)
		_ = c.listen(func(line []byte) error {
			var w DiskWord
			err := json.Unmarshal(line, &w)
			heard <- w
			return err
		})
	}()
	if err := c.say(order); err != nil {
		t.Fatal(err)
	}
	return c, heard
}

// hears waits for a word that passes; false when the connection has ended.
func hears(t *testing.T, heard <-chan DiskWord, passes func(DiskWord) bool) bool {
	t.Helper()
	for late := time.After(scriptPatience); ; {
		select {
		case w, open := <-heard:
			if !open || passes(w) {
				return open
			}
		case <-late:
			t.Fatal("nothing of the kind is heard")
		}
	}
}

func TestDiskServer(t *testing.T) {
	dir, d := scriptFolder(t), &twinDisk{}
	diskServerAt(t, dir, d)
	tried := func(device string) func(DiskWord) bool {
		return func(w DiskWord) bool { return len(w.Samples) > 0 && w.Samples[0].Device == device }
	}
	sdb := disk.Volume{Device: "8:16", Leaves: []string{"sdb"}}
	_, first := diskClient(t, dir, orderOf(sda("/")))
	if !hears(t, first, tried("8:1")) {
		t.Fatal("the connection ends")
	}
	second, heard := diskClient(t, dir, orderOf(sdb))
	if !hears(t, heard, tried("8:16")) {
		t.Error("the connection of the newer service ends")
	}
	if hears(t, first, func(DiskWord) bool { return false }) {
		t.Error("the older service is still heard")
	}
	// The same order once more changes nothing, another is followed.
	opened := d.openings()
	for range 3 {
		if err := second.say(orderOf(sdb)); err != nil {
			t.Fatal(err)
		}
	}
	if !hears(t, heard, tried("8:16")) || d.openings() != opened {
		t.Errorf("opened %d times, and then %d", opened, d.openings())
	}
	if err := second.say(orderOf(sda("/"))); err != nil {
		t.Fatal(err)
	}
	if !hears(t, heard, tried("8:1")) {
		t.Error("the connection ends with a new order")
	}
	_ = second.Close()
	soonIs(t, "nothing is tried for nobody", func() bool {
		before := d.attempts()
		time.Sleep(1200 * time.Millisecond)
		return d.attempts() == before
	})
	if _, third := diskClient(t, dir, "nonsense"); hears(t, third, func(w DiskWord) bool { return !w.Ready }) {
		t.Error("nonsense is listened to")
	}
}

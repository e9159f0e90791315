package port

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

const recordedUevents = "testdata/uevents.txt"

// TestRecordedUevents decodes what a kernel said, or would say of hardware that is not here.
func TestRecordedUevents(t *testing.T) {
	recorded, err := os.ReadFile(recordedUevents)
	ok(t, err)
	var got strings.Builder
	var digits string
	for line := range strings.Lines(string(recorded)) {
		switch {
		case strings.HasPrefix(line, ">"):
			continue
		case strings.TrimSpace(line) == "" && digits != "":
			b, err := hex.DecodeString(digits)
			ok(t, err)
			e, wanted := decodeUevent(b)
			fmt.Fprintf(&got, "> %+v %t\n", e, wanted)
			digits = ""
		case !strings.HasPrefix(line, "#"):
			digits += strings.TrimSpace(line)
		}
		got.WriteString(line)
	}
	if *update {
		ok(t, os.WriteFile(recordedUevents, []byte(got.String()), 0o644))
	}
	if diff := cmp.Diff(string(recorded), got.String()); diff != "" {
		t.Errorf("%s (-recorded +decoded):\n%s", recordedUevents, diff)
	}
}

func TestMalformedUevents(t *testing.T) {
	for name, b := range map[string]string{
		"nothing":           "",
		"no end":            "add@/devices/x",
		"no action":         "@/devices/x\x00SUBSYSTEM=net\x00",
		"no path":           "add\x00SUBSYSTEM=net\x00",
		"a path of its own": "add@devices/x\x00SUBSYSTEM=net\x00",
		"from udev":         "libudev\x00\xfe\xed\xca\xfe",
		"of a disk":         "change@/devices/x/block/sda\x00SUBSYSTEM=block\x00",
	} {
		if e, wanted := decodeUevent([]byte(b)); wanted {
			t.Errorf("%s: handed out as %+v", name, e)
		}
	}
}

func TestUeventConcerns(t *testing.T) {
	const device = "/sys/devices/pci0000:00/0000:00:1c.0/0000:03:00.1"
	for path, want := range map[string]bool{
		"/devices/pci0000:00/0000:00:1c.0/0000:03:00.1":          true,
		"/devices/pci0000:00/0000:00:1c.0":                       true,
		"/devices/pci0000:00/0000:00:1c":                         false,
		"/devices/pci0000:00/0000:00:1c.0/0000:03:00.0":          false,
		"/devices/pci0000:00/0000:00:1c.0/0000:03:00.1/net/p4p2": false,
		"": false,
	} {
		if got := (Uevent{Path: path}).concerns("/sys", device); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	if (Uevent{Path: "/devices"}).concerns("/elsewhere", device) {
		t.Error("a device that is not below the root was concerned")
	}
}

// TestUevents hears of a port that is made and removed.
func TestUevents(t *testing.T) {
	r, _ := pair(t, 0)
	var w *UeventWatcher
	r.do(func() (err error) { w, err = WatchUevents(); return err })
	events, failed := make(chan Uevent, 64), make(chan error, 1)
	go func() {
		for {
			e, err := w.Receive()
			if err != nil {
				failed <- err
				return
			}
			events <- e
		}
	}()
	link := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "u1"}}
	ok(t, r.Kernel().LinkAdd(link))
	ok(t, r.Kernel().LinkDel(link))
	for _, action := range []string{"add", "remove"} {
		for {
			if e := <-events; e.Path == "/devices/virtual/net/u1" && e.Action == action {
				break
			}
		}
	}
	ok(t, w.Close())
	ok(t, w.Close())
	if err := <-failed; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v, want fs.ErrClosed", err)
	}
}

// FuzzUevent feeds any datagram to the decoder: what it hands out has an action and a place.
func FuzzUevent(f *testing.F) {
	for _, b := range recordings(f, recordedUevents) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, wanted := decodeUevent(b)
		if wanted && (e.Action == "" || e.Path == "" || e.Path[0] != '/' || e.Lost) {
			t.Errorf("%q became %+v", b, e)
		}
		if e.Recovery > RecoveryFailed {
			t.Errorf("%q: recovery %d", b, e.Recovery)
		}
		if wanted && !e.concerns("/sys", "/sys"+e.Path) {
			t.Errorf("%q does not concern its own device", b)
		}
	})
}

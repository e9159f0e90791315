package port

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"standfast/hw/hwtest"
)

// sysfsTree is a piece of /sys that a test may change as the kernel would.
type sysfsTree struct {
	t    *testing.T
	root string
}

func unpack(t *testing.T, name string) sysfsTree {
	t.Helper()
	tr := sysfsTree{t, t.TempDir()}
	ok(t, hwtest.UnpackSysfs(tr.root, name))
	return tr
}

func (tr sysfsTree) sensor(name string) *Sensor {
	tr.t.Helper()
	s, err := OpenSensor(tr.root, State{Name: name, Index: int(readCount(filepath.Join(tr.root, "class/net", name), "ifindex").N)})
	ok(tr.t, err)
	return s
}

func (tr sysfsTree) write(path, content string) {
	tr.t.Helper()
	ok(tr.t, os.WriteFile(filepath.Join(tr.root, path), []byte(content), 0o644))
}

func (tr sysfsTree) remove(path string) {
	tr.t.Helper()
	ok(tr.t, os.RemoveAll(filepath.Join(tr.root, path)))
}

func known(n uint64) Count { return Count{N: n, Known: true} }

// TestTreesUnpack holds every tree against the rules of /sys: each port has a class entry that leads to it and back.
func TestTreesUnpack(t *testing.T) {
	names, err := hwtest.Trees()
	ok(t, err)
	for _, name := range names {
		tr := unpack(t, name)
		links, err := filepath.Glob(filepath.Join(tr.root, "class/net/*"))
		ok(t, err)
		if len(links) == 0 {
			t.Errorf("%s has no port", name)
		}
		for _, link := range links {
			s := tr.sensor(filepath.Base(link))
			if signals, sent := s.Read(), s.ReadSent(); signals.Listed != Yes || !sent.Known {
				t.Errorf("%s: %s is %+v, sent %+v", name, filepath.Base(link), signals, sent)
			}
		}
	}
}

func TestSensorIdentity(t *testing.T) {
	for _, c := range []struct {
		tree, port string
		want       Identity
	}{
		{"virtio.recorded", "eth0", Identity{Driver: "virtio_net", Bus: "0000:00:03.0", Card: "0000:00:03"}},
		{"virtio.recorded", "ifb0", Identity{}},
		{"igb-quad.constructed", "p4p2", Identity{Driver: "igb", Bus: "0000:03:00.1", Card: "0000:03:00"}},
		{"ixgbe-dual.constructed", "p1p2", Identity{Driver: "ixgbe", Bus: "0000:05:00.1", Card: "0000:05:00"}},
		{"ixgbe-dual.constructed", "p2p1", Identity{Driver: "igb", Bus: "0000:08:00.0", Card: "0000:06:00"}},
		{"ixgbe-dual.constructed", "p2p4", Identity{Driver: "igb", Bus: "0000:09:00.1", Card: "0000:06:00"}},
		{"tg3-lom.constructed", "em3", Identity{Driver: "tg3", Bus: "0000:03:00.0", Card: "0000:03:00", Onboard: 3, Label: "Embedded NIC 3"}},
		{"mlx5-dual.constructed", "ens2f1", Identity{Driver: "mlx5_core", Bus: "0000:81:00.1", Card: "0000:81:00"}},
		{"mlx5-dual.constructed", "ens2f0v0", Identity{Driver: "mlx5_core", Bus: "0000:81:00.2", Card: "0000:81:00"}},
	} {
		s := unpack(t, c.tree).sensor(c.port)
		if diff := cmp.Diff(c.want, s.Identity()); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.tree, c.port, diff)
		}
		if got, want := s.Concerned(Uevent{Path: "/devices/pci0000:00"}), c.want.Bus != ""; got != want {
			t.Errorf("%s %s: concerned by what happens to the whole bus is %v, want %v", c.tree, c.port, got, want)
		}
	}
}

func TestSignals(t *testing.T) {
	const function = "devices/pci0000:00/0000:00:1c.0/0000:03:00.1"
	const net = function + "/net/p4p2/"
	well := Signals{
		Listed: Yes, Plugged: Yes, Bound: Yes, ProtoDown: No, Testing: No, Timeouts: known(0),
		Corrected: known(0), Nonfatal: known(0), Fatal: known(0),
	}
	gone := Signals{Listed: No, Plugged: Yes, Bound: Yes, Corrected: known(0), Nonfatal: known(0), Fatal: known(0)}
	for name, c := range map[string]struct {
		change func(tr sysfsTree)
		want   func() Signals
	}{
		"well":            {func(sysfsTree) {}, func() Signals { return well }},
		"held down":       {func(tr sysfsTree) { tr.write(net+"proto_down", "1\n") }, func() Signals { w := well; w.ProtoDown = Yes; return w }},
		"testing":         {func(tr sysfsTree) { tr.write(net+"operstate", "testing\n") }, func() Signals { w := well; w.Testing = Yes; return w }},
		"no opinion":      {func(tr sysfsTree) { tr.write(net+"operstate", "unknown\n") }, func() Signals { w := well; w.Testing = Unknown; return w }},
		"queue timed out": {func(tr sysfsTree) { tr.write(net+"queues/tx-1/tx_timeout", "3\n") }, func() Signals { w := well; w.Timeouts.N = 3; return w }},
		"nonsense":        {func(tr sysfsTree) { tr.write(net+"proto_down", "many\n") }, func() Signals { w := well; w.ProtoDown = Unknown; return w }},
		"PCIe errors of the card and above it": {func(tr sysfsTree) {
			tr.write(function+"/aer_dev_correctable", "RxErr 1\nBadTLP 1\nTOTAL_ERR_COR 2\n")
			tr.write("devices/pci0000:00/0000:00:1c.0/aer_dev_correctable", "RxErr 1\nTOTAL_ERR_COR 1\n")
			tr.write(function+"/aer_dev_fatal", "TOTAL_ERR_FATAL many\n")
		}, func() Signals { w := well; w.Corrected = known(3); return w }},
		"an older kernel": {func(tr sysfsTree) {
			for _, f := range []string{"proto_down", "testing"} {
				tr.remove(net + f)
			}
			tr.remove(function + "/aer_dev_correctable")
			tr.remove("devices/pci0000:00/0000:00:1c.0/aer_dev_correctable")
		}, func() Signals { w := well; w.ProtoDown, w.Corrected = Unknown, Count{}; return w }},
		"moved to another namespace": {func(tr sysfsTree) { tr.remove("class/net/p4p2") }, func() Signals { return gone }},
		"made again":                 {func(tr sysfsTree) { tr.write(net+"ifindex", "99\n") }, func() Signals { return gone }},
		"its driver taken away": {func(tr sysfsTree) {
			tr.remove("class/net/p4p2")
			tr.remove(function + "/net")
			tr.remove(function + "/driver")
		}, func() Signals { w := gone; w.Bound = No; return w }},
		"pulled out": {func(tr sysfsTree) {
			tr.remove("class/net/p4p2")
			tr.remove(function)
		}, func() Signals { w := gone; w.Plugged, w.Bound = No, No; return w }},
	} {
		t.Run(name, func(t *testing.T) {
			tr := unpack(t, "igb-quad.constructed")
			s := tr.sensor("p4p2")
			c.change(tr)
			if diff := cmp.Diff(c.want(), s.Read()); diff != "" {
				t.Errorf("signals (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadSent(t *testing.T) {
	const net = "devices/pci0000:00/0000:00:1c.0/0000:03:00.1/net/p4p2/"
	for name, c := range map[string]struct {
		change func(tr sysfsTree)
		want   Count
	}{
		"well":                       {func(sysfsTree) {}, known(1000)},
		"nonsense":                   {func(tr sysfsTree) { tr.write(net+"statistics/tx_packets", "many\n") }, Count{}},
		"moved to another namespace": {func(tr sysfsTree) { tr.remove("class/net/p4p2") }, Count{}},
		"made again":                 {func(tr sysfsTree) { tr.write(net+"ifindex", "99\n") }, Count{}},
	} {
		tr := unpack(t, "igb-quad.constructed")
		s := tr.sensor("p4p2")
		c.change(tr)
		if got := s.ReadSent(); got != c.want {
			t.Errorf("%s: sent %+v, want %+v", name, got, c.want)
		}
	}
}

func TestSignalsOfOldKernel(t *testing.T) {
	want := Signals{Listed: Yes, Plugged: Yes, Bound: Yes, Testing: No, Timeouts: known(0)}
	if diff := cmp.Diff(want, unpack(t, "tg3-lom.constructed").sensor("em1").Read()); diff != "" {
		t.Errorf("signals of Linux 3.10 (-want +got):\n%s", diff)
	}
}

func TestAnswers(t *testing.T) {
	ones := string(bytes.Repeat([]byte{0xff}, 64))
	const function = "devices/pci0000:00/0000:00:03.0/0000:81:00.0"
	for name, c := range map[string]struct {
		tree, port string
		change     func(tr sysfsTree)
		want       Truth
	}{
		"well":               {"mlx5-dual.constructed", "ens2f0", func(sysfsTree) {}, Yes},
		"recorded":           {"virtio.recorded", "eth0", func(sysfsTree) {}, Yes},
		"a virtual function": {"mlx5-dual.constructed", "ens2f0v0", func(sysfsTree) {}, Yes},
		"all ones":           {"mlx5-dual.constructed", "ens2f0", func(tr sysfsTree) { tr.write(function+"/config", ones) }, No},
		"short":              {"mlx5-dual.constructed", "ens2f0", func(tr sysfsTree) { tr.write(function+"/config", ones[:8]) }, Unknown},
		"asleep": {"mlx5-dual.constructed", "ens2f0", func(tr sysfsTree) {
			tr.write(function+"/config", ones)
			tr.write(function+"/power/runtime_status", "suspended\n")
		}, Unknown},
		"pulled out":   {"mlx5-dual.constructed", "ens2f0", func(tr sysfsTree) { tr.remove(function) }, Unknown},
		"not hardware": {"virtio.recorded", "ifb0", func(sysfsTree) {}, Unknown},
	} {
		tr := unpack(t, c.tree)
		s := tr.sensor(c.port)
		c.change(tr)
		if got := s.Answers(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestOpenSensorRefuses(t *testing.T) {
	tr := unpack(t, "igb-quad.constructed")
	mac := [6]byte{0xa0, 0x36, 0x9f, 0, 0, 2}
	if _, err := OpenSensor(tr.root, State{Name: "p4p2", Index: 3, MAC: mac}); err != nil {
		t.Error(err)
	}
	for name, s := range map[string]State{
		"no such port":                       {Name: "p9", Index: 3},
		"another index":                      {Name: "p4p2", Index: 4},
		"a namesake with another address":    {Name: "p4p2", Index: 3, MAC: [6]byte{2}},
		"another index, the address matches": {Name: "p4p2", Index: 9, MAC: mac},
	} {
		if _, err := OpenSensor(tr.root, s); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want fs.ErrNotExist", name, err)
		}
	}
}

// TestSensorOfKernel reads a tap of the running kernel: what it sends is counted, and what it has not stays unknown.
func TestSensorOfKernel(t *testing.T) {
	r, _ := pair(t, 1)
	state := r.port("p1")
	r.do(func() error {
		s, err := OpenSensor(Root, state)
		if err != nil {
			return err
		}
		v := s.Read()
		want := Signals{Listed: Yes, ProtoDown: No, Testing: v.Testing, Timeouts: known(0)}
		if diff := cmp.Diff(want, v); diff != "" || !s.ReadSent().Known || v.Testing == Yes {
			return fmt.Errorf("signals %+v (-want +got):\n%s", v, diff)
		}
		if s.Answers() != Unknown || s.Concerned(Uevent{Path: "/devices"}) || s.Identity() != (Identity{}) {
			return fmt.Errorf("a tap has hardware: %+v", s)
		}
		return nil
	})
	ok(t, r.Kernel().LinkDel(linkOf(t, r, "p1")))
	r.do(func() error {
		if _, err := OpenSensor(Root, state); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("a removed port has a sensor: %v", err)
		}
		return nil
	})
}

func TestTruthWords(t *testing.T) {
	for _, truth := range []Truth{Unknown, No, Yes} {
		if w := truth.String(); w == "" || w == strconv.Itoa(int(truth)) {
			t.Errorf("%d is called %q", truth, w)
		}
	}
	if (Count{N: 2}).Grew(known(1)) || known(2).Grew(Count{N: 1}) || known(1).Grew(known(1)) || !known(2).Grew(known(1)) {
		t.Error("a counter grows only if both readings are known")
	}
}

func linkOf(t *testing.T, r room, name string) netlink.Link {
	t.Helper()
	l, err := r.Link(name)
	ok(t, err)
	return l
}

// TestSentCountsWhatLeft hands frames to a tap that nobody reads: they count as sent only once somebody does, so a counter that
// stands still while frames are handed over tells of a port that does not send.
func TestSentCountsWhatLeft(t *testing.T) {
	r, _ := pair(t, 0)
	tap := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "t1"}, Mode: netlink.TUNTAP_MODE_TAP, Flags: netlink.TUNTAP_NO_PI, Queues: 1}
	r.do(func() error { return netlink.LinkAdd(tap) })
	queue := tap.Fds[0]
	t.Cleanup(func() { _ = queue.Close() })
	ok(t, r.Kernel().LinkSetUp(linkOf(t, r, "t1")))
	state := r.port("t1")
	var s *Sensor
	send := func(frames int) {
		r.do(func() error {
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer func() { _ = unix.Close(fd) }()
			frame := append(bytes.Repeat([]byte{0xff}, 6), make([]byte, 54)...)
			for range frames {
				if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: state.Index}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	sent := func() (c Count) {
		r.do(func() error { c = s.ReadSent(); return nil })
		return c
	}
	r.do(func() (err error) { s, err = OpenSensor(Root, state); return err })
	before := sent()
	send(5)
	if got := sent(); got != before || !got.Known {
		t.Errorf("sent %+v after frames that nobody took, before %+v", got, before)
	}
	frame := make([]byte, 2048)
	for read := 0; sent().N < before.N+5; read++ {
		if _, err := queue.Read(frame); err != nil || read > 1000 {
			t.Fatalf("after %d frames were read, %+v are counted as sent: %v", read, sent(), err)
		}
	}
}

// TestBeneath stacks ports on each other in the running kernel.
func TestBeneath(t *testing.T) {
	r, _ := pair(t, 1)
	p1 := linkOf(t, r, "p1").Attrs().Index
	ok(t, r.Kernel().LinkAdd(&netlink.Macvlan{LinkAttrs: netlink.LinkAttrs{Name: "m1", ParentIndex: p1}, Mode: netlink.MACVLAN_MODE_BRIDGE}))
	ok(t, r.Kernel().LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "v1"}, PeerName: "v2"}))
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "b1"}}
	ok(t, r.Kernel().LinkAdd(bridge))
	ok(t, r.Kernel().LinkSetMaster(linkOf(t, r, "v2"), bridge))
	for name, want := range map[string]string{"p1": "", "m1": "p1", "v1": "", "b1": ""} {
		state := r.port(name)
		r.do(func() error {
			s, err := OpenSensor(Root, state)
			if err == nil && s.Beneath() != want {
				err = fmt.Errorf("%s lives on %q, want %q", name, s.Beneath(), want)
			}
			return err
		})
	}
}

package service

import (
	"flag"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"standfast/hw/ethtool"
	"standfast/hw/hwtest"
	"standfast/hw/port"
	"standfast/vrrp/verdict"
)

var updateTables = flag.Bool("update", false, "rewrite the tables in testdata")

func TestEverySignalHasAWord(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range EverySignal() {
		if w := s.String(); w == "" || seen[w] {
			t.Errorf("signal %d is called %q", s, w)
		} else {
			seen[w] = true
		}
	}
	if got := numSignals.String(); got != "signal("+strconv.Itoa(int(numSignals))+")" {
		t.Errorf("a signal that is none is called %q", got)
	}
}

func TestDriverTable(t *testing.T) {
	for _, r := range DriverTable() {
		if len(r.Signals) != len(EverySignal()) {
			t.Errorf("%s has %d signals", r.Driver, len(r.Signals))
		}
		// Whatever carries a port, its own counters can show that adverts do not leave.
		if !slices.Contains(r.Facts, verdict.FactTransmitStalled.String()) {
			t.Errorf("%s can be known to suffer %v only", r.Driver, r.Facts)
		}
	}
	if _, ok := LookUpDriver("mlx5_core"); !ok {
		t.Error("mlx5_core is not in the table")
	}
	if _, ok := LookUpDriver("nobody"); ok {
		t.Error("nobody is in the table")
	}
}

// TestPrintedDrivers holds the committed table against the code; rewrite it by: go test ./service -run TestPrintedDrivers -update
func TestPrintedDrivers(t *testing.T) {
	const name = "testdata/drivers.txt"
	var b strings.Builder
	if err := PrintDrivers(&b); err != nil {
		t.Fatal(err)
	}
	if *updateTables {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-committed +printed):\n%s", name, diff)
	}
}

// release is the running kernel's, such as 6.18.
func release(t *testing.T) (major, minor int) {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	return version(t, unix.ByteSliceToString(u.Release[:]))
}

func version(t *testing.T, text string) (major, minor int) {
	t.Helper()
	a, rest, _ := strings.Cut(text, ".")
	b := strings.TrimRight(rest[:max(0, strings.IndexFunc(rest+".", func(r rune) bool { return r < '0' || r > '9' }))], ".")
	major, err := strconv.Atoi(a)
	if err != nil {
		t.Fatalf("%q is no version", text)
	}
	minor, _ = strconv.Atoi(b)
	return major, minor
}

// observe asks the running kernel which signals a port really has. What nobody can see without breaking something is not in it.
func observe(t *testing.T, s port.State) (driver string, has map[Signal]bool) {
	t.Helper()
	c, err := ethtool.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	d, err := c.Driver(s.Index)
	if err != nil {
		t.Fatal(err)
	}
	link, linkErr := c.Link(s.Index)
	mode, modeErr := c.Mode(s.Index)
	_, miiErr := c.MII(s.Index)
	_, moduleErr := c.Module(s.Index)
	has = map[Signal]bool{
		SignalSpeed:     modeErr == nil && mode.SpeedMbit > 0,
		SignalLinkState: linkErr == nil && link.State.Known,
		SignalDownCount: linkErr == nil && link.Downs.Known,
		SignalAbilities: modeErr == nil && !mode.Partner.IsEmpty(),
		SignalMII:       miiErr == nil,
		SignalModule:    moduleErr == nil,
	}
	sensor, err := port.OpenSensor(port.Root, s)
	if err == nil { // unless /sys shows another network namespace
		has[SignalTransmit] = sensor.ReadSent().Known
		has[SignalBus] = sensor.Answers() != port.Unknown
	}
	return d.Name, has
}

// compare holds one row of the table against what a port of the driver has.
func compare(t *testing.T, s port.State) (driver string) {
	t.Helper()
	driver, has := observe(t, s)
	row, ok := LookUpDriver(driver)
	if !ok {
		t.Logf("%s: the driver %s is not in the table", s.Name, driver)
		return driver
	}
	major, minor := release(t)
	for signal, observed := range has {
		var want bool
		switch support := row.Signals[signal.String()]; support {
		case "some":
			continue
		case "no":
		case "yes", "fixed":
			want = true
		default:
			a, b := version(t, support)
			want = major > a || major == a && minor >= b
		}
		if observed != want {
			t.Errorf("%s: the table says %q of %v, the kernel %v", driver, row.Signals[signal.String()], signal, observed)
		}
	}
	return driver
}

// TestDriversHere holds the rows of the drivers that are here against what the kernel answers: a tap, a veth, with and without
// carrier, and whatever the machine itself has.
func TestDriversHere(t *testing.T) {
	lab := hwtest.New(t)
	a, err := lab.Router("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := lab.Router("b")
	if err != nil {
		t.Fatal(err)
	}
	cable, err := lab.Cable(a, "p1", b, "p1")
	if err != nil {
		t.Fatal(err)
	}
	lan, err := lab.Switch("lan")
	if err != nil {
		t.Fatal(err)
	}
	host, err := lan.Host("h", netip.MustParsePrefix("192.0.2.9/24"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	look := func(n *hwtest.Namespace) {
		t.Helper()
		if err := n.Do(func() error {
			states, err := port.Snapshot()
			for _, s := range states {
				if !s.Loopback {
					seen[compare(t, s)]++
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	look(a.Namespace())
	look(host.Namespace())
	if err := cable.Cut(); err != nil {
		t.Fatal(err)
	}
	look(a.Namespace())
	if diff := cmp.Diff(map[string]int{"tun": 2, "veth": 1}, seen); diff != "" {
		t.Errorf("drivers seen (-want +got):\n%s", diff)
	}
}

// TestDriversOfThisMachine is TestDriversHere for the hardware of the machine.
func TestDriversOfThisMachine(t *testing.T) {
	states, err := port.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, s := range states {
		if port.Identify(s.Name).Driver != "" {
			compare(t, s)
			found = true
		}
	}
	if !found {
		t.Skip("no port of this network namespace has hardware")
	}
}

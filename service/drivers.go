package service

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"standfast/vrrp/verdict"
)

// Signal is a way in which a port can testify. Which drivers have it stands in one table, what it
// can say in another: see [DriverTable].
type Signal uint8

// The signals, in the order in which they are shown.
const (
	SignalTransmit  Signal = iota // counters of what was sent
	SignalHang                    // the kernel's watchdog over transmit queues
	SignalBus                     // PCI: configuration space, error recovery, removal
	SignalDetach                  // the driver takes its device away when the card is lost
	SignalSpeed                   // speed of the link
	SignalLinkState               // why there is no link (ETHTOOL_A_LINKSTATE_EXT_STATE)
	SignalDownCount               // losses counted by the driver itself (ETHTOOL_A_LINKSTATE_EXT_DOWN_CNT)
	SignalAbilities               // what the partner announces, read while the link is down
	SignalMII                     // registers of a copper PHY, read while the link is down
	SignalModule                  // the module's own memory (SFF-8472)
	SignalCableTest               // time-domain reflectometry, on demand only
	numSignals
)

// String is a stable lower-case word.
func (s Signal) String() string {
	if s >= numSignals {
		return fmt.Sprintf("signal(%d)", uint8(s))
	}
	return signalWords[s]
}

var signalWords = [numSignals]string{
	SignalTransmit: "transmit", SignalHang: "hang", SignalBus: "bus", SignalDetach: "detach", SignalSpeed: "speed",
	SignalLinkState: "link-state", SignalDownCount: "down-count", SignalAbilities: "abilities",
	SignalMII: "mii", SignalModule: "module", SignalCableTest: "cable-test",
}

// EverySignal lists the signals in the order in which they are shown.
func EverySignal() []Signal {
	all := make([]Signal, 0, numSignals)
	for s := range numSignals {
		all = append(all, s)
	}
	return all
}

// DriverRow says what ports of one driver can testify.
type DriverRow struct {
	Driver  string            `json:"driver"`
	Signals map[string]string `json:"signals"` // by signal: "yes", "no", "some" for some of its ports, "fixed" for a number that says nothing, or the first Linux version that has it
	Facts   []string          `json:"facts"`   // everything that such a port may one day be known to suffer, in the words of `status`
}

// DriverTable says for each driver that the project has looked at what its ports can testify beyond
// carrier, which every driver reports.
func DriverTable() []DriverRow {
	rows := make([]DriverRow, 0, len(drivers))
	for _, d := range drivers {
		rows = append(rows, d.row())
	}
	return rows
}

// LookUpDriver finds one row of the table; false for a driver that it does not have.
func LookUpDriver(name string) (DriverRow, bool) {
	i := slices.IndexFunc(drivers[:], func(d driver) bool { return d.name == name })
	if i < 0 {
		return DriverRow{}, false
	}
	return drivers[i].row(), true
}

// PrintDrivers writes the table for a person.
func PrintDrivers(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "DRIVER")
	for s := range numSignals {
		fmt.Fprintf(t, "\t%s", strings.ToUpper(s.String()))
	}
	fmt.Fprintln(t)
	for _, r := range DriverTable() {
		fmt.Fprint(t, r.Driver)
		for s := range numSignals {
			fmt.Fprintf(t, "\t%s", strings.Replace(r.Signals[s.String()], "no", "-", 1))
		}
		fmt.Fprintln(t)
	}
	fmt.Fprint(t, "\nSIGNAL\tCAN SHOW\n")
	for s := range numSignals {
		if shows := s.shows(); len(shows) > 0 {
			fmt.Fprintf(t, "%s\t%s\n", s, strings.Join(shows, ", "))
		}
	}
	fmt.Fprint(t, "\nyes, no (-); some: on some of its ports; fixed: a number that says nothing; else the first version of Linux\n")
	return t.Flush()
}

// shows are the facts that need the signal, or another like it.
func (s Signal) shows() []string {
	var all []string
	for f := range verdict.EveryFact() {
		if slices.Contains(signalsOf(f), s) {
			all = append(all, f.String())
		}
	}
	return all
}

// support says since when a driver has a signal: "" never, "yes" since Linux 3.10 or its own
// beginning, "some" on some of its ports, else the first version.
type support [numSignals]string

type driver struct {
	name    string
	support support
}

func (d driver) row() DriverRow {
	r := DriverRow{Driver: d.name, Signals: map[string]string{}, Facts: []string{}}
	for s, v := range d.support {
		if v == "" {
			v = "no"
		}
		r.Signals[Signal(s).String()] = v
	}
	for f := range verdict.EveryFact() {
		if slices.ContainsFunc(signalsOf(f), d.has) {
			r.Facts = append(r.Facts, f.String())
		}
	}
	return r
}

// has says that ports of the driver have a signal, on some kernel.
func (d driver) has(s Signal) bool { return d.support[s] != "" && d.support[s] != "fixed" }

// driverHas says that the table knows the driver, and its signal.
func driverHas(name string, signal Signal) bool {
	return slices.ContainsFunc(drivers[:], func(d driver) bool { return d.name == name && d.has(signal) })
}

// carrierIsLate says that a driver takes up to two seconds to report a carrier that is gone. e1000 does: an interrupt tells it at once, and what it
// hastens for that is a task that is due anyway, whose moment then stays as it is (e1000_intr in e1000_main.c); asked for its link it says the truth.
func carrierIsLate(name string) bool { return name == "e1000" }

// physical is what drivers of PCI cards have in common.
func physical(more map[Signal]string) support {
	s := support{SignalTransmit: "yes", SignalHang: "yes", SignalBus: "yes", SignalDetach: "yes", SignalSpeed: "yes"}
	for signal, since := range more {
		s[signal] = since
	}
	return s
}

// drivers was read from the drivers' sources in Linux 6.12 and 7.3.
var drivers = [...]driver{
	{"e1000", physical(map[Signal]string{SignalMII: "some"})},
	{"e1000e", physical(nil)}, // which makes PHY registers up while the link is down
	{"igb", physical(map[Signal]string{SignalMII: "some", SignalModule: "some"})},
	{"igc", physical(nil)},
	{"ixgbe", physical(map[Signal]string{SignalDownCount: "7.3", SignalModule: "some"})},
	{"i40e", physical(map[Signal]string{SignalDetach: "", SignalDownCount: "7.3", SignalModule: "some"})},
	{"ice", physical(map[Signal]string{SignalDetach: "6.11", SignalDownCount: "7.3", SignalModule: "some"})},
	{"tg3", physical(map[Signal]string{SignalDownCount: "some", SignalMII: "some"})},
	{"bnx2x", physical(map[Signal]string{SignalMII: "some", SignalModule: "some"})},
	{"bnxt_en", physical(map[Signal]string{SignalLinkState: "7.3", SignalDownCount: "6.2", SignalModule: "some"})},
	{"r8169", physical(map[Signal]string{SignalDetach: "6.0", SignalDownCount: "6.2", SignalAbilities: "some", SignalMII: "yes"})},
	{"mlx5_core", physical(map[Signal]string{SignalLinkState: "5.8", SignalDownCount: "6.2", SignalAbilities: "yes", SignalModule: "yes"})},
	{"virtio_net", support{SignalTransmit: "yes", SignalHang: "5.17", SignalBus: "some", SignalSpeed: "some"}},
	{"veth", support{SignalTransmit: "yes", SignalSpeed: "fixed"}},
	{"tun", support{SignalTransmit: "yes", SignalSpeed: "fixed"}},
}

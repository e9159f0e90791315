package service

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"standfast/hw/address"
	"standfast/hw/announce"
	"standfast/hw/clock"
	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/hw/probe"
	"standfast/hw/wire"
	"standfast/service/helper"
)

// The outside as the service needs it. Each interface is the part of one edge
// package that is used here, so that a test can put a twin in its place.

// wireConn sends and receives advertisements on one port and family.
type wireConn interface {
	Send(src, dst netip.Addr, payload []byte) error
	Receive() (wire.Frame, error)
	// RawHeard counts adverts that came through reverse path filter and
	// firewall, PacketHeard those that came to the port.
	RawHeard() uint64
	PacketHeard() uint64
	// Rejected counts packets whose IP header was broken.
	Rejected() uint64
	Close() error
}

// probeConn asks ARP and ND questions on one port and hears what is said there.
type probeConn interface {
	Ask(q probe.Question) error
	Receive() (probe.Heard, error)
	Close() error
}

// announceConn tells a segment who owns an address.
type announceConn interface {
	Announce(addr netip.Addr, mac [6]byte, router bool) error
	Close() error
}

// socketEdge opens sockets on a port.
type socketEdge interface {
	Wire(index int, name string, family int, group netip.Addr) (wireConn, error)
	Probe(index int, name string, mac [6]byte) (probeConn, error)
	Announce(index int, name string) (announceConn, error)
}

// portWatcher reports changes of interfaces.
type portWatcher interface {
	Receive() (port.Change, error)
	Close() error
}

// carrierCounter reads how often a port has lost its carrier.
type carrierCounter interface {
	Read() (uint32, error)
	Close() error
}

// portEdge reads interfaces and what is around them.
type portEdge interface {
	Snapshot() ([]port.State, error)
	Watch() (portWatcher, error)
	Counter(name string) (carrierCounter, error)
	Neighbours(index int) ([]port.Neighbour, error)
	Gateways(index int) ([]netip.Addr, error)
	// Forwarding says whether the port forwards IPv6, which decides the router
	// flag of its neighbour advertisements.
	Forwarding(name string) bool
}

// portSensor reads what /sys says of a port and of its device. Answers may wait in
// the kernel without end.
type portSensor interface {
	Identity() port.Identity
	Beneath() string // the port that a VLAN or a macvlan lives on
	Concerned(port.Uevent) bool
	Read() port.Signals
	ReadSent() port.Count
	Answers() port.Truth
}

// hardwareEdge asks what carries the ports. Whatever asks a driver may wait in the
// kernel without end.
type hardwareEdge interface {
	Sensor(of port.State) (portSensor, error)
	Uevents() (watcher[port.Uevent], error)
	// Link asks why there is no link; ethtool.IsDetached is true of the error for a device
	// that has left its driver.
	Link(index int) (ethtool.Link, error)
	Mode(index int) (ethtool.Mode, error)
	Module(index int) (ethtool.Module, error)
	MII(index int) (ethtool.MII, error)
	Driver(index int) (ethtool.Driver, error)
}

// kernel changes addresses and routes; each actor has one of its own.
type kernel interface {
	SetVIP(v address.VIP, lease time.Duration) error
	DropVIP(v address.VIP) error
	SetRoute(r address.Route) error
	DropRoute(r address.Route) error
	Owned() ([]address.VIP, []address.Route, error)
	Held(v address.VIP) (address.Holding, error)
	Close() error
}

// addressWatcher reports addresses and routes that went away.
type addressWatcher interface {
	Receive() (address.Gone, error)
	Close() error
}

// addressEdge opens what changes and watches addresses.
type addressEdge interface {
	Open() (kernel, error)
	Watch() (addressWatcher, error)
}

// edges is everything outside this process, opened by those who need it.
type edges struct {
	now       func() time.Duration
	rights    func() error
	launch    func(runtimeDir string) error // what keeps the helpers there, unless it is
	alone     func() bool                   // no other standfast is in this network namespace
	files     fs.FS                         // rooted at /
	sockets   socketEdge
	ports     portEdge
	hardware  hardwareEdge
	addresses addressEdge
	storage   storageEdge
	helpers   func(ctx context.Context, e *helper.LauncherEnd) // keeps the connection to the launcher until ctx ends
	fence     func() (fencer, error)                           // opens what resets the host
	machine   machineEdge
	alarm     func() alarm
	signals   <-chan os.Signal
}

// hostEdges are the edges of the host that the process runs on.
func hostEdges(signals <-chan os.Signal, runtimeDir string) edges {
	return edges{
		now: clock.Now, rights: rights, launch: helper.Launch, alone: alone, files: os.DirFS("/"),
		sockets: hostSockets{}, ports: hostPorts{}, hardware: openHardware(), addresses: hostAddresses{},
		storage: hostStorage{runtimeDir}, fence: openFence,
		helpers: func(ctx context.Context, e *helper.LauncherEnd) { e.Run(ctx, runtimeDir) },
		machine: hostMachine{}, alarm: openAlarm, signals: signals,
	}
}

// hostSockets, hostPorts and hostAddresses only turn the concrete types of the
// edge packages into the interfaces above.
type (
	hostSockets   struct{}
	hostPorts     struct{}
	hostAddresses struct{}
)

func (hostSockets) Wire(index int, name string, family int, group netip.Addr) (wireConn, error) {
	return wire.Open(index, name, family, group)
}

func (hostSockets) Probe(index int, name string, mac [6]byte) (probeConn, error) {
	return probe.Open(index, name, mac)
}

func (hostSockets) Announce(index int, name string) (announceConn, error) {
	return announce.Open(index, name)
}

func (hostPorts) Snapshot() ([]port.State, error) { return port.Snapshot() }
func (hostPorts) Watch() (portWatcher, error)     { return port.Watch() }
func (hostPorts) Counter(name string) (carrierCounter, error) {
	return port.OpenCounter(name)
}
func (hostPorts) Neighbours(index int) ([]port.Neighbour, error) { return port.Neighbours(index) }
func (hostPorts) Gateways(index int) ([]netip.Addr, error)       { return port.Gateways(index) }

func (hostPorts) Forwarding(name string) bool {
	text, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + name + "/forwarding")
	return err == nil && len(text) > 0 && text[0] != '0'
}

func (hostAddresses) Open() (kernel, error)          { return address.Open() }
func (hostAddresses) Watch() (addressWatcher, error) { return address.Watch() }

// rights says which of the two capabilities that everything here needs are
// missing, in one error, before the first socket fails for want of one.
func rights() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("cannot read the capabilities of this process: %w", err)
	}
	var lacking []string
	for _, c := range []struct {
		name string
		bit  uint
	}{{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN}, {"CAP_NET_RAW", unix.CAP_NET_RAW}} {
		if data[0].Effective&(1<<c.bit) == 0 {
			lacking = append(lacking, c.name)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return missing(lacking)
}

func missing(capabilities []string) error {
	return fmt.Errorf("missing %s: run standfast as root, or grant it to the service (AmbientCapabilities= in its unit): %w",
		strings.Join(capabilities, " and "), fs.ErrPermission)
}

// alone claims the network namespace for as long as this process lives; names
// of abstract sockets belong to one. Addresses and routes carry only our number,
// so a second instance, in a runtime directory of its own, could not tell what
// the first has put into the kernel from leftovers.
func alone() bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: "@standfast"}); err != nil {
		_ = unix.Close(fd)
		return false
	}
	return true // the socket stays open: its name is the claim
}

// Package port reads the state of this router's network ports from the kernel:
// which there are, whether they have carrier, what lives on them, and which of
// them share one card.
//
// Several ways of looking complement each other:
//
//   - [Watcher] is told of changes by rtnetlink. It costs nothing while nothing
//     happens, but the kernel holds carrier losses back for up to a second when
//     it has reported one lately, and it drops reports when the reader is slow.
//   - [Snapshot] asks for every port at once and is true at the moment it is
//     taken, whatever the kernel has not yet reported.
//   - [Counter] reads one port's number of carrier losses without taking any
//     lock of the kernel, so that it can be polled often and never gets stuck
//     behind a driver that is busy resetting its card.
//   - [Sensor] reads from /sys what a port and the device beneath it testify
//     beyond that: whether the device is there and has a driver, whether what
//     is sent leaves, what errors the bus met. It outlives the port.
//   - [UeventWatcher] is told at once when a device is pulled out, or cut off
//     for an error of the bus; nobody else ever says so.
//
// Nothing here starts a goroutine; every call blocks its caller only. An answer
// of the kernel that makes no sense is left out or reported as unknown.
package port

import (
	"net/netip"
	"slices"
)

// Carrier says whether a port has a live link partner at the physical layer.
type Carrier uint8

// The states of a carrier. The zero value is CarrierUnknown.
const (
	CarrierUnknown Carrier = iota // switched off, or the kernel did not say
	CarrierDown                   // switched on, and nothing at the other end
	CarrierUp                     // switched on, with a link
)

// String returns "unknown", "down" or "up".
func (c Carrier) String() string {
	switch c {
	case CarrierDown:
		return "down"
	case CarrierUp:
		return "up"
	case CarrierUnknown:
	}
	return "unknown"
}

// OperState is the kernel's summary of a port's ability to pass data (RFC 2863,
// IF_OPER_*). On kernels before 6.12 it lags behind [State].Carrier by up to a second,
// and many drivers never leave OperUnknown: a hint, never a proof.
type OperState uint8

// The operational states in the kernel's numbering.
const (
	OperUnknown        OperState = iota // the driver does not say
	OperNotPresent                      // the hardware is missing
	OperDown                            // no link
	OperLowerLayerDown                  // the port beneath this one has no link
	OperTesting                         // a cable or self test is running
	OperDormant                         // link, but waiting for something such as 802.1X
	OperUp                              // passes data
)

// State is what the kernel says about one port.
type State struct {
	// Index is the kernel's interface index: positive, stable across renames, and
	// different when a port is removed and made again.
	Index int
	// Name is the interface name, 1 to 15 bytes.
	Name string
	// Present is true for every port the kernel listed; the zero State is an absent port.
	Present bool
	// AdminUp is true when the port is switched on (IFF_UP).
	AdminUp bool
	// Carrier is the physical link, as of the moment of the report. A port that is
	// switched off has CarrierUnknown.
	Carrier Carrier
	// DownCount is how often the carrier was lost since the port exists, modulo 2^32.
	// It tells of losses too short to be reported. Valid if DownCountKnown (Linux 4.16).
	DownCount      uint32
	DownCountKnown bool
	// OperState is the kernel's summary; see the type for its worth.
	OperState OperState
	// ProtoDown is true when another protocol of this host holds the port down on purpose.
	ProtoDown bool
	// MAC is the hardware address; zero on a port that has none of 6 bytes.
	MAC [6]byte
	// MTU is the largest payload in bytes.
	MTU int
	// Addresses are those that can be spoken from, with their prefix lengths, in the
	// kernel's order: primary addresses of IPv4 first. An IPv6 address whose duplicate
	// address detection runs or has failed is left out.
	Addresses []netip.Prefix
	// Master is the index of the bridge or bond the port belongs to; 0 for none.
	Master int
	// Loopback is true for the loopback interface.
	Loopback bool
}

// Equal reports whether both describe the same port in the same state.
func (s State) Equal(o State) bool {
	if !slices.Equal(s.Addresses, o.Addresses) {
		return false
	}
	return s.Index == o.Index && s.Name == o.Name && s.Present == o.Present &&
		s.AdminUp == o.AdminUp && s.Carrier == o.Carrier &&
		s.DownCount == o.DownCount && s.DownCountKnown == o.DownCountKnown &&
		s.OperState == o.OperState && s.ProtoDown == o.ProtoDown &&
		s.MAC == o.MAC && s.MTU == o.MTU && s.Master == o.Master && s.Loopback == o.Loopback
}

// AddressGone is an address that a port has lost.
type AddressGone struct {
	Index  int // the port
	Prefix netip.Prefix
}

// Change is what happened to the ports since the last one.
type Change struct {
	// Resync is true when reports were lost and everything was read afresh, and for the
	// first Change of a [Watcher]: States then lists every port, changed or not.
	Resync bool
	// Removed are the indexes of ports that no longer exist. They come before States: a
	// port made again with the index of a removed one is in both.
	Removed []int
	// States are the ports that are new or differ from what was last said about them, by
	// ascending index. A rename is the same index under another name.
	States []State
	// Deleted are the addresses that were taken off ports, in order, also those put
	// back at once, whose routes and memberships may have gone nevertheless.
	Deleted []AddressGone
}

func (c *Change) empty() bool {
	return !c.Resync && len(c.Removed) == 0 && len(c.States) == 0 && len(c.Deleted) == 0
}

// Neighbour is a station that the kernel knows on a port.
type Neighbour struct {
	Addr netip.Addr
	MAC  [6]byte
}

package node

import (
	"net/netip"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// Status is a copy of everything an operator may want to see.
type Status struct {
	Now       vrrp.Instant
	Instances []InstanceStatus
	Ports     []PortStatus
	Unclaimed uint64 // adverts of a virtual router that no instance here has
	Storage   StorageStatus
}

// StorageStatus describes the storage and what was done about it.
type StorageStatus struct {
	State   Storage
	Culprit string
	Since   vrrp.Instant // when it came into this state
	// Resigned says that this router gave up a mastership because of it, and has not become fit to do so again.
	Resigned bool
}

// InstanceStatus describes one instance.
type InstanceStatus struct {
	Key       Key
	Name      string
	State     vrrp.State
	Since     vrrp.Instant
	Priority  uint8 // configured
	Effective uint8 // in force
	Partial   bool  // serves only some of its ports, at priority 1
	Holding   bool  // VIPs are meant to be in the kernel
	Installed bool  // and the kernel said they are
	Lease     time.Duration
	Verdict   verdict.Verdict
	Reason    string
	Faults    []Fault
	Doubt     string // empty, or what raised the doubt
	Master    netip.Addr
	Counters  [vrrp.NumChecks]uint64
	Sent      uint64
	VIPs      []VIP
}

// Fault is one cause for which an instance cannot serve, with its culprit.
type Fault struct {
	Cause   Cause
	Port    Port   // culprit, empty when it is not a port
	Culprit string // in words: "p3p1: no carrier"
}

// Role is what a port is used for.
type Role uint8

// The roles.
const (
	RoleHeartbeat Role = iota + 1
	RoleServing
)

// PortStatus describes one port.
type PortStatus struct {
	Port       Port
	Roles      []Role
	Present    bool
	AdminUp    bool
	Carrier    Carrier
	Driver     string
	Facts      verdict.Facts
	Culprit    string // what is wrong with the port, in words; empty where nothing is
	Mute       bool
	Blind      bool
	Calibrated bool
	Witnesses  []netip.Addr // that answered lately
	Peers      []MAC        // the peer's addresses on this port
	Flapping   bool
}

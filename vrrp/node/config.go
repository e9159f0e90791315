package node

import (
	"fmt"
	"net/netip"
	"time"

	"standfast/vrrp"
)

// Port is the name of an interface. The brain knows ports by name because a
// name outlives what the kernel calls an index: an interface that goes and
// comes back, and a reload that adds a port, change no name.
type Port string

// MAC is a hardware address; the zero value is "none" or, as the addressee of
// a question, "everybody on the segment".
type MAC [6]byte

// String is the usual form with colons.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// Key identifies an instance for as long as its election lives: the same VRID
// and family on the same interface are the same virtual router, whatever the
// configuration calls it (keepalived matches on reload in the same way).
type Key struct {
	Port   Port
	VRID   uint8
	Family vrrp.Family
}

// Config is everything the brain of one router is told.
type Config struct {
	Instances []Instance
	Groups    []Group
	Storage   StoragePolicy
}

// StoragePolicy is what failed storage of this router leads to. The zero value
// is the default.
type StoragePolicy struct {
	// Keep has a MASTER with failed storage go on (storage_yield off) instead of
	// resigning once to a peer that lives.
	Keep bool
	// Fence is how long storage may have failed, while another router serves, before
	// the host is to be reset (storage_fence); 0: never.
	Fence time.Duration
}

// Instance is one vrrp_instance.
type Instance struct {
	// Name is the operator's name for it, used in texts only.
	Name string
	// Port is the heartbeat port: keepalived's `interface`.
	Port Port
	// VRRP are the parameters of the protocol machine. Patience is set by the
	// node and ignored here.
	VRRP vrrp.Params
	// Group is the advert destination; unset means 224.0.0.18 or ff02::12.
	Group netip.Addr
	// Source is keepalived's mcast_src_ip; unset means the first address of
	// the port that is not a VIP, or its link-local address for IPv6.
	Source netip.Addr
	// VIPs are the virtual addresses, the excluded ones included. An address
	// that is permanently on the port as well (an owner's) is one too.
	VIPs []VIP
	// Routes are the ports of virtual routes and rules; empty names are left out.
	Routes []Port
	// Track are the ports of track_interface, those of the groups included.
	Track []Port
	// Prior decides what an unproven silence means (fault_prior, and
	// dont_track_primary which means PriorServe).
	Prior Prior
	// Contested decides what a served VIP means at the deadline (fault_contested).
	Contested Contested
	// Rounds is how often a burst asks (fault_probe), 1…10; 0 means 3.
	Rounds int
	// Wait is the wait after each round (fault_probe); 0 means adaptive, 2…50 ms.
	Wait time.Duration
	// Witnesses are third parties to ask: fault_witness, and the `via` of
	// virtual routes. A witness without a port belongs to every serving port
	// that has a VIP in whose prefix it lies.
	Witnesses []Witness
	// Lease is the kernel lifetime of the VIPs; 0 means none (vip_lease off).
	// LeaseAuto means three advert intervals in whole seconds, 1…14 s.
	Lease time.Duration
	// Announce paces gratuitous ARP and neighbour advertisements.
	Announce Announcing
}

// LeaseAuto asks for a lease derived from the advert interval (vip_lease auto).
const LeaseAuto time.Duration = -1

// VIP is one virtual address on the port that serves it.
type VIP struct {
	Prefix netip.Prefix
	Port   Port
}

// Witness is a third party whose answers show that a port can hear.
type Witness struct {
	Addr netip.Addr
	Port Port
}

// Announcing paces announcements, as keepalived's garp_master_* keywords do.
type Announcing struct {
	// Repeat is how many frames each VIP gets in one announcement; 0 means 5.
	Repeat int
	// Delay is when the second announcement follows the first; 0 means none.
	Delay time.Duration
	// Refresh is the period of further announcements; 0 means none.
	Refresh time.Duration
	// RefreshRepeat is how many frames a refresh has; 0 means 1.
	RefreshRepeat int
}

// Prior is fault_prior: what a BACKUP does at the master-down deadline when
// nothing is proven.
type Prior uint8

// The priors. Yield and incumbent hold back only if another MASTER was heard
// or answered since start; otherwise they serve, or a cold pair never would.
const (
	PriorServe Prior = iota
	PriorYield
	PriorIncumbent
)

// Contested is fault_contested: what a BACKUP does when the VIP is served.
type Contested uint8

// Hold stays BACKUP and keeps asking; take claims at the master-down deadline.
const (
	ContestedHold Contested = iota
	ContestedTake
)

// Group is one vrrp_sync_group: its members serve together or not at all.
type Group struct {
	Name    string
	Members []Key
}

// Key is what identifies the instance.
func (i Instance) Key() Key {
	return Key{Port: i.Port, VRID: i.VRRP.VRID, Family: i.VRRP.Family}
}

package node

import (
	"net/netip"
	"time"

	"standfast/vrrp/verdict"
)

// Event is what the outside tells the brain. The set is closed.
type Event interface{ event() }

// Expired says that a deadline has come, or that the caller woke for another
// reason and wants the brain to look at the clock. Waking early is harmless;
// waking late is noticed and judged.
type Expired struct{}

// Frame is an advertisement as it came off a port.
type Frame struct {
	Port     Port
	MAC      MAC // source hardware address
	Src, Dst netip.Addr
	TTL      int    // TTL or hop limit; negative where unknown
	Payload  []byte // the VRRP message after the IP header; not kept
}

// Op is what kind of ARP or neighbour-discovery message was heard.
type Op uint8

// The kinds. A gratuitous message is one in which somebody announces an
// address rather than answering a question.
const (
	Reply Op = iota + 1
	Request
	Gratuitous
)

// Heard is an ARP or neighbour-discovery message that was heard on a port.
type Heard struct {
	Port   Port
	Op     Op
	Sender netip.Addr // protocol address the sender claims; unspecified in a probe
	MAC    MAC        // hardware address that goes with it
	Target netip.Addr // whom it asks for; of a reply, whom it answers
}

// Carrier is what the device says about its link.
type Carrier uint8

// Carrier states; the zero value is not knowing.
const (
	CarrierUnknown Carrier = iota
	CarrierDown
	CarrierUp
)

// PortState is one port as just read from the kernel.
type PortState struct {
	Port      Port
	Present   bool // false: no interface of this name
	AdminUp   bool
	Carrier   Carrier
	MAC       MAC
	Addresses []netip.Prefix
	Driver    string
	// Facts are what the port's hardware, driver and kernel say beyond its carrier.
	Facts verdict.Facts
	// Culprit names what is broken better than the facts do, in words such as
	// "card 0000:03:00 gone with p4p1 p4p2"; empty where they say it all.
	Culprit string
}

// PortsRead tells the state of ports. Whoever reports may report one port or
// all; what is not mentioned is unchanged.
type PortsRead struct {
	Ports []PortState
	// Own are the hardware addresses of every port of this host, those that no
	// instance uses included: an answer that carries one is our own. Nil leaves
	// what was told before.
	Own []MAC
}

// CarrierLost says that a port's carrier-down count moved: the link dropped,
// whether or not it is back by now.
type CarrierLost struct{ Port Port }

// Neighbours tells what the kernel knows about third parties on a port:
// gateways of its routes and resolved neighbours.
type Neighbours struct {
	Port     Port
	Gateways []netip.Addr
	Known    map[netip.Addr]MAC
}

// StorageRead tells how the storage under this router does. Culprit says in one
// sentence what is wrong with it, and is empty while nothing is.
type StorageRead struct {
	State   Storage
	Culprit string
}

// Storage is the state of what this host runs from.
type Storage uint8

// The states of storage; the zero value is not knowing, which is no fault.
const (
	StorageUnknown Storage = iota // not watched, or nothing can be said
	StorageHealthy
	StorageSlow   // answers, and late: worth a warning and nothing else
	StorageFailed // hangs, errs or has become read-only: what is not in memory is lost
)

// evidence is what the judge makes of it.
func (s Storage) evidence() verdict.Storage {
	switch s {
	case StorageFailed:
		return verdict.StorageFailed
	case StorageHealthy, StorageSlow:
		return verdict.StorageSound
	case StorageUnknown:
	}
	return verdict.StorageUnknown
}

// String is a stable word for logs and status.
func (s Storage) String() string {
	switch s {
	case StorageHealthy:
		return "healthy"
	case StorageSlow:
		return "slow"
	case StorageFailed:
		return "failed"
	case StorageUnknown:
	}
	return "unknown"
}

// Installed answers Install: the VIPs and routes of the instance are in the
// kernel, or Err says in one sentence what is not and why. Serving says that
// the VIPs at least are: a route that the kernel refuses is told, and no fault.
type Installed struct {
	Key     Key
	Serving bool
	Err     string
	Took    time.Duration
}

// Withdrawn answers Withdraw.
type Withdrawn struct {
	Key  Key
	Err  string
	Took time.Duration
}

// Renewed answers Renew.
type Renewed struct {
	Key  Key
	Err  string
	Took time.Duration
}

// Deleted says that somebody else removed a VIP or a route of a serving
// instance.
type Deleted struct{ Key Key }

// Reload replaces the configuration. What did not change is not touched.
type Reload struct{ Config Config }

// Stop ends service: goodbyes are said and everything is withdrawn.
type Stop struct{}

func (Expired) event()     {}
func (Frame) event()       {}
func (Heard) event()       {}
func (PortsRead) event()   {}
func (CarrierLost) event() {}
func (Neighbours) event()  {}
func (StorageRead) event() {}
func (Installed) event()   {}
func (Withdrawn) event()   {}
func (Renewed) event()     {}
func (Deleted) event()     {}
func (Reload) event()      {}
func (Stop) event()        {}

package node

import (
	"net/netip"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// Action is what the brain wants done. Actions are performed in the order
// given, and none of them may block the caller.
type Action interface{ action() }

// SendAdvert puts one advertisement on the heartbeat port.
type SendAdvert struct {
	Key      Key
	Port     Port
	Src, Dst netip.Addr
	Payload  []byte
	Due      vrrp.Instant // the beat that it keeps, or the moment of the event that called for it
}

// Ask puts one ARP or neighbour-discovery question on a port.
type Ask struct {
	Port   Port
	Target netip.Addr
	Sender netip.Addr // unspecified: sender 0.0.0.0; for IPv6 the port's link-local address
	To     MAC        // zero: broadcast, or the solicited-node group
}

// Install makes the VIPs and routes of the instance present in the kernel,
// whatever of them is there already; it is answered by Installed. Lease is the
// lifetime of the VIPs in whole seconds, 0 for ever. What lives on the ports
// named in Without is left out: a partial service does without them.
type Install struct {
	Key     Key
	Lease   time.Duration
	Without []Port
}

// Withdraw makes them absent; it is answered by Withdrawn.
type Withdraw struct{ Key Key }

// Renew lengthens the leases of VIPs that are installed; it is answered by
// Renewed. It runs beside Install and Withdraw, never behind them.
type Renew struct {
	Key   Key
	Lease time.Duration
}

// Announce tells the segments who serves the VIPs: Repeat gratuitous ARP
// requests or unsolicited neighbour advertisements for each.
type Announce struct {
	Key    Key
	Repeat int
}

// ReadPorts asks for the state of every port, now, in one reading.
type ReadPorts struct{}

// Transition says that an instance changed its state, and why.
type Transition struct {
	Key      Key
	Name     string
	At       vrrp.Instant
	From, To vrrp.State
	Priority uint8 // configured priority, as notify scripts get it
	Initial  bool  // the first state after start
	Verdict  verdict.Verdict
	Reason   string // one sentence: rule and evidence
}

// GroupTransition says that all members of a group now share a state.
type GroupTransition struct {
	Name string
	To   vrrp.State
}

// Fence asks for a reset of this host, at once and without writing anything: its
// storage has failed for as long as the operator allows, and another serves.
type Fence struct{ Reason string }

// Level grades a Note.
type Level uint8

// Levels, from what is only of interest to what wakes somebody.
const (
	Info Level = iota
	Warning
	Alarm
)

// Note is a line for the log: something an operator should be able to find.
type Note struct {
	Key   Key // zero when it concerns the whole router
	Level Level
	Text  string
}

func (SendAdvert) action()      {}
func (Ask) action()             {}
func (Install) action()         {}
func (Withdraw) action()        {}
func (Renew) action()           {}
func (Announce) action()        {}
func (ReadPorts) action()       {}
func (Transition) action()      {}
func (GroupTransition) action() {}
func (Fence) action()           {}
func (Note) action()            {}

// Package configfs reads keepalived.conf, the configuration language of standfast, from any fs.FS rooted at "/".
// (It has nothing to do with the kernel's configfs.)
//
// A file becomes a Config in four steps, one source file each: lex.go cuts lines into words and braces, include.go
// brings in other files, parse.go builds a neutral tree of statements and blocks, and the decode files give the tree
// its meaning. Nothing stops at the first complaint: every step reports a Diagnostic and carries on with the most
// cautious reading, so that one run of "check" names everything that is wrong.
//
// Three rules decide how severe a complaint is. What keepalived refuses to run, or what would be misread, is an
// Error. What runs but is likely to hurt is a Hazard; a keyword that keepalived knows and standfast does not act on
// yet is one. What is merely worth knowing is a Note.
package configfs

import (
	"fmt"
	"net/netip"
	"time"
)

// Position is a place in a configuration file. The zero value means "not written in any file": a default.
type Position struct {
	File   string // absolute path, as if the fs.FS were mounted at /
	Line   int    // counted from 1
	Column int    // counted from 1, in bytes
}

// Valid reports whether p names a place in a file.
func (p Position) Valid() bool { return p.Line > 0 }

// String renders p as file:line:column, the form editors jump to; a position without a line is its file alone.
func (p Position) String() string {
	if !p.Valid() {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// seen names p for a sentence about from: by its line alone where both are in one file.
func (p Position) seen(from Position) string {
	if p.File == from.File {
		return fmt.Sprintf("line %d", p.Line)
	}
	return p.String()
}

// Config is everything understood of one configuration, defaults filled in.
// It is complete and consistent only when the Diagnostics it came with hold no Error.
type Config struct {
	Files     []string // every file read, the main one first, absolute paths
	Global    Global
	Instances []Instance // in the order of the file; names are unique
	Groups    []Group    // in the order of the file; names are unique
	Balancers []Position // the virtual_server blocks, in the order of the file: keepalived's other half, which standfast has not
}

// Global holds what global_defs says and no instance copies.
type Global struct {
	RouterID string // router_id; names this router to people, never on the wire
	Storage  Storage
	Process  Process
}

// Process holds what is asked for the process itself. The zero value is the default.
type Process struct {
	RealTime int  // vrrp_rt_priority: 1 … 99, with SCHED_RR; 0 where nothing is said: real time, lowly, if it is permitted
	Ordinary bool // vrrp_rt_priority 0: no real time
	Nice     int  // vrrp_priority: -20 … 19, the nice value where there is no real time
	NiceSaid bool // vrrp_priority is given
	Watchdog Path // watchdog_device: a device that resets the host unless it is told in time that all is well; none: off
}

// Storage holds the storage_* extension keywords: what is looked at of the storage under the router, and what follows
// from its failure. The zero value is the default.
type Storage struct {
	Off   bool          // storage_watch off: nothing is looked at
	Paths []Path        // storage_watch PATH…; none: the file systems that hold / and /var
	Keep  bool          // storage_yield off: a MASTER with failed storage does not resign
	Fence time.Duration // storage_fence: 10 s … 24 h from the failure to a reset of the host, while another router serves; 0: never
}

// Path is an absolute, clean path and the place where it is written.
type Path struct {
	Name string
	Pos  Position
}

// Instance is one vrrp_instance.
type Instance struct {
	Name string
	Pos  Position // of the instance's name

	Interface Port       // the port that carries the adverts
	VRID      uint8      // 1 … 255
	Family    uint8      // 4 or 6: the family of Addresses
	Version   uint8      // 2 or 3; always 3 where Family is 6
	Source    netip.Addr // mcast_src_ip; invalid when the port's own address is to be used

	StateMaster  bool          // "state MASTER" was written: cosmetic apart from the defaults it changes
	Priority     uint8         // 1 … 255
	Interval     time.Duration // advert_int; v2: 1 … 255 s in whole seconds, v3: 10 ms … 40.95 s in steps of 10 ms
	Preempt      bool
	PreemptDelay time.Duration // 0 … 1000 s
	DownAdverts  int           // adverts missed before the MASTER counts as down, 1 … 100

	AuthPass bool    // authentication by clear-text password (v2 only)
	Password [8]byte // zero padded; meaningful with AuthPass only

	Addresses []Address // virtual_ipaddress: advertised, 1 … 255, all of Family
	Excluded  []Address // virtual_ipaddress_excluded: held but not advertised, any family
	Routes    []Route   // virtual_routes
	Tracks    []Port    // track_interface without weight; never the Interface itself

	DontTrackPrimary bool
	Fault            Fault
	Lease            Lease
	Garp             Garp
	Notify           Notify
}

// Port is an interface name and the place where it is written.
type Port struct {
	Name string
	Pos  Position
}

// Address is one line of virtual_ipaddress or virtual_ipaddress_excluded.
type Address struct {
	Prefix    netip.Prefix // the address with its mask; /32 or /128 when none is written
	Dev       Port         // the instance's interface when none is written, with the position of the address
	Broadcast netip.Addr   // invalid when none is asked for
	Label     string       // at most 15 bytes, IPv4 only
	Scope     uint8        // rtnetlink scope: 0 global, 200 site, 253 link, 254 host
	Pos       Position
}

// Route is one line of virtual_routes.
type Route struct {
	Dst    netip.Prefix // masked; 0.0.0.0/0 or ::/0 for "default"
	Via    netip.Addr   // invalid for a route straight onto a port
	Dev    Port         // empty name when the kernel is to find the port from Via
	Src    netip.Addr   // preferred source address; invalid when none is written
	Metric uint32       // 0: the kernel's default
	Table  uint32       // 254 is main
	Scope  uint8        // as Address.Scope; link for an IPv4 route without Via unless written otherwise
	Pos    Position
}

// Fault holds the fault_* extension keywords: how an instance acts when its heartbeat port is silent.
type Fault struct {
	Prior     Prior
	Contested Contested
	Rounds    int           // fault_probe: rounds of a burst of questions, 1 … 10
	Wait      time.Duration // fault_probe: wait of one round, 1 ms … 1 s; 0: adaptive
	Witnesses []Witness     // fault_witness; none: learned
}

// Prior says what an instance does at the master-down deadline when nothing is proven.
type Prior uint8

// The values of fault_prior. The zero value is the default.
const (
	Serve     Prior = iota // take over, as plain VRRP does
	Yield                  // stay BACKUP
	Incumbent              // take over only if this router was the last to serve
)

// String returns the word as it is written in the file.
func (p Prior) String() string {
	switch p {
	case Serve:
		return "serve"
	case Yield:
		return "yield"
	case Incumbent:
		return "incumbent"
	}
	return fmt.Sprintf("Prior(%d)", uint8(p))
}

// Contested says what a BACKUP does when the peer answers for the virtual address but its adverts do not arrive.
type Contested uint8

// The values of fault_contested. The zero value is the default.
const (
	Hold Contested = iota // stay BACKUP and raise the alarm
	Take                  // take over at the master-down deadline
)

// String returns the word as it is written in the file.
func (c Contested) String() string {
	switch c {
	case Hold:
		return "hold"
	case Take:
		return "take"
	}
	return fmt.Sprintf("Contested(%d)", uint8(c))
}

// Witness is a third party whose answers show that a serving port still reaches its segment.
type Witness struct {
	Address netip.Addr
	Dev     Port // empty name: every serving port whose subnet holds Address
	Pos     Position
}

// Lease says how long the kernel keeps a virtual address that is no longer renewed. The zero value is "auto".
type Lease struct {
	Off   bool          // addresses stay for ever, as with keepalived
	Fixed time.Duration // whole seconds, 1 … 14; 0: derived from Interval
}

// Garp says how often gratuitous ARP and unsolicited neighbour advertisements are sent.
type Garp struct {
	Delay         time.Duration // second burst after becoming MASTER; 0: none
	Repeat        int           // frames for each address in a burst, at least 1
	Refresh       time.Duration // periodic burst as MASTER; 0: none
	RefreshRepeat int           // frames for each address in a periodic burst, at least 1
}

// Notify holds the notify_* scripts of an instance or a group.
type Notify struct {
	Master, Backup, Fault, Stop Script
	Any                         Script // notify: gets four more arguments
}

// Script is a command of a notify keyword, split into its arguments.
type Script struct {
	Argv []string // empty when no script is configured; Argv[0] is the program
	Pos  Position
}

// Group is one vrrp_sync_group.
type Group struct {
	Name    string
	Pos     Position
	Members []Member // in the order of the file; every Name is that of an instance, and in one group only
	Notify  Notify
}

// Member names an instance of a group.
type Member struct {
	Name string
	Pos  Position
}

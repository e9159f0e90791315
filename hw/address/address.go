// Package address puts virtual addresses and routes into the kernel of the
// network namespace it is opened in, with a lease, and takes them out again.
//
// Everything written carries the number [Protocol], so that what a previous
// run left behind can be found. An address may carry a lease: the kernel itself
// withdraws it when the lease is not renewed, which is what makes a killed or
// frozen daemon let go.
//
// Every call is one request and its answer on a socket that stays open, some
// tens of microseconds each, and takes the kernel's RTNL lock: whoever holds
// that lock makes the call wait, in a state that no deadline ends. That is why
// callers run it in an actor that is watched from outside.
package address

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Protocol is the origin number that every address (IFA_PROTO, Linux 5.18 and
// later) and every route of ours carries: VRRP's own IP protocol number.
const Protocol = 112

// MinLease and MaxLease bound a lease. The kernel counts in whole seconds, and
// the longer a lifetime the later its timer fires (0.9 s at 3 s, 2 s at 20 s).
const (
	MinLease = time.Second
	MaxLease = 14 * time.Second
)

// maxLabel is IFNAMSIZ without the terminating zero.
const maxLabel = unix.IFNAMSIZ - 1

// VIP is one virtual address on one port. Two VIPs are the same kernel object
// if Index and Prefix are equal; the kernel never changes the other fields of
// an address that exists, so a changed label is a drop and a set.
type VIP struct {
	// Prefix is the address with its own prefix length (host bits set).
	Prefix netip.Prefix
	// Index is the port's interface index, above 0.
	Index int
	// Broadcast is the IPv4 broadcast address; invalid means none is set.
	Broadcast netip.Addr
	// Label names an IPv4 address for ifconfig, at most 15 bytes; empty means
	// the kernel uses the port's name.
	Label string
	// Scope is the rtnetlink scope: 0 global, 253 link, 254 host.
	Scope uint8
}

// Route is one unicast route. See [Route.Normal] for what its zero fields mean.
type Route struct {
	// Dst is the destination; 0.0.0.0/0 and ::/0 are default routes.
	Dst netip.Prefix
	// Via is the gateway, of Dst's family; invalid means directly attached.
	Via netip.Addr
	// Index is the interface index of the port to leave by; 0 lets the kernel
	// find it from Via.
	Index int
	// Src is the preferred source address, of Dst's family; invalid means none.
	Src netip.Addr
	// Metric is the priority, lower wins; 0 is the kernel's default.
	Metric uint32
	// Table is the routing table's number; 0 is main (254).
	Table uint32
	// Scope is the rtnetlink scope; 0 is global with a gateway and, for IPv4,
	// link without one, as ip(8) has it.
	Scope uint8
}

// Normal returns r as the kernel reports it back: host bits cleared and every
// default written out. Routes from [Kernel.Owned] and [Watcher.Receive] are
// normal, so normal routes of which Index is set can be compared with ==.
func (r Route) Normal() Route {
	r.Dst = r.Dst.Masked()
	if r.Table == 0 {
		r.Table = unix.RT_TABLE_MAIN
	}
	switch v6 := r.Dst.Addr().Is6(); {
	case v6:
		// The kernel keeps no scope for IPv6 routes.
		r.Scope = unix.RT_SCOPE_UNIVERSE
		r.Metric = cmp.Or(r.Metric, defaultMetric6)
	case r.Scope == unix.RT_SCOPE_UNIVERSE && !r.Via.IsValid():
		r.Scope = unix.RT_SCOPE_LINK
	}
	return r
}

// defaultMetric6 is what the kernel makes of an IPv6 metric of 0
// (IP6_RT_PRIO_USER).
const defaultMetric6 = 1024

// Holding says what the kernel has where a VIP would be.
type Holding uint8

// The four answers of [Kernel.Held].
const (
	// Unknown is the zero value: the kernel was not asked, or gave no answer.
	Unknown Holding = iota
	// Absent: there is no such address on that port.
	Absent
	// Ours: it carries our protocol number, from this run or an earlier one.
	Ours
	// Leased: it has a lifetime but no number of ours. Before Linux 5.18, which
	// keeps no number, that is what a leased VIP of ours looks like; afterwards
	// it is somebody else's, DHCP for instance.
	Leased
	// Permanent: it has no lifetime and no number of ours: an administrator
	// configured it, and setting or dropping it would take it away from them.
	Permanent
)

// String gives the word that operators read.
func (h Holding) String() string {
	switch h {
	case Unknown:
		return "unknown"
	case Absent:
		return "absent"
	case Ours:
		return "ours"
	case Leased:
		return "leased"
	case Permanent:
		return "permanent"
	}
	return fmt.Sprintf("holding %d", uint8(h))
}

// Kernel is one rtnetlink socket in the network namespace of the thread that
// opened it. It is for one goroutine at a time: each actor opens its own.
type Kernel struct {
	conn *conn
}

// Open opens the socket. It needs no privilege; the calls that change something
// need CAP_NET_ADMIN.
func Open() (*Kernel, error) {
	c, err := dial()
	if err != nil {
		return nil, fmt.Errorf("cannot open an rtnetlink socket: %w", err)
	}
	return &Kernel{conn: c}, nil
}

// Close closes the socket. What was set stays until its lease ends.
func (k *Kernel) Close() error { return k.conn.Close() }

// SetVIP adds v, or renews its lease where it exists. The lease is rounded up
// to whole seconds and lies in [MinLease, MaxLease]; 0 means for ever, and takes
// a lease away. IPv6 addresses are usable at once, without duplicate address
// detection.
//
// SetVIP adds an address that is gone: the kernel knows no renewal that does
// not. A caller whose renewals and drops run in different actors must see to it
// that no renewal follows a drop.
//
// Errors: unix.EINVAL for a VIP that cannot be, fs.ErrPermission without
// CAP_NET_ADMIN, fs.ErrNotExist and unix.ENODEV if the port is gone.
func (k *Kernel) SetVIP(v VIP, lease time.Duration) error {
	seconds, err := wholeSeconds(lease)
	if err == nil {
		err = v.validate()
	}
	if err == nil {
		err = k.conn.change(newAddress(v, seconds))
	}
	if err != nil {
		return explain("add", v.String(), v.Prefix.Addr(), err)
	}
	return nil
}

// DropVIP removes v; that it is not there, or its port is not, is no error.
//
// Removing an IPv4 address on which others of the same subnet were added later
// removes those too, unless the port's promote_secondaries is set; [Watcher]
// reports each of them.
func (k *Kernel) DropVIP(v VIP) error {
	err := v.validate()
	if err == nil {
		err = k.conn.change(deleteAddress(v))
	}
	if err == nil || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return explain("remove", v.String(), v.Prefix.Addr(), err)
}

// Held says who put v's address on v's port, if anybody did. Only Index and
// Prefix are looked at. With an error the answer is Unknown.
func (k *Kernel) Held(v VIP) (Holding, error) {
	found, err := k.conn.addresses()
	if err != nil {
		return Unknown, explain("look for", v.String(), v.Prefix.Addr(), err)
	}
	for _, a := range found {
		if a.vip.Index == v.Index && a.vip.Prefix == v.Prefix {
			return a.holding(), nil
		}
	}
	return Absent, nil
}

// SetRoute adds r; that it exists already is no error. It is put before a route
// to the same destination with the same metric that somebody else configured
// and leaves that one alone, so that it is back in force after [Kernel.DropRoute].
// (IPv6 joins the two into one multipath route instead.)
//
// Errors: as SetVIP; unix.ENETUNREACH or unix.EHOSTUNREACH if the gateway
// cannot be reached by the addresses present, unix.ENETDOWN if the port is down.
func (k *Kernel) SetRoute(r Route) error {
	err := r.validate()
	if err == nil {
		err = k.conn.change(newRoute(r.Normal()))
	}
	if err == nil || errors.Is(err, unix.EEXIST) {
		return nil
	}
	return explain("add", r.String(), r.Dst.Addr(), err)
}

// DropRoute removes r if it carries our protocol number; that it is not there
// is no error.
func (k *Kernel) DropRoute(r Route) error {
	err := r.validate()
	if err == nil {
		err = k.conn.change(deleteRoute(r.Normal()))
	}
	if err == nil || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return explain("remove", r.String(), r.Dst.Addr(), err)
}

// Owned lists the addresses and routes that carry our protocol number: after a
// start, the leftovers of a previous run. Before Linux 5.18 addresses carry
// none and are not found; their leases end by themselves, and [Kernel.Held]
// tells about a particular one.
func (k *Kernel) Owned() (vips []VIP, routes []Route, err error) {
	found, err := k.conn.addresses()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot list the addresses of this host: %w", err)
	}
	for _, a := range found {
		if a.holding() == Ours {
			vips = append(vips, a.vip)
		}
	}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		more, err := k.conn.routes(family)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot list the routes of this host: %w", err)
		}
		routes = append(routes, more...)
	}
	return vips, slices.Clip(routes), nil
}

// wholeSeconds rounds a lease up to the kernel's unit; 0 stays 0.
func wholeSeconds(lease time.Duration) (uint32, error) {
	if lease != 0 && (lease < 0 || lease > MaxLease) {
		return 0, invalid("a lease of %v is outside %v … %v", lease, MinLease, MaxLease)
	}
	return uint32((lease + time.Second - 1) / time.Second), nil
}

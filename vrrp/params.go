package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Protocol is the IP protocol number of VRRP (RFC 9568 §5.1.1.4).
const Protocol = 112

// Family is the address family of a virtual router; the zero value is none.
type Family uint8

// The address families, numbered as the version field of their IP header.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// String returns "IPv4", "IPv6" or "family N".
func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	}
	return fmt.Sprintf("family %d", uint8(f))
}

// Group returns the multicast group that adverts are sent to: 224.0.0.18
// (RFC 9568 §5.1.1.2) or ff02::12 (§5.1.2.2). It is the zero address for no family.
func (f Family) Group() netip.Addr {
	switch f {
	case IPv4:
		return netip.AddrFrom4([4]byte{224, 0, 0, 18})
	case IPv6:
		return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x12})
	}
	return netip.Addr{}
}

// of reports whether a is an address of this family. An IPv4 address wrapped in
// IPv6 belongs to neither.
func (f Family) of(a netip.Addr) bool {
	switch f {
	case IPv4:
		return a.Is4()
	case IPv6:
		return a.Is6() && !a.Is4In6()
	}
	return false
}

// unspecified returns 0.0.0.0 or ::, the lowest address of the family.
func (f Family) unspecified() netip.Addr {
	if f == IPv6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// size returns the length of an address of this family in bytes.
func (f Family) size() int {
	if f == IPv6 {
		return 16
	}
	return 4
}

// Version is the version of the protocol; the zero value is none.
type Version uint8

// The protocol versions.
const (
	V2 Version = 2 // RFC 3768, IPv4 only
	V3 Version = 3 // RFC 9568, IPv4 and IPv6
)

// AuthType is the authentication of version 2 (RFC 2338 §5.3.6); version 3 has none.
type AuthType uint8

// The authentication types. IP Authentication Header (2) is not spoken.
const (
	AuthNone AuthType = 0
	AuthPass AuthType = 1 // clear text password of at most eight bytes
)

// Params are the settings of one virtual router on one interface.
type Params struct {
	// VRID is the virtual router identifier, 1 to 255.
	VRID uint8
	// Family is IPv4 or IPv6.
	Family Family
	// Version is V2 or V3; IPv6 needs V3.
	Version Version
	// Priority in the election, 1 to 255. 255 is the owner of the addresses: it
	// starts as MASTER and always preempts.
	Priority uint8
	// Interval between two adverts of a MASTER: whole seconds from 1 to 255 in
	// version 2, whole centiseconds from 10 ms to 40.95 s in version 3.
	Interval time.Duration
	// Preempt lets this router take over from a MASTER of lower priority.
	Preempt bool
	// PreemptDelay is how long a BACKUP obeys lower adverts before it preempts,
	// from the first one heard; 0 or more. It never delays a takeover from silence.
	PreemptDelay time.Duration
	// DownAdverts is how many adverts of a MASTER may be missed, 1 to 100; 0 means 3.
	DownAdverts int
	// Addresses are the virtual addresses that adverts carry, 1 to 255 of Family.
	Addresses []netip.Addr
	// Auth is the authentication of version 2; AuthNone in version 3.
	Auth AuthType
	// Password of AuthPass, padded with zero bytes; zero with AuthNone.
	Password [8]byte
	// Patience is how long a Consult waits for a ruling; 0 means never to consult.
	Patience time.Duration
}

// Bounds of the settings; the wire bounds are in advert.go.
const (
	maxAddresses   = 255
	maxDownAdverts = 100
)

// Validate returns everything that is wrong with p, one sentence with its remedy
// each, joined; nil if p can be given to [New].
func (p Params) Validate() error {
	var errs []error
	complain := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	complain(p.VRID == 0, "the virtual router id is 0: use 1 to 255")
	complain(p.Priority == 0, "the priority is 0, which only says goodbye: use 1 to 254, or 255 for the owner of the addresses")
	complain(p.DownAdverts < 0 || p.DownAdverts > maxDownAdverts,
		"%d missed adverts are allowed: use 1 to %d, or 0 for %d", p.DownAdverts, maxDownAdverts, defaultDownAdverts)
	complain(p.PreemptDelay < 0, "the preemption delay %v is negative: use 0 or more", p.PreemptDelay)
	complain(p.Patience < 0, "the patience %v is negative: use 0 or more", p.Patience)
	return errors.Join(append(errs, p.validateVersion(), p.validateAuth(), p.validateAddresses())...)
}

// validateVersion checks version, family and interval, which depend on each other.
func (p Params) validateVersion() error {
	switch {
	case p.Family != IPv4 && p.Family != IPv6:
		return fmt.Errorf("the address family %d is unknown: use IPv4 or IPv6", p.Family)
	case p.Version == V2 && p.Family == IPv6:
		return errors.New("version 2 has no IPv6: use version 3")
	}
	_, err := encodeInterval(p.Version, p.Interval) // which knows the versions
	return err
}

func (p Params) validateAuth() error {
	switch {
	case p.Auth != AuthNone && p.Auth != AuthPass:
		return fmt.Errorf("the authentication type %d is not spoken: use none or a password", p.Auth)
	case p.Version == V3 && p.Auth != AuthNone:
		return errors.New("version 3 has no authentication: remove it or use version 2")
	case p.Auth == AuthNone && p.Password != [8]byte{}:
		return errors.New("a password is given without password authentication: remove it or use authentication by password")
	}
	return nil
}

func (p Params) validateAddresses() error {
	if n := len(p.Addresses); n == 0 || n > maxAddresses {
		return fmt.Errorf("%d virtual addresses cannot be carried by an advert: use 1 to %d", n, maxAddresses)
	}
	if p.Family != IPv4 && p.Family != IPv6 {
		return nil // complained about already
	}
	foreign := func(a netip.Addr) bool { return !p.Family.of(a) }
	if i := slices.IndexFunc(p.Addresses, foreign); i >= 0 {
		return fmt.Errorf("the virtual address %v is not %v: give it to a virtual router of its own family", p.Addresses[i], p.Family)
	}
	return nil
}

// Advert returns what a router with these settings says at that priority, for
// the caller that performs [Send].
func (p Params) Advert(priority uint8) Advert {
	return Advert{
		Version: p.Version, VRID: p.VRID, Priority: priority, Interval: p.Interval,
		Auth: p.Auth, Password: p.Password, Addresses: p.Addresses,
	}
}

// leadsWithLinkLocal reports whether the first address is link-local, as RFC 9568
// §5.2.9 demands of IPv6 and configurations often omit.
func (p Params) leadsWithLinkLocal() bool {
	return len(p.Addresses) > 0 && p.Addresses[0].IsLinkLocalUnicast()
}

// downAdverts returns DownAdverts with its default applied.
func (p Params) downAdverts() int {
	if p.DownAdverts == 0 {
		return defaultDownAdverts
	}
	return p.DownAdverts
}

package vrrp

import (
	"net/netip"
	"slices"
	"strings"
)

// Check names the receive check that a packet failed first.
type Check uint8

// The receive checks, in the order in which they are made. Any but Accepted drops the
// packet.
const (
	// Accepted: no check failed.
	Accepted Check = iota
	// CheckFamily: source or destination is no address of the router's family.
	CheckFamily
	// CheckSource: the source is a multicast address.
	CheckSource
	// CheckTTL: TTL or hop limit is not 255, or unknown.
	CheckTTL
	// CheckVersion: another protocol version than ours.
	CheckVersion
	// CheckType: not an advertisement.
	CheckType
	// CheckTruncated: shorter than the header, the address list and, in version 2, the
	// authentication data.
	CheckTruncated
	// CheckChecksum: neither form of the checksum is right.
	CheckChecksum
	// CheckVRID: for another virtual router.
	CheckVRID
	// CheckAuthType: another authentication type than ours (version 2).
	CheckAuthType
	// CheckPassword: another password than ours (version 2).
	CheckPassword
	// CheckNoAddresses: the address list is empty (RFC 9568 erratum 8299).
	CheckNoAddresses
	// CheckZeroInterval: the interval is 0, on which every BACKUP would time out at
	// once (RFC 9568 erratum 8301).
	CheckZeroInterval
	// CheckInterval: another interval than ours (version 2, RFC 3768 §7.1).
	CheckInterval
	// CheckLinkLocal: the first IPv6 address is not link-local (RFC 9568 §5.2.9),
	// although our own first address is. A router configured without a link-local
	// address must hear others like it, or both would be MASTER.
	CheckLinkLocal
)

// NumChecks is how many values Check has, Accepted included, for arrays of counters.
const NumChecks = int(CheckLinkLocal) + 1

// checkNames are stable: counters and logs are known by them.
var checkNames = [NumChecks]string{
	Accepted:          "accepted",
	CheckFamily:       "family",
	CheckSource:       "source",
	CheckTTL:          "ttl",
	CheckVersion:      "version",
	CheckType:         "type",
	CheckTruncated:    "truncated",
	CheckChecksum:     "checksum",
	CheckVRID:         "vrid",
	CheckAuthType:     "auth-type",
	CheckPassword:     "password",
	CheckNoAddresses:  "no-addresses",
	CheckZeroInterval: "zero-interval",
	CheckInterval:     "interval",
	CheckLinkLocal:    "link-local",
}

// String returns the stable name of the check, such as "ttl" or "auth-type".
func (c Check) String() string {
	if int(c) < NumChecks {
		return checkNames[c]
	}
	return "unknown"
}

// Remarks are oddities of an accepted advert, as a set of bits. None of them drops
// it: two routers that do not hear each other are worse than any of these.
type Remarks uint8

// The remarks.
const (
	// RemarkAddresses: another set of addresses than ours.
	RemarkAddresses Remarks = 1 << iota
	// RemarkInterval: another interval than ours (version 3).
	RemarkInterval
	// RemarkOwner: somebody speaks although we own the addresses (erratum 8298).
	RemarkOwner
	// RemarkPlainChecksum: the checksum of version 3 over IPv4 leaves the pseudo header out.
	RemarkPlainChecksum
	// RemarkTrailing: bytes follow the message.
	RemarkTrailing
)

// remarkNames are in the order of the bits, and stable.
var remarkNames = [...]string{"addresses", "interval", "owner", "plain-checksum", "trailing"}

// Has reports whether every remark of other is among r.
func (r Remarks) Has(other Remarks) bool { return r&other == other }

// String returns the stable names of the remarks, separated by commas; "" for none.
func (r Remarks) String() string {
	var names []string
	for i, name := range remarkNames {
		if r.Has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// sameAddresses reports whether both lists have the same addresses, in any order. The
// order is normally the same, which costs one pass.
func sameAddresses(a, b []netip.Addr) bool {
	if len(a) != len(b) {
		return false
	}
	if slices.Equal(a, b) {
		return true
	}
	return !slices.ContainsFunc(a, func(x netip.Addr) bool { return !slices.Contains(b, x) }) &&
		!slices.ContainsFunc(b, func(x netip.Addr) bool { return !slices.Contains(a, x) })
}

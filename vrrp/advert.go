package vrrp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// The wire form (RFC 3768 §5.1, RFC 9568 §5.2): eight bytes, the addresses, and in
// version 2 always eight bytes of authentication data.
const (
	headerSize     = 8
	authSize       = 8
	checksumOffset = 6

	// typeAdvertisement is the only packet type there is.
	typeAdvertisement = 1

	maxSeconds      = 255  // Adver Int of version 2, 8 bits
	maxCentiseconds = 4095 // Max Advertise Interval of version 3, 12 bits
	centisecond     = 10 * time.Millisecond
)

// Advert is the content of one VRRP advertisement.
type Advert struct {
	Version  Version
	VRID     uint8
	Priority uint8 // 0 is the goodbye of a MASTER, 255 the owner
	// Interval of the sender: whole seconds in version 2, centiseconds in version 3.
	Interval time.Duration
	Auth     AuthType // version 2 only
	Password [8]byte  // version 2 only; zero unless Auth is AuthPass
	// Addresses are the virtual addresses, all of one family.
	Addresses []netip.Addr
}

// Append appends the protocol data unit that goes from src to dst behind an IP
// header. The checksum of version 3 covers the pseudo header over IPv4 too, the form
// of RFC 5798 that every implementation accepts (RFC 9568 §5.2.8 leaves it out there,
// and Receive takes both). The error says which field has no wire form; b is then
// returned as it came.
func (a Advert) Append(b []byte, src, dst netip.Addr) ([]byte, error) {
	src, dst = plain(src), plain(dst)
	interval, err := a.encodable(src, dst)
	if err != nil {
		return b, err
	}
	start := len(b)
	b = append(b, byte(a.Version)<<4|typeAdvertisement, a.VRID, a.Priority, byte(len(a.Addresses)))
	if a.Version == V2 {
		b = append(b, byte(a.Auth), byte(interval), 0, 0)
	} else {
		b = append(b, byte(interval>>8), byte(interval), 0, 0) // the high four bits are reserved
	}
	for _, addr := range a.Addresses {
		b = appendAddr(b, addr)
	}
	var extra uint32
	if a.Version == V2 {
		b = append(b, a.Password[:]...)
	} else {
		extra = pseudoSum(src, dst, len(b)-start)
	}
	message := b[start:]
	binary.BigEndian.PutUint16(message[checksumOffset:], ^fold(sum(message)+extra))
	return b, nil
}

// encodable checks that a has a wire form between src and dst and returns its interval
// in the unit of its version.
func (a Advert) encodable(src, dst netip.Addr) (interval uint16, err error) {
	family := IPv6
	if src.Is4() {
		family = IPv4
	}
	foreign := func(addr netip.Addr) bool { return !family.of(addr) }
	switch {
	case !src.IsValid() || foreign(dst):
		return 0, fmt.Errorf("an advert cannot go from %v to %v: both must be addresses of one family", src, dst)
	case a.Version == V2 && family == IPv6:
		return 0, errors.New("an advert of version 2 cannot go over IPv6: use version 3")
	case len(a.Addresses) == 0 || len(a.Addresses) > maxAddresses:
		return 0, fmt.Errorf("an advert cannot carry %d addresses: use 1 to %d", len(a.Addresses), maxAddresses)
	case slices.ContainsFunc(a.Addresses, foreign):
		return 0, fmt.Errorf("an advert over %v cannot carry addresses of another family: %v", family, a.Addresses)
	case a.Version == V3 && a.Auth != AuthNone:
		return 0, errors.New("an advert of version 3 cannot carry authentication: use version 2")
	}
	return encodeInterval(a.Version, a.Interval)
}

// encodeInterval returns d in the unit of the version: seconds or centiseconds.
func encodeInterval(v Version, d time.Duration) (uint16, error) {
	unit, most := centisecond, time.Duration(maxCentiseconds)
	switch v {
	case V2:
		unit, most = time.Second, maxSeconds
	case V3:
	default:
		return 0, fmt.Errorf("the protocol version %d is unknown: use 2 or 3", v)
	}
	if d%unit != 0 || d < unit || d > most*unit {
		return 0, fmt.Errorf("the advert interval %v cannot be sent in version %d: use %v to %v in steps of %v", d, v, unit, most*unit, unit)
	}
	return uint16(d / unit), nil
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		v4 := a.As4()
		return append(b, v4[:]...)
	}
	v6 := a.As16()
	return append(b, v6[:]...)
}

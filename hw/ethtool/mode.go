package ethtool

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Duplex says whether both sides may send at once.
type Duplex uint8

// The kinds of duplex. The zero value is DuplexUnknown.
const (
	DuplexUnknown Duplex = iota
	DuplexHalf
	DuplexFull
)

// String returns "unknown", "half" or "full".
func (d Duplex) String() string {
	switch d {
	case DuplexHalf:
		return "half"
	case DuplexFull:
		return "full"
	case DuplexUnknown:
	}
	return "unknown"
}

// word is the i-th word, or the number of what is younger than this program.
func word(i int, words ...string) string {
	if i < len(words) {
		return words[i]
	}
	return fmt.Sprint(i)
}

// maxModes is as many link modes as are told apart. Linux 7.x numbers 125.
const maxModes = 256

// Modes is a set of link modes, by their number in the kernel (ETHTOOL_LINK_MODE_…_BIT). It can be compared with ==; the zero
// value is empty. Modes from 256 up are left out.
type Modes [maxModes / 32]uint32

// Has says whether a mode is in the set.
func (m Modes) Has(mode int) bool {
	return mode >= 0 && mode < maxModes && m[mode/32]&(1<<(mode%32)) != 0
}

// IsEmpty says that no mode is in the set.
func (m Modes) IsEmpty() bool { return m == Modes{} }

// speeds lists the link modes that copper partners announce, and their speeds in Mbit/s. The other bits of a set name kinds of
// ports, flow control and media of which none negotiates down to sleep.
var speeds = []struct{ mode, mbit int }{
	{0, 10}, {1, 10}, {2, 100}, {3, 100}, {4, 1000}, {5, 1000}, {47, 2500}, {48, 5000}, {12, 10000},
}

// Copper is the speeds in Mbit/s of the twisted-pair modes in the set, in ascending order: what a partner that has gone to sleep
// for wake-on-LAN announces is 10 or 100 alone.
func (m Modes) Copper() (mbit []int) {
	for _, s := range speeds {
		if m.Has(s.mode) && (len(mbit) == 0 || mbit[len(mbit)-1] != s.mbit) {
			mbit = append(mbit, s.mbit)
		}
	}
	return mbit
}

// Mode is how a link runs (ETHTOOL_MSG_LINKMODES_GET; of an old kernel, ETHTOOL_GLINKSETTINGS or ETHTOOL_GSET).
type Mode struct {
	// SpeedMbit is in Mbit/s; 0 when there is no link or the driver does not say. A tap says a constant.
	SpeedMbit int
	// Duplex is DuplexUnknown when there is no link or the driver does not say.
	Duplex Duplex
	// Supported and Announced are what this port has and what it tells its partner.
	Supported, Announced Modes
	// Partner is what the partner announces. Empty means nothing: most drivers do not say, or only while the link is up. While it
	// is down, anything here may be of the past (8139cp and e1000e repeat what they saw when the link was up; phylib and tg3
	// leave it empty), so it is no proof of a partner with power. [MII] can give one.
	Partner Modes
}

// Mode asks the driver of a port how its link runs.
func (c *Client) Mode(index int) (Mode, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, err := c.mode(index)
	if err != nil {
		return Mode{}, fmt.Errorf("link mode of port %d: %w", index, err)
	}
	return m, nil
}

func (c *Client) mode(index int) (Mode, error) {
	b, err := c.ask(question{
		command: unix.ETHTOOL_MSG_LINKMODES_GET, reply: unix.ETHTOOL_MSG_LINKMODES_GET_REPLY,
		index: index, flags: unix.ETHTOOL_FLAG_COMPACT_BITSETS,
	})
	switch {
	case c.old:
		return c.oldMode(index)
	case err != nil:
		return Mode{}, err
	}
	return decodeMode(b), nil
}

// decodeMode reads a LINKMODES reply.
func decodeMode(b []byte) (m Mode) {
	for kind, v := range attributes(b) {
		switch kind {
		case unix.ETHTOOL_A_LINKMODES_OURS:
			m.Announced, m.Supported = decodeModes(v)
		case unix.ETHTOOL_A_LINKMODES_PEER:
			m.Partner, _ = decodeModes(v)
		case unix.ETHTOOL_A_LINKMODES_SPEED:
			m.SpeedMbit = speed(number[uint32](v))
		case unix.ETHTOOL_A_LINKMODES_DUPLEX:
			m.Duplex = duplex(number[uint8](v))
		}
	}
	return m
}

// decodeModes reads a compact bitset: how many bits it has, their values, and which of them count. A kernel that was asked for
// compact ones sends no others.
func decodeModes(b []byte) (value, mask Modes) {
	var bits int
	var values, masks []byte
	for kind, v := range attributes(b) {
		switch kind {
		case unix.ETHTOOL_A_BITSET_SIZE:
			bits = int(min(number[uint32](v).V, maxModes))
		case unix.ETHTOOL_A_BITSET_VALUE:
			values = v
		case unix.ETHTOOL_A_BITSET_MASK:
			masks = v
		}
	}
	return modes(values, bits), modes(masks, bits)
}

// modes reads the first bits of a bitmap of 32-bit words, as far as there are any.
func modes(b []byte, bits int) (m Modes) {
	for i := range m {
		if len(b) < 4*(i+1) || bits <= 32*i {
			break
		}
		m[i] = binary.NativeEndian.Uint32(b[4*i:])
		if over := 32*(i+1) - bits; over > 0 {
			m[i] &= 1<<(32-over) - 1
		}
	}
	return m
}

// speed keeps special values out, of which there are SPEED_UNKNOWN (all ones) and 0.
func speed(v Maybe[uint32]) int {
	const fastest = 10_000_000 // Mbit/s
	if v.V > fastest {
		return 0
	}
	return int(v.V)
}

// duplex translates DUPLEX_HALF and DUPLEX_FULL; DUPLEX_UNKNOWN is 0xff.
func duplex(v Maybe[uint8]) Duplex {
	switch {
	case v == known[uint8](0):
		return DuplexHalf
	case v == known[uint8](1):
		return DuplexFull
	}
	return DuplexUnknown
}

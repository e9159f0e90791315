package ethtool

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// What a kernel before 5.6 is asked instead: structures of linux/ethtool.h that go in with a command and come back filled.

func ethtoolCommand(b []byte, command uint32) { binary.NativeEndian.PutUint32(b, command) }

// oldLink is ETHTOOL_GLINK, the carrier and no more.
func (c *Client) oldLink(index int) (Link, error) {
	name, err := c.host.name(index)
	if err != nil {
		return Link{}, err
	}
	b := make([]byte, 8) // struct ethtool_value: command, data
	ethtoolCommand(b, unix.ETHTOOL_GLINK)
	if err := c.host.ethtool(name, b); err != nil {
		return Link{}, absent(err)
	}
	return decodeOldLink(b), nil
}

func decodeOldLink(b []byte) Link { return Link{Carrier: carrier(number[uint32](b[4:8]))} }

// absent marks the answer for an interface whose device is not present. That it exists was seen a moment ago.
func absent(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("%w (%w)", ErrDetached, err)
	}
	return err
}

// Sizes of struct ethtool_link_settings, and of struct ethtool_cmd.
const (
	settingsSize = 48
	commandSize  = 44
)

// oldMode is ETHTOOL_GLINKSETTINGS (Linux 4.6), or ETHTOOL_GSET before that.
func (c *Client) oldMode(index int) (Mode, error) {
	name, err := c.host.name(index)
	if err != nil {
		return Mode{}, err
	}
	// A driver may answer ENODEV of its own accord, for want of a PHY, so that errno proves nothing here.
	m, err := c.settings(name)
	if !IsUnsupported(err) {
		return m, err
	}
	b := make([]byte, commandSize)
	ethtoolCommand(b, unix.ETHTOOL_GSET)
	if err := c.host.ethtool(name, b); err != nil {
		return Mode{}, err
	}
	return decodeCommand(b), nil
}

// settings asks twice, since the first answer is how many words of link modes this kernel has, negated.
func (c *Client) settings(name string) (Mode, error) {
	var b [settingsSize + 3*4*127]byte // as large as the largest count would make it
	ethtoolCommand(b[:], unix.ETHTOOL_GLINKSETTINGS)
	if err := c.host.ethtool(name, b[:]); err != nil {
		return Mode{}, err
	}
	words := -int(int8(b[settingsWords]))
	if words <= 0 || words > 127 {
		return Mode{}, fmt.Errorf("the kernel counts its link modes in %d words: %w", words, errors.ErrUnsupported)
	}
	clear(b[:])
	ethtoolCommand(b[:], unix.ETHTOOL_GLINKSETTINGS)
	b[settingsWords] = uint8(words)
	if err := c.host.ethtool(name, b[:]); err != nil {
		return Mode{}, err
	}
	return decodeSettings(b[:]), nil
}

// Offsets in struct ethtool_link_settings.
const (
	settingsSpeed    = 4
	settingsDuplex   = 8
	settingsAutoneg  = 11
	settingsWords    = 15
	settingsRoleWish = 17
	settingsRole     = 18
	settingsRate     = 19
)

// decodeSettings reads a struct ethtool_link_settings with its bitmaps: supported, announced, the partner's. What kernels before
// 5.7 and 6.1 leave zero reads as unsupported, which is what it means.
func decodeSettings(b []byte) Mode {
	m := Mode{
		SpeedMbit: speed(number[uint32](b[settingsSpeed:][:4])),
		Duplex:    duplex(known(b[settingsDuplex])),
		Autoneg:   known(b[settingsAutoneg] != 0),
		RoleWish:  RoleWish(b[settingsRoleWish]),
		Role:      Role(b[settingsRole]),
	}
	if r := b[settingsRate]; r != 0 {
		m.RateMatching = known(RateMatching(r))
	}
	words, maps := int(int8(b[settingsWords])), b[settingsSize:]
	if words <= 0 || 3*4*words > len(maps) {
		return m
	}
	for i, set := range []*Modes{&m.Supported, &m.Announced, &m.Partner} {
		*set = modes(maps[4*words*i:][:4*words], 32*words)
	}
	return m
}

// decodeCommand reads a struct ethtool_cmd.
func decodeCommand(b []byte) Mode {
	word := func(offset int) uint32 { return binary.NativeEndian.Uint32(b[offset:]) }
	low, high := binary.NativeEndian.Uint16(b[12:]), binary.NativeEndian.Uint16(b[28:])
	rate := uint32(high)<<16 | uint32(low)
	if rate == 0xffff { // unknown, of a driver older than the upper half
		rate = 0
	}
	return Mode{
		SpeedMbit: speed(known(rate)),
		Duplex:    duplex(known(b[14])),
		Autoneg:   known(b[18] != 0),
		Supported: Modes{word(4)},
		Announced: Modes{word(8)},
		Partner:   Modes{word(32)},
	}
}

package ethtool

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// What a kernel before 5.6 is asked instead: structures of linux/ethtool.h that go in with a command and come back filled.

// oldLink is ETHTOOL_GLINK, the carrier and no more.
func (c *Client) oldLink(index int) (Link, error) {
	b, err := c.filled(index, unix.ETHTOOL_GLINK, valueSize)
	if err != nil {
		return Link{}, c.absent(index, err)
	}
	return decodeOldLink(b), nil
}

// valueSize is that of struct ethtool_value.
const valueSize = 8

func decodeOldLink(b []byte) Link { return Link{Carrier: carrier(number[uint32](b[4:8]))} }

// Sizes of struct ethtool_link_settings, and of struct ethtool_cmd.
const (
	settingsSize = 48
	commandSize  = 44
)

// oldMode is ETHTOOL_GLINKSETTINGS (Linux 4.6), or ETHTOOL_GSET before that. A driver may answer ENODEV of its own accord, for want
// of a PHY, so that errno proves nothing here.
func (c *Client) oldMode(index int) (Mode, error) {
	m, err := c.settings(index)
	if !IsUnsupported(err) {
		return m, err
	}
	b, err := c.filled(index, unix.ETHTOOL_GSET, commandSize)
	if err != nil {
		return Mode{}, err
	}
	return decodeCommand(b), nil
}

// settings asks twice, since the first answer is how many words of link modes this kernel has, negated.
func (c *Client) settings(index int) (Mode, error) {
	name, err := c.host.name(index)
	if err != nil {
		return Mode{}, err
	}
	const most = 127 // words, as many as a signed byte can count
	b := commanded(unix.ETHTOOL_GLINKSETTINGS, settingsSize)
	if err := c.host.ethtool(name, b); err != nil {
		return Mode{}, err
	}
	words := -int(int8(b[settingsWords]))
	if words <= 0 || words > most {
		return Mode{}, fmt.Errorf("the kernel counts its link modes in %d words: %w", words, errors.ErrUnsupported)
	}
	b = commanded(unix.ETHTOOL_GLINKSETTINGS, settingsSize+3*4*most)
	b[settingsWords] = uint8(words)
	if err := c.host.ethtool(name, b); err != nil {
		return Mode{}, err
	}
	return decodeSettings(b), nil
}

// Offsets in struct ethtool_link_settings.
const (
	settingsSpeed  = 4
	settingsDuplex = 8
	settingsWords  = 15
)

// decodeSettings reads a struct ethtool_link_settings with its bitmaps: supported, announced, the partner's.
func decodeSettings(b []byte) Mode {
	m := Mode{
		SpeedMbit: speed(number[uint32](b[settingsSpeed:][:4])),
		Duplex:    duplex(known(b[settingsDuplex])),
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
		Supported: Modes{word(4)},
		Announced: Modes{word(8)},
		Partner:   Modes{word(32)},
	}
}

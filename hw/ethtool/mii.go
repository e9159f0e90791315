package ethtool

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// miiExpansion is the register of a PHY that says how the negotiation goes (IEEE 802.3 clause 22). Register 1 is never read here:
// reading it would take the latched loss of link away from the driver. Nor is register 5, what the partner announced: it is a picture
// of the past, which PHYs keep when the cable is pulled (recorded with e1000 and 8139cp), and [Mode] has it where the driver tells it.
const miiExpansion = 6

// MII is what the registers of a copper PHY say of the partner.
type MII struct {
	// PageReceived says that a page of the partner arrived since the register was last read, by anybody. Read twice, a second
	// apart, while the link is down: true the second time is proof of a partner that negotiates now, and so has power. False is
	// proof of nothing.
	PageReceived Maybe[bool]
}

// MII reads a register of the PHY of a port, which takes CAP_NET_ADMIN. Of the common drivers, igb, tg3, bnx2x and r8169
// read the PHY; e1000e does so only while the link is up, and otherwise makes the answers up, so that PageReceived is never
// true; igc, ixgbe, i40e, ice, mlx5 and all virtual ports have none, which [IsUnsupported] says. Drivers answer ENODEV for a port
// that is administratively down, so that errno is no word about the device here.
func (c *Client) MII(index int) (MII, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, err := c.mii(index)
	if err != nil {
		return MII{}, fmt.Errorf("PHY of port %d: %w", index, err)
	}
	return m, nil
}

func (c *Client) mii(index int) (MII, error) {
	name, err := c.host.name(index)
	if err != nil {
		return MII{}, err
	}
	var d miiData
	if err := c.host.mii(name, unix.SIOCGMIIPHY, &d); err != nil {
		return MII{}, err
	}
	r := miiData{phy: d.phy, register: miiExpansion}
	if err := c.host.mii(name, unix.SIOCGMIIREG, &r); err != nil {
		return MII{}, err
	}
	return decodeMII(r.out), nil
}

// decodeMII reads the register. All ones are no answer but a bus on which nobody pulls a line.
func decodeMII(expansion uint16) (m MII) {
	const pageReceived = 1 << 1
	if expansion != 0xffff {
		m.PageReceived = known(expansion&pageReceived != 0)
	}
	return m
}

package ethtool

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Registers of a PHY (IEEE 802.3 clause 22). Register 1 is never read here: reading it would take the latched loss of link away
// from the driver.
const (
	miiPartner   = 5  // what the partner announced
	miiExpansion = 6  // how the negotiation goes
	miiGigabit   = 10 // 1000BASE-T status
)

// MII is what the registers of a copper PHY say of the partner.
type MII struct {
	// PHY is its address on the management bus.
	PHY uint8
	// Partner is register 5, what the partner announced last. It is a picture of the past, not proof of a partner with power: the
	// standard calls it valid only once negotiation has completed, and PHYs keep it when the cable is pulled (recorded with e1000
	// and 8139cp).
	Partner Maybe[uint16]
	// PageReceived says that a page of the partner arrived since this register was last read, by anybody. Read twice, a second
	// apart, while the link is down: true the second time is proof of a partner that negotiates now, and so has power. False is
	// proof of nothing.
	PageReceived Maybe[bool]
	// PartnerNegotiates says that the partner was found able to negotiate. It may be of the past like Partner.
	PartnerNegotiates Maybe[bool]
	// Role is who gives the clock of a 1000BASE-T link, or gave it.
	Role Role
}

// MII reads registers of the PHY of a port, which takes CAP_NET_ADMIN. Of the common drivers, igb, tg3, bnx2x and r8169
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
	var registers [3]Maybe[uint16]
	var first error
	for i, register := range []uint16{miiPartner, miiExpansion, miiGigabit} {
		r := miiData{phy: d.phy, register: register}
		switch err := c.host.mii(name, unix.SIOCGMIIREG, &r); {
		case err == nil:
			registers[i] = known(r.out)
		case first == nil:
			first = err
		}
	}
	if registers == [3]Maybe[uint16]{} {
		return MII{}, first
	}
	m := decodeMII(registers[0], registers[1], registers[2])
	m.PHY = uint8(d.phy & 0x1f)
	return m, nil
}

// decodeMII reads registers. All ones are no answer but a bus on which nobody pulls a line.
func decodeMII(partner, expansion, gigabit Maybe[uint16]) (m MII) {
	const (
		pageReceived      = 1 << 1  // of register 6, with the next
		partnerNegotiates = 1 << 0  //
		failed            = 1 << 15 // of register 10: the partners could not agree on their roles, with the next
		master            = 1 << 14 //
		localReceiver     = 1 << 13 // our receiver works, with which the role is settled
	)
	answered := func(r Maybe[uint16]) bool { return r.Known && r.V != 0xffff }
	if answered(partner) {
		m.Partner = partner
	}
	if answered(expansion) {
		m.PageReceived = known(expansion.V&pageReceived != 0)
		m.PartnerNegotiates = known(expansion.V&partnerNegotiates != 0)
	}
	if !answered(gigabit) {
		return m
	}
	switch v := gigabit.V; {
	case v&failed != 0:
		m.Role = RoleFailed
	case v&localReceiver == 0:
		m.Role = RoleUnknown
	case v&master != 0:
		m.Role = RoleMaster
	default:
		m.Role = RoleSlave
	}
	return m
}

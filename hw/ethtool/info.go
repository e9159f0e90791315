package ethtool

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Connector is the kind of a port, numbered as PORT_… in linux/ethtool.h.
type Connector uint8

// The kinds of connectors.
const (
	ConnectorTwistedPair  Connector = 0x00
	ConnectorAUI          Connector = 0x01
	ConnectorMII          Connector = 0x02
	ConnectorFibre        Connector = 0x03
	ConnectorBNC          Connector = 0x04
	ConnectorDirectAttach Connector = 0x05
	ConnectorNone         Connector = 0xef // an empty cage, or a backplane
	ConnectorOther        Connector = 0xff
)

// String returns a lower-case word.
func (c Connector) String() string {
	switch c {
	case ConnectorNone:
		return "none"
	case ConnectorOther:
		return "other"
	case ConnectorTwistedPair, ConnectorAUI, ConnectorMII, ConnectorFibre, ConnectorBNC, ConnectorDirectAttach:
	}
	return word(int(c), "twisted pair", "AUI", "MII", "fibre", "BNC", "direct attach")
}

// Crossing is how the pairs of a twisted-pair port are wired (ETH_TP_MDI_…).
type Crossing uint8

// The wirings.
const (
	CrossingUnknown Crossing = iota
	CrossingStraight
	CrossingCrossed
	CrossingAuto
)

// String returns "unknown", "straight", "crossed" or "auto".
func (c Crossing) String() string { return word(int(c), "unknown", "straight", "crossed", "auto") }

// Info is how a port is built (ETHTOOL_MSG_LINKINFO_GET).
type Info struct {
	Connector Maybe[Connector]
	// PHY is the PHY's address on its management bus.
	PHY Maybe[uint8]
	// Crossing is how the pairs are wired now, Wish how they were configured to be.
	Crossing, CrossingWish Crossing
	// External is whether the transceiver is outside of the MAC.
	External Maybe[bool]
}

// Info asks the driver how a port is built. An old kernel cannot be asked.
func (c *Client) Info(index int) (Info, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := c.ask(question{command: unix.ETHTOOL_MSG_LINKINFO_GET, reply: unix.ETHTOOL_MSG_LINKINFO_GET_REPLY, index: index})
	if err != nil {
		return Info{}, fmt.Errorf("kind of port %d: %w", index, err)
	}
	return decodeInfo(b), nil
}

// decodeInfo reads a LINKINFO reply.
func decodeInfo(b []byte) (i Info) {
	for kind, v := range attributes(b) {
		n := number[uint8](v)
		switch kind {
		case unix.ETHTOOL_A_LINKINFO_PORT:
			i.Connector = Maybe[Connector]{n.Known, Connector(n.V)}
		case unix.ETHTOOL_A_LINKINFO_PHYADDR:
			i.PHY = n
		case unix.ETHTOOL_A_LINKINFO_TP_MDIX:
			i.Crossing = Crossing(n.V)
		case unix.ETHTOOL_A_LINKINFO_TP_MDIX_CTRL:
			i.CrossingWish = Crossing(n.V)
		case unix.ETHTOOL_A_LINKINFO_TRANSCEIVER:
			i.External = boolean(n)
		}
	}
	return i
}

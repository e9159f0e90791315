package ethtool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// ErrModuleSilent says that the port takes modules and none could be read: the cage is empty, or the module is broken. The errno
// depends on the driver, and some give the same to ports that never take any, so it proves something only of a port whose module could
// be read before.
var ErrModuleSilent = errors.New("the port's module does not answer")

// Kind is the family of a module's memory map.
type Kind uint8

// The kinds of modules.
const (
	KindUnknown Kind = iota // of a kind that is not read here, see Module.Identifier
	KindSFP                 // SFF-8472: SFP, SFP+, SFP28
	KindQSFP                // SFF-8636: QSFP+, QSFP28
	KindCMIS                // CMIS: QSFP-DD, OSFP, DSFP and what came later
)

// String returns "unknown", "SFP", "QSFP" or "CMIS".
func (k Kind) String() string { return word(int(k), "unknown", "SFP", "QSFP", "CMIS") }

// Module is what the module in a port says of itself and of the light that it sends and gets. None of it tells a partner that is off
// from a fibre that is cut.
type Module struct {
	Kind       Kind
	Identifier uint8 // the first byte of its memory, numbered in SFF-8024
	Vendor     string
	Part       string
	Serial     string
	// Monitored is whether the module measures and reports flags. Copper cables never do.
	Monitored Maybe[bool]
	// Fault is a fault of the module as a whole (CMIS alone).
	Fault Maybe[bool]
	// Celsius is the module's temperature, Volt its supply.
	Celsius, Volt Maybe[float64]
	// Lanes has one lane of an SFP, four of a QSFP, up to eight of a CMIS module, none of a module that is not monitored. Lanes of
	// one module may belong to several ports.
	Lanes []Lane
}

// Lane is one light path of a module. Flags are known only of modules that say that they have them.
type Lane struct {
	LightLost     Maybe[bool] // no light, or no signal, is received (RX_LOS)
	TransmitFault Maybe[bool] // the transmitter is broken (TX_FAULT)
	TransmitOff   Maybe[bool] // the transmitter was switched off (TX_DISABLE)
	BiasMilliamp  Maybe[float64]
	SentMilliwatt Maybe[float64]
	GotMilliwatt  Maybe[float64]
}

// LightLost is whether no lane receives light: false if all do, unknown if some do or one does not say.
func (m Module) LightLost() Maybe[bool] {
	return m.agreed(func(l Lane) Maybe[bool] { return l.LightLost })
}

// TransmitFault is whether the transmitters of all lanes are broken, by the rule of LightLost.
func (m Module) TransmitFault() Maybe[bool] {
	return m.agreed(func(l Lane) Maybe[bool] { return l.TransmitFault })
}

// TransmitOff is whether the transmitters of all lanes were switched off, by the rule of LightLost.
func (m Module) TransmitOff() Maybe[bool] {
	return m.agreed(func(l Lane) Maybe[bool] { return l.TransmitOff })
}

// agreed is what all lanes say.
func (m Module) agreed(of func(Lane) Maybe[bool]) Maybe[bool] {
	if len(m.Lanes) == 0 {
		return Maybe[bool]{}
	}
	first := of(m.Lanes[0])
	for _, l := range m.Lanes[1:] {
		if of(l) != first {
			return Maybe[bool]{}
		}
	}
	return first
}

// Module reads the module in a port, which takes CAP_NET_ADMIN and, on a slow bus under the network configuration lock, tens of
// milliseconds, seconds if the module is broken. Read it on demand, keep the answer: reading clears latched flags of QSFP and CMIS modules, of which
// others may live. A port that takes no modules is unsupported.
func (c *Client) Module(index int) (Module, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, err := c.module(index)
	if err != nil {
		return Module{}, fmt.Errorf("module of port %d: %w", index, err)
	}
	return m, nil
}

func (c *Client) module(index int) (Module, error) {
	read := func(at place) ([]byte, error) { return c.page(index, at) }
	switch err := c.connect(); {
	case c.old:
		memory, err := c.oldMemory(index)
		if err != nil {
			return Module{}, c.silent(index, err)
		}
		read = memory
	case err != nil:
		return Module{}, err
	}
	m, err := readModule(read)
	if err != nil {
		return Module{}, c.silent(index, err)
	}
	return m, nil
}

// silent says of an error of reading a module what it is about: the port, or its module.
func (c *Client) silent(index int, err error) error {
	if errors.Is(err, ErrGone) || !slices.ContainsFunc(silences, func(e unix.Errno) bool { return errors.Is(err, e) }) {
		return err
	}
	if _, link := c.link(index); IsDetached(link) || errors.Is(link, ErrAsleep) || errors.Is(link, ErrGone) {
		return link
	}
	// The errno must not be taken for a word about the port.
	return fmt.Errorf("%w: %v", ErrModuleSilent, err)
}

// silences is what drivers answer for a module that is not there or does not speak.
var silences = []unix.Errno{unix.EIO, unix.ENXIO, unix.ENODEV, unix.EINVAL, unix.ETIMEDOUT, unix.EREMOTEIO}

// place is part of a module's memory: 128 bytes of one half of a page, as the kernel hands them out.
type place struct {
	i2c  uint8 // device on the module's bus
	page uint8
	high bool // bytes 128 … 255
}

const half = 128

// offset of the place in its page.
func (p place) offset() uint32 {
	if p.high {
		return half
	}
	return 0
}

// memory reads a place. What it returns may be shorter than half.
type memory func(place) ([]byte, error)

// Attributes of MODULE_EEPROM messages (linux/ethtool_netlink.h), which x/sys lacks.
const (
	eepromOffset = 2
	eepromLength = 3
	eepromPage   = 4
	eepromBank   = 5
	eepromDevice = 6
	eepromData   = 7
)

// page reads a place through netlink (Linux 5.13).
func (c *Client) page(index int, at place) ([]byte, error) {
	b, err := c.ask(question{
		command: unix.ETHTOOL_MSG_MODULE_EEPROM_GET, reply: unix.ETHTOOL_MSG_MODULE_EEPROM_GET_REPLY, index: index,
		more: func(ae *netlink.AttributeEncoder) {
			ae.Uint32(eepromOffset, at.offset())
			ae.Uint32(eepromLength, half)
			ae.Uint8(eepromPage, at.page)
			ae.Uint8(eepromBank, 0)
			ae.Uint8(eepromDevice, at.i2c)
		},
	})
	if err != nil {
		return nil, err
	}
	return decodePage(b), nil
}

// decodePage reads a MODULE_EEPROM reply.
func decodePage(b []byte) (page []byte) {
	for kind, v := range attributes(b) {
		if kind == eepromData {
			page = v
		}
	}
	return page
}

// Sizes of struct ethtool_modinfo and of the fixed part of struct ethtool_eeprom, and the kinds of memory (ETH_MODULE_SFF_…).
const (
	modinfoSize = 44
	eepromSize  = 16
	kind8472    = 2
)

// oldMemory is a module's memory through ETHTOOL_GMODULEINFO and ETHTOOL_GMODULEEEPROM, where all of it lies in a row.
func (c *Client) oldMemory(index int) (memory, error) {
	name, err := c.host.name(index)
	if err != nil {
		return nil, err
	}
	info := commanded(unix.ETHTOOL_GMODULEINFO, modinfoSize)
	if err := c.host.ethtool(name, info); err != nil {
		return nil, err
	}
	kind, size := binary.NativeEndian.Uint32(info[4:]), binary.NativeEndian.Uint32(info[8:])
	return func(at place) ([]byte, error) {
		offset, ok := row(at, kind)
		if !ok || offset+half > size {
			return nil, errors.ErrUnsupported
		}
		b := commanded(unix.ETHTOOL_GMODULEEEPROM, eepromSize+half)
		binary.NativeEndian.PutUint32(b[8:], offset)
		binary.NativeEndian.PutUint32(b[12:], half)
		if err := c.host.ethtool(name, b); err != nil {
			return nil, err
		}
		return b[eepromSize:], nil
	}, nil
}

// row is where a place lies when all memory lies in a row: the second device of an SFP behind the first, and no pages, whose
// order is the driver's.
func row(at place, kind uint32) (offset uint32, ok bool) {
	offset = at.offset()
	if at.i2c == deviceA2 {
		if kind != kind8472 {
			return 0, false
		}
		offset += 2 * half
	}
	return offset, at.page == 0
}

// Package ethtool asks drivers about the link of one port at a time, over the kernel's
// ethtool netlink family (Linux 5.6).
//
// What it adds to rtnetlink is the driver's own word, and one proof: a port that
// rtnetlink still lists and for which the kernel answers ENODEV is detached, its card lost
// or in reset, and never reports a carrier change until it is back. See [IsDetached].
//
// Every question takes the kernel's network configuration lock, and some make the driver
// talk to slow hardware. No deadline helps while the kernel holds the caller, so these
// calls belong into a worker that may be waited for in vain, never on the path of a decision.
package ethtool

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/mdlayher/ethtool"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// timeout bounds the wait for an answer that the kernel has accepted to give.
const timeout = 2 * time.Second

// Carrier is a driver's answer to whether its port has a link.
type Carrier uint8

// The answers. The zero value is Unknown.
const (
	Unknown Carrier = iota // the driver does not say
	Down
	Up
)

// String returns "unknown", "down" or "up".
func (c Carrier) String() string {
	switch c {
	case Down:
		return "down"
	case Up:
		return "up"
	case Unknown:
	}
	return "unknown"
}

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

// Mode is how a link runs.
type Mode struct {
	// SpeedMbit is in Mbit/s; 0 when there is no link or the driver does not say.
	SpeedMbit int
	// Duplex is DuplexUnknown when there is no link or the driver does not say.
	Duplex Duplex
	// Autoneg is true when the partners negotiate speed and duplex.
	Autoneg bool
}

// IsDetached reports whether err is the answer for a device that is not there: for a
// port that rtnetlink still lists it means that its hardware was lost or is in reset.
func IsDetached(err error) bool { return errors.Is(err, unix.ENODEV) }

// IsUnsupported reports whether err says that the kernel or the driver cannot answer,
// which tells nothing about the port.
func IsUnsupported(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, unix.EOPNOTSUPP)
}

// Client asks questions. It may be used by several goroutines, which take turns; all must
// run in the network namespace in which it was opened, because it reconnects after failures.
type Client struct {
	mu    sync.Mutex
	links *linkSource // nil: to be dialled
	modes modeSource  // nil: to be dialled

	dialLinks func() (*linkSource, error)
	dialModes func() (modeSource, error)
}

// modeSource is the part of mdlayher/ethtool that is used here.
type modeSource interface {
	LinkMode(ethtool.Interface) (*ethtool.LinkMode, error)
	Close() error
}

// Open connects to the kernel. [IsUnsupported] is true for the error of a kernel without
// ethtool netlink.
func Open() (*Client, error) {
	links, err := dialLinks()
	if err != nil {
		return nil, err
	}
	return &Client{links: links, dialLinks: dialLinks, dialModes: dialModes}, nil
}

func dialModes() (modeSource, error) {
	c, err := ethtool.New()
	if err != nil {
		return nil, unsupported(err)
	}
	return c, nil
}

func unsupported(err error) error {
	return fmt.Errorf("this kernel does not speak ethtool over netlink: %w", errors.Join(err, errors.ErrUnsupported))
}

// Close ends the connections. Questions asked later fail with fs.ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLinks()
	c.dropModes()
	c.dialLinks = func() (*linkSource, error) { return nil, fs.ErrClosed }
	c.dialModes = func() (modeSource, error) { return nil, fs.ErrClosed }
	return nil
}

// Carrier asks the driver of a port for its link. See [IsDetached] and [IsUnsupported]
// for what errors mean.
func (c *Client) Carrier(index int) (Carrier, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.links == nil {
		links, err := c.dialLinks()
		if err != nil {
			return Unknown, fmt.Errorf("link state of port %d: %w", index, err)
		}
		c.links = links
	}
	state, err := c.links.ask(index)
	if err != nil {
		// After a failure an answer may still be under way on the connection, and would
		// be taken for that of the next question.
		c.dropLinks()
		return Unknown, fmt.Errorf("link state of port %d: %w", index, err)
	}
	return state, nil
}

// Mode asks the driver of a port how its link runs. See [IsDetached] and [IsUnsupported]
// for what errors mean.
func (c *Client) Mode(index int) (Mode, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.modes == nil {
		modes, err := c.dialModes()
		if err != nil {
			return Mode{}, fmt.Errorf("link mode of port %d: %w", index, err)
		}
		c.modes = modes
	}
	m, err := fenced(c.modes, index, timeout)
	if err != nil {
		c.dropModes() // as in Carrier
		return Mode{}, fmt.Errorf("link mode of port %d: %w", index, err)
	}
	return decodeMode(m), nil
}

func (c *Client) dropLinks() {
	if c.links != nil {
		_ = c.links.conn.Close()
		c.links = nil
	}
}

func (c *Client) dropModes() {
	if c.modes != nil {
		_ = c.modes.Close()
		c.modes = nil
	}
}

// linkSource asks for link states. mdlayher/ethtool does that too, but its answer cannot
// tell a driver without an opinion from one that says "no link".
type linkSource struct {
	conn   *genetlink.Conn
	family uint16
}

func dialLinks() (*linkSource, error) {
	// Not strict: kernels before 4.20 refuse the options of that, and some of them have
	// the family from a vendor's backport.
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return nil, unsupported(err)
	}
	links, err := newLinkSource(conn)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return links, nil
}

func newLinkSource(conn *genetlink.Conn) (*linkSource, error) {
	f, err := conn.GetFamily(unix.ETHTOOL_GENL_NAME)
	if err != nil {
		return nil, unsupported(err)
	}
	return &linkSource{conn: conn, family: f.ID}, nil
}

func (l *linkSource) ask(index int) (Carrier, error) {
	body, err := linkStateRequest(index)
	if err != nil {
		return Unknown, err
	}
	if err := l.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return Unknown, err
	}
	replies, err := l.conn.Execute(genetlink.Message{
		Header: genetlink.Header{Command: unix.ETHTOOL_MSG_LINKSTATE_GET, Version: unix.ETHTOOL_GENL_VERSION},
		Data:   body,
	}, l.family, netlink.Request)
	if err != nil {
		return Unknown, err
	}
	for _, r := range replies {
		if state := decodeLinkState(r.Data); state != Unknown {
			return state, nil
		}
	}
	return Unknown, nil
}

func linkStateRequest(index int) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Nested(unix.ETHTOOL_A_LINKSTATE_HEADER, func(n *netlink.AttributeEncoder) error {
		n.Uint32(unix.ETHTOOL_A_HEADER_DEV_INDEX, uint32(index))
		return nil
	})
	return ae.Encode()
}

// decodeLinkState reads a LINKSTATE reply.
func decodeLinkState(b []byte) Carrier {
	ad, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return Unknown
	}
	state := Unknown
	for ad.Next() {
		if ad.Type() != unix.ETHTOOL_A_LINKSTATE_LINK {
			continue
		}
		if ad.Uint8() != 0 {
			state = Up
		} else {
			state = Down
		}
	}
	if ad.Err() != nil {
		return Unknown
	}
	return state
}

// fenced asks for a link mode and lets none of the library's traps out: it panics when a
// port has a link mode that is younger than its table, or when the kernel does not answer
// exactly once; and it waits without end, for which closing it is the only remedy.
func fenced(modes modeSource, index int, patience time.Duration) (m *ethtool.LinkMode, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("the kernel's answer could not be read: %v", p)
		}
	}()
	var late sync.Once
	expired := false
	watchdog := time.AfterFunc(patience, func() { late.Do(func() { expired = true; _ = modes.Close() }) })
	defer watchdog.Stop()
	m, err = modes.LinkMode(ethtool.Interface{Index: index})
	late.Do(func() {})
	if expired {
		return nil, fmt.Errorf("no answer within %v: %w", patience, unix.ETIMEDOUT)
	}
	return m, err
}

// decodeMode translates the library's numbers, whose unknown speed is 2^32-1 or, on
// platforms with a 32-bit int, -1.
func decodeMode(m *ethtool.LinkMode) Mode {
	const fastest = 10_000_000 // Mbit/s; beyond it is no speed but a special value
	mode := Mode{Autoneg: m.Autoneg == ethtool.AutonegOn}
	if m.SpeedMegabits > 0 && m.SpeedMegabits <= fastest {
		mode.SpeedMbit = m.SpeedMegabits
	}
	switch m.Duplex {
	case ethtool.Half:
		mode.Duplex = DuplexHalf
	case ethtool.Full:
		mode.Duplex = DuplexFull
	case ethtool.Unknown:
	}
	return mode
}

// Package ethtool asks drivers about one port at a time: its link and why it is down, its mode and what its partner
// announced, its module, its cable.
//
// The questions go over the kernel's ethtool netlink family (Linux 5.6, some vendors earlier) and, where there is none, through
// the ioctls that it replaced (Linux 3.10 and older). What a driver does not say stays unknown; most say little.
//
// Errors are kept apart, because they mean different things: [ErrDetached] is proof that this port is broken, [ErrGone] that
// there is no such port, [IsUnsupported] says nothing about the port, and neither does any other errno.
//
// Every question takes the kernel's network configuration lock, and some make the driver talk to slow hardware. No deadline
// helps while the kernel holds the caller, so these calls belong into a worker that may be waited for in vain, never on the path
// of a decision.
package ethtool

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// timeout bounds the wait for an answer that the kernel has accepted to give.
const timeout = 2 * time.Second

var (
	// ErrDetached says that the interface exists and its device does not: the card was lost, or is in reset. Such a port reports
	// no change of its carrier until it is back. An old kernel (no extended acknowledgements, before 4.12) does not
	// distinguish it from ErrGone; there it counts only while rtnetlink still lists the port.
	ErrDetached = errors.New("the driver has lost the device")
	// ErrAsleep says that the device is suspended to save power, which kernels before 5.15 answer like a lost one. Drivers that
	// do so (igb, igc) do it to ports without a cable, when the host lets them.
	ErrAsleep = errors.New("the device is suspended to save power")
	// ErrGone says that there is no interface of that index or name.
	ErrGone = errors.New("there is no such port")
)

// IsDetached reports whether err is [ErrDetached].
func IsDetached(err error) bool { return errors.Is(err, ErrDetached) }

// IsUnsupported reports whether err says that the kernel or the driver cannot answer, which tells nothing about the port.
func IsUnsupported(err error) bool { return errors.Is(err, errors.ErrUnsupported) }

// Maybe is a value that the driver may have given. The zero Maybe is unknown.
type Maybe[T any] struct {
	Known bool
	V     T // meaningless unless Known
}

// known is a value that was given.
func known[T any](v T) Maybe[T] { return Maybe[T]{Known: true, V: v} }

// Client asks questions. It may be used by several goroutines, which take turns; all must run in the network namespace in
// which it was opened, because it reconnects after failures.
type Client struct {
	mu      sync.Mutex
	netlink func() (*family, error) // dials
	family  *family                 // nil: to be dialled
	old     bool                    // this kernel has no ethtool netlink, so the ioctls are all there is
	plain   bool                    // this kernel refuses questions for statistics
	host    host
}

// Open connects to the kernel.
func Open() (*Client, error) {
	h, err := openHost()
	if err != nil {
		return nil, fmt.Errorf("no socket to ask drivers through: %w", err)
	}
	c := &Client{netlink: dial, host: h}
	if err := c.connect(); err != nil && !c.old {
		_ = h.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the connections. Questions asked later fail with fs.ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop()
	c.netlink = func() (*family, error) { return nil, fs.ErrClosed }
	c.old = false
	return c.host.Close()
}

// connect dials unless there is a connection. A kernel that has no ethtool netlink will not get it while it runs.
func (c *Client) connect() error {
	if c.family != nil {
		return nil
	}
	if c.old {
		return errOld
	}
	f, err := c.netlink()
	if err != nil {
		c.old = IsUnsupported(err)
		return err
	}
	c.family = f
	return nil
}

func (c *Client) drop() {
	if c.family != nil {
		_ = c.family.conn.Close()
		c.family = nil
	}
}

// ask puts one question about a port and returns the body of the reply.
func (c *Client) ask(q question) ([]byte, error) {
	if err := c.connect(); err != nil {
		return nil, err
	}
	body, err := c.family.ask(q)
	switch {
	case err == nil:
		return body, nil
	case !answered(err):
		// An answer may still be under way on the connection, and would be taken for that of the next question.
		c.drop()
	case silent(err):
		err = c.absent(q.index, err)
	}
	return nil, err
}

// absent says of the answer that a device is not present whether it is lost or only asleep. That the interface exists was seen a moment
// ago. Other errors it leaves alone.
func (c *Client) absent(index int, err error) error {
	if !errors.Is(err, unix.ENODEV) || errors.Is(err, ErrGone) {
		return err
	}
	if name, failed := c.host.name(index); failed == nil && c.host.asleep(name) {
		return fmt.Errorf("%w (%w)", ErrAsleep, err)
	}
	return fmt.Errorf("%w (%w)", ErrDetached, err)
}

// question is a request about one port.
type question struct {
	command, reply uint8 // ETHTOOL_MSG_…, of the user and of the kernel
	index          int
	flags          uint32 // ETHTOOL_FLAG_…
	more           func(*netlink.AttributeEncoder)
}

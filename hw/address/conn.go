package address

import (
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// answerTime bounds the wait for the kernel's answer. rtnetlink works inside
	// the send, so an answer that is not there at once is not coming.
	answerTime = 5 * time.Second
	// dumpTries is how often a listing that changed under our eyes is repeated.
	dumpTries = 5
	// datagram is above the largest part of a listing that the kernel sends.
	datagram = 1 << 16
)

// conn is a request-and-answer rtnetlink socket.
type conn struct {
	*netlink.Conn
}

func dial() (*conn, error) {
	c, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{MessageBufferSize: datagram})
	if err != nil {
		return nil, err
	}
	// Both are refinements that older kernels refuse: the kernel's own words in
	// an error (4.12), and listings filtered by the kernel (4.20).
	_ = c.SetOption(netlink.ExtendedAcknowledge, true)
	_ = c.SetOption(netlink.GetStrictCheck, true)
	return &conn{c}, nil
}

// change sends a request and waits for its acknowledgement.
func (c *conn) change(m netlink.Message) error {
	_, err := c.ask(m)
	return err
}

// ask sends a request and gathers its answer. Answers to an earlier request
// that was given up on are skipped.
func (c *conn) ask(m netlink.Message) ([]netlink.Message, error) {
	if err := c.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	sent, err := c.Send(m)
	if err != nil {
		return nil, err
	}
	for {
		answer, err := c.Receive()
		var op *netlink.OpError
		if errors.As(err, &op) && op.Sequence != 0 && op.Sequence != sent.Header.Sequence {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(answer) > 0 && answer[0].Header.Sequence != sent.Header.Sequence {
			continue
		}
		return answer, nil
	}
}

// list asks for a listing until one came that nothing changed meanwhile.
func (c *conn) list(kind netlink.HeaderType, head []byte) ([]netlink.Message, error) {
	request := netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Dump},
		Data:   head,
	}
	for range dumpTries {
		answer, err := c.ask(request)
		if err != nil {
			return nil, err
		}
		if !interrupted(answer) {
			return answer, nil
		}
	}
	return nil, fmt.Errorf("the listing changed %d times while it was read: %w", dumpTries, unix.EAGAIN)
}

func interrupted(messages []netlink.Message) bool {
	for _, m := range messages {
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			return true
		}
	}
	return false
}

// addresses lists every address of every port.
func (c *conn) addresses() ([]found, error) {
	answer, err := c.list(unix.RTM_GETADDR, make([]byte, addressHeader))
	if err != nil {
		return nil, err
	}
	var all []found
	for _, m := range answer {
		if m.Header.Type != unix.RTM_NEWADDR {
			continue
		}
		// One answer that cannot be read hides only itself.
		if f, err := parseAddress(m.Data); err == nil {
			all = append(all, f)
		}
	}
	return all, nil
}

// routes lists our routes of one family in every table.
func (c *conn) routes(family uint8) ([]Route, error) {
	head := make([]byte, routeHeader)
	head[0] = family
	head[5] = Protocol
	answer, err := c.list(unix.RTM_GETROUTE, head)
	if err != nil {
		return nil, err
	}
	var all []Route
	for _, m := range answer {
		if m.Header.Type != unix.RTM_NEWROUTE {
			continue
		}
		r, protocol, err := parseRoute(m.Data)
		// Kernels before 4.20 list the routes of every protocol.
		if err == nil && protocol == Protocol {
			all = append(all, r)
		}
	}
	return all, nil
}

package ethtool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// errOld is the error of every question that only netlink carries, on a kernel that has no ethtool netlink.
var errOld = fmt.Errorf("this kernel does not speak ethtool over netlink: %w", errors.ErrUnsupported)

// header is the attribute that names the port, the same in every request and reply but those of statistics.
const header = 1

// family is a connection to the ethtool family.
type family struct {
	conn    *genetlink.Conn
	id      uint16
	monitor uint32 // the group of notifications; 0 if there is none
}

func dial() (*family, error) {
	// Not strict: kernels before 4.20 refuse the options of that, and some of them have the family from a vendor's backport.
	conn, err := genetlink.Dial(nil)
	switch {
	case errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EAFNOSUPPORT):
		return nil, fmt.Errorf("%w (%w)", errOld, err)
	case err != nil:
		return nil, fmt.Errorf("no socket for ethtool netlink: %w", err)
	}
	f, err := newFamily(conn)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return f, nil
}

func newFamily(conn *genetlink.Conn) (*family, error) {
	// Extended acknowledgements tell a port that is not there from one whose device is not. A kernel without them (before
	// 4.12) answers all the same.
	_ = conn.SetOption(netlink.ExtendedAcknowledge, true)
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	g, err := conn.GetFamily(unix.ETHTOOL_GENL_NAME)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, fmt.Errorf("%w (%w)", errOld, err)
	case err != nil:
		return nil, fmt.Errorf("looking for ethtool netlink: %w", err)
	}
	f := &family{conn: conn, id: g.ID}
	for _, group := range g.Groups {
		if group.Name == unix.ETHTOOL_MCGRP_MONITOR_NAME {
			f.monitor = group.ID
		}
	}
	return f, nil
}

// ask sends a request and returns the body of its reply.
func (f *family) ask(q question) ([]byte, error) {
	sent, err := f.send(q, netlink.Request)
	if err != nil {
		return nil, err
	}
	replies, raw, err := f.conn.Receive()
	if err != nil {
		return nil, classified(err)
	}
	if err := netlink.Validate(sent, raw); err != nil {
		return nil, err
	}
	for _, r := range replies {
		if r.Header.Command == q.reply {
			return r.Data, nil
		}
	}
	return nil, fmt.Errorf("the kernel sent no reply to request %d", q.command)
}

// act sends a request that is only acknowledged.
func (f *family) act(q question) error {
	if _, err := f.send(q, netlink.Request|netlink.Acknowledge); err != nil {
		return err
	}
	_, _, err := f.conn.Receive()
	return classified(err)
}

// send hands a request to the kernel, which carries it out before it returns.
func (f *family) send(q question, flags netlink.HeaderFlags) (netlink.Message, error) {
	body, err := q.encode()
	if err != nil {
		return netlink.Message{}, err
	}
	if err := f.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return netlink.Message{}, err
	}
	sent, err := f.conn.Send(genetlink.Message{
		Header: genetlink.Header{Command: q.command, Version: unix.ETHTOOL_GENL_VERSION},
		Data:   body,
	}, f.id, flags)
	if err != nil {
		return netlink.Message{}, err
	}
	// However long the driver took: its answer lies ready now, and must not meet a deadline that passed meanwhile.
	return sent, f.conn.SetDeadline(time.Now().Add(timeout))
}

func (q question) encode() ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Nested(header, func(n *netlink.AttributeEncoder) error {
		n.Uint32(unix.ETHTOOL_A_HEADER_DEV_INDEX, uint32(q.index))
		if q.flags != 0 {
			n.Uint32(unix.ETHTOOL_A_HEADER_FLAGS, q.flags)
		}
		return nil
	})
	if q.more != nil {
		q.more(ae)
	}
	return ae.Encode()
}

// answered says that an error is the kernel's answer to the request, after which the connection is as good as before.
func answered(err error) bool {
	var op *netlink.OpError
	return errors.As(err, &op) && op.Sequence != 0
}

// classified marks the kernel's answer that there is no such port: its search blames the attribute that names it.
func classified(err error) error {
	var op *netlink.OpError
	if errors.As(err, &op) && op.Offset != 0 {
		return gone(err)
	}
	return err
}

// silent says that a refusal comes without a message. Of ENODEV that is the kernel's look whether the device is present, whereas a driver
// that answers so of its own accord (many do for the mode of a port that is administratively down, having no PHY then) comes with a
// message of its caller.
func silent(err error) bool {
	var op *netlink.OpError
	return errors.As(err, &op) && op.Message == ""
}

// attributes yields the attributes of a message or a nest: type without flags, and value. It ends at the first that does not fit
// what is left, and allocates nothing, whatever the lengths claim.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofNlAttr {
			length := int(binary.NativeEndian.Uint16(b))
			kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if length < unix.SizeofNlAttr || length > len(b) {
				return
			}
			if !yield(kind, b[unix.SizeofNlAttr:length]) {
				return
			}
			b = b[min((length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(b)):]
		}
	}
}

// number reads an unsigned number of any of the kernel's widths, so that an attribute that a later kernel widens stays readable.
func number[T uint8 | uint16 | uint32](b []byte) Maybe[T] {
	var v uint64
	switch len(b) {
	case 1:
		v = uint64(b[0])
	case 2:
		v = uint64(binary.NativeEndian.Uint16(b))
	case 4:
		v = uint64(binary.NativeEndian.Uint32(b))
	case 8:
		v = binary.NativeEndian.Uint64(b)
	default:
		return Maybe[T]{}
	}
	if uint64(T(v)) != v {
		return Maybe[T]{}
	}
	return known(T(v))
}

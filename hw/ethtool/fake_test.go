package ethtool

import (
	"encoding/binary"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	familyID  = 33
	monitorID = 5
)

// kernel is a fake one beneath the codecs: it gets the bytes of requests to the ethtool family and sends the bytes of messages.
type kernel struct {
	missing bool // it has no ethtool family
	// answer to a request, in messages whose headers are completed here.
	answer func(command uint8, body []byte) ([]netlink.Message, error)
	// news is sent to who waits without having asked.
	news []netlink.Message

	requests []netlink.Message
	options  []netlink.ConnOption
	joined   []uint32
	closed   int
}

func (k *kernel) Close() error                     { k.closed++; return nil }
func (k *kernel) SetDeadline(time.Time) error      { return nil }
func (k *kernel) SetReadDeadline(time.Time) error  { return nil }
func (k *kernel) SetWriteDeadline(time.Time) error { return nil }
func (k *kernel) JoinGroup(g uint32) error         { k.joined = append(k.joined, g); return nil }
func (k *kernel) LeaveGroup(uint32) error          { return nil }
func (k *kernel) SetOption(o netlink.ConnOption, _ bool) error {
	k.options = append(k.options, o)
	return nil
}
func (k *kernel) SendMessages([]netlink.Message) error {
	return errors.New("nobody sends several requests at once here")
}

func (k *kernel) Send(m netlink.Message) error {
	k.requests = append(k.requests, m)
	return nil
}

func (k *kernel) Receive() ([]netlink.Message, error) {
	if len(k.requests) == 0 {
		if len(k.news) == 0 {
			return nil, unix.EAGAIN
		}
		m := k.news[:1]
		k.news = k.news[1:]
		return m, nil
	}
	request := k.requests[len(k.requests)-1]
	messages, err := k.reply(request)
	for i := range messages {
		h := &messages[i].Header
		h.Sequence, h.PID = request.Header.Sequence, request.Header.PID
		if h.Type == 0 {
			h.Type = request.Header.Type
		}
	}
	return messages, err
}

func (k *kernel) ReceiveIter() iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		messages, err := k.Receive()
		if err != nil {
			yield(netlink.Message{}, err)
			return
		}
		for _, m := range messages {
			if !yield(m, nil) {
				return
			}
		}
	}
}

func (k *kernel) reply(request netlink.Message) ([]netlink.Message, error) {
	command, body := request.Data[0], request.Data[4:]
	switch {
	case request.Header.Type == familyID:
		return k.answer(command, body)
	case k.missing:
		return refused(unix.ENOENT, "", 0), nil
	}
	return replied(1, encode(func(ae *netlink.AttributeEncoder) {
		ae.Uint16(unix.CTRL_ATTR_FAMILY_ID, familyID)
		ae.String(unix.CTRL_ATTR_FAMILY_NAME, unix.ETHTOOL_GENL_NAME)
		ae.Nested(unix.CTRL_ATTR_MCAST_GROUPS, func(n *netlink.AttributeEncoder) error {
			n.Nested(1, func(n *netlink.AttributeEncoder) error {
				n.Uint32(unix.CTRL_ATTR_MCAST_GRP_ID, monitorID)
				n.String(unix.CTRL_ATTR_MCAST_GRP_NAME, unix.ETHTOOL_MCGRP_MONITOR_NAME)
				return nil
			})
			return nil
		})
	})), nil
}

// replied are messages of the family with one command, one per body.
func replied(command uint8, bodies ...[]byte) (all []netlink.Message) {
	for _, b := range bodies {
		all = append(all, netlink.Message{Data: append([]byte{command, 1, 0, 0}, b...)})
	}
	return all
}

// refused is the kernel's refusal: an errno, the request's header, and what a kernel with extended acknowledgements adds.
func refused(errno unix.Errno, text string, offset uint32) []netlink.Message {
	m := netlink.Message{Header: netlink.Header{Type: netlink.Error}}
	m.Data = binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno)))
	m.Data = binary.NativeEndian.AppendUint32(m.Data, unix.SizeofNlMsghdr)
	m.Data = append(m.Data, make([]byte, unix.SizeofNlMsghdr-4)...)
	if text != "" || offset != 0 {
		m.Header.Flags = netlink.AcknowledgeTLVs
		m.Data = append(m.Data, encode(func(ae *netlink.AttributeEncoder) {
			if text != "" {
				ae.String(unix.NLMSGERR_ATTR_MSG, text)
			}
			if offset != 0 {
				ae.Uint32(unix.NLMSGERR_ATTR_OFFS, offset)
			}
		})...)
	}
	return []netlink.Message{m}
}

// acknowledged is the answer to an action.
func acknowledged() []netlink.Message { return refused(0, "", 0) }

func encode(add func(*netlink.AttributeEncoder)) []byte {
	ae := netlink.NewAttributeEncoder()
	add(ae)
	b, err := ae.Encode()
	if err != nil {
		panic(err)
	}
	return b
}

func (k *kernel) dial() (*family, error) {
	return newFamily(genetlink.NewConn(netlink.NewConn(k, 1)))
}

// on is a client of the fake kernel, with the fake ioctls h.
func on(k *kernel, h host) *Client { return &Client{netlink: k.dial, host: h} }

// request is what a question looks like on the wire.
type request struct {
	Command      uint8
	Index, Flags uint32
}

// asked decodes the requests to the ethtool family so far.
func (k *kernel) asked(t *testing.T) (all []request) {
	t.Helper()
	for _, m := range k.requests {
		if m.Header.Type != familyID {
			continue
		}
		r := request{Command: m.Data[0]}
		ad, err := netlink.NewAttributeDecoder(m.Data[4:])
		ok(t, err)
		for ad.Next() {
			if ad.Type() != header {
				continue
			}
			ad.Nested(func(n *netlink.AttributeDecoder) error {
				for n.Next() {
					switch n.Type() {
					case unix.ETHTOOL_A_HEADER_DEV_INDEX:
						r.Index = n.Uint32()
					case unix.ETHTOOL_A_HEADER_FLAGS:
						r.Flags = n.Uint32()
					}
				}
				return nil
			})
		}
		ok(t, ad.Err())
		all = append(all, r)
	}
	return all
}

// ioctls are fake ones of a host with one port, 7 or "p1".
type ioctls struct {
	fill      func(command uint32, b []byte) error // SIOCETHTOOL
	registers map[uint16]uint16                    // of the PHY; nil: there is none
	missing   error                                // what a register that is not there gives
	sleeps    bool
}

func (f ioctls) name(index int) (string, error) {
	if index != 7 {
		return "", gone(unix.ENODEV)
	}
	return "p1", nil
}

func (f ioctls) asleep(name string) bool { return f.sleeps && name == "p1" }

func (f ioctls) ethtool(name string, b []byte) error {
	if name != "p1" || f.fill == nil {
		return unix.EOPNOTSUPP
	}
	if len(b)%4 != 0 { // all structures of the kernel are made of words
		return unix.EFAULT
	}
	return f.fill(binary.NativeEndian.Uint32(b), b)
}

func (f ioctls) mii(name string, request uint, m *miiData) error {
	switch {
	case name != "p1" || f.registers == nil:
		return unix.EOPNOTSUPP
	case request == unix.SIOCGMIIPHY:
		m.phy = 3
		return nil
	case request != unix.SIOCGMIIREG:
		return unix.EINVAL
	case m.phy != 3:
		return unix.EIO
	}
	v, ok := f.registers[m.register]
	if !ok {
		return f.missing
	}
	m.out = v
	return nil
}

func (f ioctls) Close() error { return nil }

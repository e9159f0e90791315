package port

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

const (
	// One datagram never exceeds this: the kernel builds dumps of at most 32 KiB per
	// read, and a single report only the list of virtual functions, which is not asked
	// for, could make larger than a few KiB.
	datagramSize = 64 << 10

	// How long an answer to a question may take once the kernel accepted it. The wait
	// for the kernel's own lock lies in the sending and obeys no deadline.
	answerTimeout = 2 * time.Second
)

var (
	// errOverrun says that the kernel dropped reports because nobody read them in time.
	errOverrun = errors.New("the kernel dropped port reports")
	// errInterrupted says that ports changed while they were being listed.
	errInterrupted = errors.New("ports kept changing while they were being listed")
)

// message is one rtnetlink message: its type, its flags, and the body after the header.
type message struct {
	kind  uint16
	flags uint16
	seq   uint32
	body  []byte // aliases the receive buffer
}

// messages calls each for every complete message in a datagram. What follows a
// malformed header is ignored.
func messages(b []byte, each func(message)) {
	for len(b) >= unix.NLMSG_HDRLEN {
		length := int(binary.NativeEndian.Uint32(b))
		if length < unix.NLMSG_HDRLEN || length > len(b) {
			return
		}
		each(message{
			kind:  binary.NativeEndian.Uint16(b[4:]),
			flags: binary.NativeEndian.Uint16(b[6:]),
			seq:   binary.NativeEndian.Uint32(b[8:]),
			body:  b[unix.NLMSG_HDRLEN:length],
		})
		b = b[min(align(length), len(b)):]
	}
}

// align rounds up to the four bytes that netlink pads to.
func align(n int) int { return (n + 3) &^ 3 }

// rtnl is a route netlink socket of the network namespace of the thread that opened it.
// It serves either for questions or, once it joined groups, for reports.
type rtnl struct {
	s   *socket.Conn
	buf []byte
	seq uint32 // of the last question
}

func open() (*rtnl, error) {
	s, err := socket.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE, "rtnetlink", nil)
	if err != nil {
		return nil, fmt.Errorf("cannot open a route netlink socket: %w", err)
	}
	if err := s.Bind(&unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("cannot open a route netlink socket: %w", err)
	}
	return &rtnl{s: s, buf: make([]byte, datagramSize)}, nil
}

// membership joins (NETLINK_ADD_MEMBERSHIP) or leaves (NETLINK_DROP_MEMBERSHIP) groups.
func (r *rtnl) membership(option int, groups ...int) error {
	for _, group := range groups {
		if err := r.s.SetsockoptInt(unix.SOL_NETLINK, option, group); err != nil {
			return fmt.Errorf("cannot subscribe to route netlink: %w", err)
		}
	}
	return nil
}

func (r *rtnl) close() error { return r.s.Close() }

// read waits for the next datagram from the kernel. It is valid until the next read.
// It fails with errOverrun when datagrams were dropped.
func (r *rtnl) read() ([]byte, error) {
	n, from, err := r.s.Recvfrom(context.Background(), r.buf, unix.MSG_TRUNC)
	return r.accept(n, from, err)
}

// tryRead is read without waiting: nil if nothing is queued.
func (r *rtnl) tryRead() ([]byte, error) {
	raw, err := r.s.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("reading route netlink: %w", err)
	}
	var n int
	var from unix.Sockaddr
	var failure error
	if err := raw.Control(func(fd uintptr) {
		n, from, failure = unix.Recvfrom(int(fd), r.buf, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
	}); err != nil {
		return nil, fmt.Errorf("reading route netlink: %w", err)
	}
	if errors.Is(failure, unix.EAGAIN) || errors.Is(failure, unix.EINTR) {
		return nil, nil
	}
	return r.accept(n, from, failure)
}

// accept turns the outcome of a receive into a datagram or an error. Datagrams that do
// not come from the kernel are emptied: another process may send to our port id.
func (r *rtnl) accept(n int, from unix.Sockaddr, err error) ([]byte, error) {
	switch {
	case errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM):
		return nil, errOverrun
	case err != nil:
		return nil, fmt.Errorf("reading route netlink: %w", err)
	case n > len(r.buf):
		return nil, errOverrun // cut off: as good as lost
	}
	if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
		return r.buf[:0], nil
	}
	return r.buf[:n], nil
}

// discard empties the queue and tells whether it was empty.
func (r *rtnl) discard() (quiet bool, err error) {
	for quiet = true; ; quiet = false {
		if b, err := r.tryRead(); b == nil || err != nil {
			return quiet, err
		}
	}
}

// ask sends a dump request and calls each for every message of the answer. It fails
// with errInterrupted, after the whole answer, when the kernel says that what it listed
// changed meanwhile, and with the kernel's errno when it refuses.
func (r *rtnl) ask(kind uint16, body []byte, each func(message)) error {
	// The rest of an answer that came too late for its question would refuse the next.
	if _, err := r.discard(); err != nil {
		return err
	}
	r.seq++
	request := netlink.Message{
		Header: netlink.Header{
			Length:   uint32(unix.NLMSG_HDRLEN + len(body)),
			Type:     netlink.HeaderType(kind),
			Flags:    netlink.Request | netlink.Dump,
			Sequence: r.seq,
		},
		Data: body,
	}
	b, err := request.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encoding a route netlink request: %w", err)
	}
	if err := r.s.Sendto(context.Background(), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("asking route netlink: %w", err)
	}
	if err := r.s.SetReadDeadline(time.Now().Add(answerTimeout)); err != nil {
		return fmt.Errorf("asking route netlink: %w", err)
	}
	return answer(r.read, r.seq, each)
}

// answer reads the parts of an answer until its end.
func answer(read func() ([]byte, error), seq uint32, each func(message)) error {
	var interrupted, done bool
	var refused error
	for !done {
		b, err := read()
		if err != nil {
			return err
		}
		messages(b, func(m message) {
			if m.seq != seq || done {
				return
			}
			interrupted = interrupted || m.flags&unix.NLM_F_DUMP_INTR != 0
			switch m.kind {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				done, refused = true, refusal(m.body)
			default:
				each(m)
			}
		})
	}
	if refused == nil && interrupted {
		return errInterrupted
	}
	return refused
}

// refusal reads the errno, negative or 0, that ends an answer.
func refusal(body []byte) error {
	if len(body) < 4 {
		return nil
	}
	if errno := -int32(binary.NativeEndian.Uint32(body)); errno > 0 {
		return fmt.Errorf("route netlink refused: %w", unix.Errno(errno))
	}
	return nil
}

// request is the body of a question: a fixed part of zeros and one number as an
// attribute, none if the attribute is 0.
func request(size int, attribute uint16, value uint32) []byte {
	b := make([]byte, size, size+8)
	if attribute == 0 {
		return b
	}
	b = binary.NativeEndian.AppendUint16(b, 8)
	b = binary.NativeEndian.AppendUint16(b, attribute)
	return binary.NativeEndian.AppendUint32(b, value)
}

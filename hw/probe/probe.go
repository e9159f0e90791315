// Package probe asks a segment who has an address, by ARP and by neighbour discovery, and reports who says so.
//
// Questions and answers go through packet sockets only. The kernel's neighbour tables are neither asked nor changed by a
// question, and neither the loss of the port's addresses nor routing or a firewall stands in between.
//
// The two packet sockets of a port hang on one epoll descriptor, which itself hangs in the runtime's poller. So one Receive
// waits for both without a thread of its own, and Close ends it without a race for descriptor numbers; a blocking poll(2)
// with an eventfd would cost every port a thread and a hand-made closing handshake.
package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"sync/atomic"
	"syscall"

	"github.com/mdlayher/socket"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Op is what a station says about an address.
type Op uint8

const (
	// Unknown is the zero value; Receive never returns it.
	Unknown Op = iota
	// Reply answers a question: Sender is at MAC.
	Reply
	// Request is a question for Target by Sender.
	Request
	// Gratuitous is a claim nobody asked for: gratuitous ARP of either kind or an unsolicited neighbour advertisement.
	Gratuitous
)

// String returns the name of the Op in lower case.
func (o Op) String() string {
	switch o {
	case Reply:
		return "reply"
	case Request:
		return "request"
	case Gratuitous:
		return "gratuitous"
	case Unknown:
	}
	return "unknown"
}

// Question asks who has Target.
type Question struct {
	Target netip.Addr
	// Sender is whom the answer is for. IPv4: invalid or 0.0.0.0 asks as RFC 5227 probes do, which leaves no trace at the
	// answering station; otherwise an address of this very port. IPv6: the port's link-local address, always, since a
	// question from :: is duplicate address detection and makes an address that is being tried fail.
	Sender netip.Addr
	// To is the station to ask. Zero asks everybody: by broadcast, or Target's solicited-node group.
	To [6]byte
}

// Heard is one ARP or neighbour discovery frame of another station.
type Heard struct {
	Op Op
	// Sender is the address that the frame says is at MAC: ARP's sender, the IPv6 source of a solicitation (:: or 0.0.0.0
	// from a station that has none yet), the target of an advertisement.
	Sender netip.Addr
	// MAC is the sender hardware address: ARP's, or the link-layer address option, without one the sender of the frame.
	MAC [6]byte
	// Target is the address asked for in a Request, to which a Reply was given (0.0.0.0 where the question came from it),
	// and Sender again when Gratuitous.
	Target netip.Addr
	// ToUs tells that the frame was sent to this port alone, not to everybody.
	ToUs bool
}

// Conn asks and listens on one port. One goroutine may call Receive while others call the other methods.
type Conn struct {
	name    string
	index   int
	mac     [6]byte
	sockets [2]ear
	poll    *socket.Conn
	pollFD  syscall.RawConn
	buffer  [maxFrame]byte // of the one goroutine in Receive
	turn    int            // the socket to be read first, so that a flood of ARP does not hide neighbour discovery

	closed   atomic.Bool
	rejected atomic.Uint64
}

// ear is a packet socket for one Ethernet type.
type ear struct {
	ethertype uint16
	socket    *socket.Conn
	fd        syscall.RawConn
}

// Open listens on the port with this index and name, which need be neither up nor addressed. mac is the hardware address
// that questions give as their sender's, normally the port's own. A port that comes back under another index needs another
// Conn.
//
// Without CAP_NET_RAW the error is fs.ErrPermission, without the port unix.ENODEV.
func Open(index int, name string, mac [6]byte) (*Conn, error) {
	c := &Conn{name: name, index: index, mac: mac}
	c.sockets[0].ethertype, c.sockets[1].ethertype = unix.ETH_P_ARP, unix.ETH_P_IPV6
	if err := c.open(); err != nil {
		_ = c.Close()
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("probe: cannot open packet sockets on %s, give the daemon CAP_NET_RAW: %w", name, err)
		}
		return nil, fmt.Errorf("probe: cannot open packet sockets on %s: %w", name, err)
	}
	return c, nil
}

func (c *Conn) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	if c.poll, err = socket.New(fd, "epoll"); err != nil {
		return err
	}
	if c.pollFD, err = c.poll.SyscallConn(); err != nil {
		return err
	}
	for i := range c.sockets {
		if err := c.listen(&c.sockets[i]); err != nil {
			return err
		}
	}
	return nil
}

// listen opens one socket and adds it to the poll descriptor. It is opened deaf (protocol 0), so that no frame can arrive
// before the filter and from other ports, and bound to one Ethernet type rather than to all: a socket for all types costs
// every frame the host sends a copy.
func (c *Conn) listen(e *ear) (err error) {
	if e.socket, err = socket.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, 0, "packet", nil); err != nil {
		return err
	}
	if e.fd, err = e.socket.SyscallConn(); err != nil {
		return err
	}
	var program []bpf.RawInstruction
	if e.ethertype == unix.ETH_P_ARP {
		program, err = arpFilter()
	} else {
		program, err = ndFilter()
	}
	if err != nil {
		return err
	}
	if err := e.socket.SetBPF(program); err != nil {
		return err
	}
	const urgent = 6 // TC_PRIO_INTERACTIVE, the first band of the kernel's default queue; 7 needs CAP_NET_ADMIN
	if err := e.socket.SetsockoptInt(unix.SOL_SOCKET, unix.SO_PRIORITY, urgent); err != nil {
		return err
	}
	if err := e.socket.Bind(&unix.SockaddrLinklayer{Protocol: networkOrder(e.ethertype), Ifindex: c.index}); err != nil {
		return err
	}
	var added error
	cerr := c.pollFD.Control(func(poll uintptr) {
		added = e.fd.Control(func(fd uintptr) {
			err = unix.EpollCtl(int(poll), unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
		})
	})
	return errors.Join(cerr, added, err)
}

// Close ends a waiting Receive. It may be called more than once.
func (c *Conn) Close() error {
	c.closed.Store(true)
	var errs []error
	for _, s := range []*socket.Conn{c.poll, c.sockets[0].socket, c.sockets[1].socket} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// Ask sends one question. It never waits: with the queue full the error is unix.EAGAIN or unix.ENOBUFS, with the port down
// unix.ENETDOWN, after Close fs.ErrClosed.
func (c *Conn) Ask(q Question) error {
	e, frame, to, err := c.encode(q)
	if err != nil {
		return err
	}
	address := &unix.SockaddrLinklayer{Protocol: networkOrder(e.ethertype), Ifindex: c.index, Halen: 6}
	copy(address.Addr[:], to[:])
	if cerr := e.fd.Control(func(fd uintptr) {
		err = unix.Sendto(int(fd), frame, unix.MSG_DONTWAIT, address)
		if errors.Is(err, unix.ENETDOWN) { // perhaps only the report, due once, that the port has been down
			err = unix.Sendto(int(fd), frame, unix.MSG_DONTWAIT, address)
		}
	}); cerr != nil {
		err = fs.ErrClosed
	}
	if err != nil {
		return fmt.Errorf("probe: cannot ask for %v on %s: %w", q.Target, c.name, err)
	}
	return nil
}

// encode returns a question's packet, the station or group to send it to and the socket to send it by.
func (c *Conn) encode(q Question) (e *ear, packet []byte, to [6]byte, err error) {
	known := q.To != [6]byte{}
	switch {
	case q.Target.Is4() && (!q.Sender.IsValid() || q.Sender.Is4()):
		sender := q.Sender
		if !sender.IsValid() {
			sender = netip.IPv4Unspecified()
		}
		to = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		e, packet = &c.sockets[0], appendARP(nil, c.mac, sender, q.Target)
	case q.Target.Is6() && unicast(q.Target) && q.Sender.Is6() && q.Sender.IsLinkLocalUnicast():
		group := solicitedNode(q.Target).As16()
		to = [6]byte{0x33, 0x33, group[12], group[13], group[14], group[15]}
		e, packet = &c.sockets[1], appendNS(nil, c.mac, q.Sender, q.Target, known)
	default:
		return nil, nil, to, fmt.Errorf("probe: cannot ask for %v from %v: ask for an IPv4 address from an IPv4 address or none, "+
			"for an IPv6 address from the port's link-local address", q.Target, q.Sender)
	}
	if known {
		to = q.To
	}
	return e, packet, to, nil
}

// Receive waits for the next ARP message, neighbour solicitation or advertisement that reaches this port and returns it;
// what the port sends itself it does not hear. Broken frames are passed over and counted. The port going down is no error,
// Receive goes on when it is up again; if the port is removed, it waits for Close. After Close the error is fs.ErrClosed.
func (c *Conn) Receive() (Heard, error) {
	for {
		var (
			h   Heard
			err error
		)
		waited := c.pollFD.Read(func(uintptr) bool {
			h, err = c.next()
			return !errors.Is(err, unix.EAGAIN)
		})
		_, rejected := errors.AsType[rejection](err)
		switch {
		case c.closed.Load():
			return Heard{}, fmt.Errorf("probe: receive on %s: %w", c.name, fs.ErrClosed)
		case waited != nil:
			return Heard{}, fmt.Errorf("probe: cannot wait for frames on %s: %w", c.name, waited)
		case rejected:
			c.rejected.Add(1)
		case errors.Is(err, unix.ENETDOWN): // said once each time the port goes down
		case err != nil:
			return Heard{}, fmt.Errorf("probe: cannot receive on %s: %w", c.name, err)
		default:
			return h, nil
		}
	}
}

// next reads one frame from whichever socket has one; with none the error is unix.EAGAIN.
func (c *Conn) next() (Heard, error) {
	for range c.sockets {
		e := &c.sockets[c.turn]
		c.turn = (c.turn + 1) % len(c.sockets)
		if h, err := c.take(e); !errors.Is(err, unix.EAGAIN) {
			return h, err
		}
	}
	return Heard{}, unix.EAGAIN
}

// take reads one frame from e.
func (c *Conn) take(e *ear) (Heard, error) {
	var (
		n    int
		from unix.Sockaddr
		err  error
	)
	if cerr := e.fd.Control(func(fd uintptr) { n, from, err = unix.Recvfrom(int(fd), c.buffer[:], unix.MSG_DONTWAIT) }); cerr != nil {
		return Heard{}, fs.ErrClosed
	}
	if err != nil {
		return Heard{}, err
	}
	link, ok := from.(*unix.SockaddrLinklayer)
	if !ok || link.Halen != 6 {
		return Heard{}, errOther
	}
	var h Heard
	if e.ethertype == unix.ETH_P_ARP {
		h, err = decodeARP(c.buffer[:n])
	} else {
		h, err = decodeND(c.buffer[:n], [6]byte(link.Addr[:6]))
	}
	h.ToUs = link.Pkttype == unix.PACKET_HOST
	return h, err
}

// Rejected counts frames that were broken or about something else, such as ARP for another kind of network.
func (c *Conn) Rejected() uint64 { return c.rejected.Load() }

// networkOrder stores v as the kernel wants it in a link layer address: most significant octet first in memory.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

package segment

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxFrame   = 4096 + 65536 // of QEMU, which drops the connection on more
	queueLimit = 512          // frames that wait for a machine
	queueAge   = time.Second  // for which they do
	lengthSize = 4
)

// Counters are of one port, since the segment was made.
type Counters struct {
	In        uint64 // frames from the machine
	Out       uint64 // frames to it
	Cut       uint64 // frames lost in the cut, both ways
	Dropped   uint64 // frames that the machine did not fetch in time
	Malformed uint64 // frames that are none; after a length that is none the connection is closed
}

// A Port is where a machine is plugged in.
type Port struct {
	segment  *Segment
	machine  string
	listener net.Listener
	cut      atomic.Bool

	in, out, swallowed, dropped, malformed atomic.Uint64

	mu     sync.Mutex
	line   *line // nil while nobody is connected
	closed bool
	broken error // why no further connection is accepted
}

// line is one connection of a machine.
type line struct {
	conn  net.Conn
	queue chan queued
	done  chan struct{}
}

// queued is a frame that waits.
type queued struct {
	since time.Duration
	frame []byte
}

// Machine returns who is behind the port.
func (p *Port) Machine() string { return p.machine }

// Connected tells whether the machine's end is plugged in.
func (p *Port) Connected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.line != nil
}

// Cut drops all frames from and to the machine, until it is called with false. The machine does not notice. Whoever takes
// the carrier from an adapter by QEMU's set_link cuts its port before and mends it after: otherwise a few frames of the time
// without carrier, eight or so, arrive when it is back.
func (p *Port) Cut(cut bool) { p.cut.Store(cut) }

// Counters returns what passed, and what did not.
func (p *Port) Counters() Counters {
	return Counters{In: p.in.Load(), Out: p.out.Load(), Cut: p.swallowed.Load(), Dropped: p.dropped.Load(), Malformed: p.malformed.Load()}
}

func (p *Port) label() string { return p.machine }

// listen accepts connections until the port is closed.
func (p *Port) listen(l net.Listener) {
	p.listener = l
	p.segment.tasks.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				p.mu.Lock()
				defer p.mu.Unlock()
				if !p.closed {
					p.broken = err
				}
				return
			}
			p.connect(conn)
		}
	})
}

// connect plugs a connection in. One that is there already, of a machine of which the end was not seen, is closed.
//
// While the machine's adapter is off or has no carrier, QEMU fetches nothing. What is on the way then would arrive when the
// adapter is on again, as it never does from a real cable; so as little as possible is on the way.
func (p *Port) connect(conn net.Conn) {
	if c, ok := conn.(*net.UnixConn); ok {
		c.SetWriteBuffer(1) // the kernel takes the least that it can work with; an error leaves it as it is
	}
	l := &line{conn: conn, queue: make(chan queued, queueLimit), done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		conn.Close()
		return
	}
	if p.line != nil {
		p.line.conn.Close()
	}
	p.line = l
	p.segment.tasks.Go(func() { p.read(l) })
	p.segment.tasks.Go(func() { p.write(l) })
}

// read carries frames from the machine until the connection ends.
func (p *Port) read(l *line) {
	defer p.disconnect(l)
	for {
		frame, err := readFrame(l.conn)
		if errors.Is(err, errLength) {
			p.malformed.Add(1)
		}
		if err != nil {
			return
		}
		p.in.Add(1)
		switch {
		case len(frame) < etherSize:
			p.malformed.Add(1)
		case p.cut.Load():
			p.swallowed.Add(1)
		default:
			p.segment.forward(p, frame)
		}
	}
}

// write carries frames to the machine until the connection ends.
func (p *Port) write(l *line) {
	defer l.conn.Close() // which ends the reading
	var packed []byte
	for {
		select {
		case <-l.done:
			return
		case q := <-l.queue:
			switch {
			case p.cut.Load():
				p.swallowed.Add(1)
				continue
			case p.segment.Now()-q.since > queueAge:
				p.dropped.Add(1)
				continue
			}
			packed = appendFrame(packed[:0], q.frame)
			if _, err := l.conn.Write(packed); err != nil {
				return
			}
			p.out.Add(1)
		}
	}
}

func (p *Port) disconnect(l *line) {
	l.conn.Close()
	close(l.done)
	p.mu.Lock()
	last := p.line == l
	if last {
		p.line = nil
	}
	p.mu.Unlock()
	if last {
		p.segment.forget(p)
	}
}

func (p *Port) deliver(frame []byte) {
	p.mu.Lock()
	l := p.line
	p.mu.Unlock()
	switch {
	case l == nil:
		return
	case p.cut.Load():
		p.swallowed.Add(1)
		return
	}
	select {
	case l.queue <- queued{p.segment.Now(), frame}:
	default:
		p.dropped.Add(1)
	}
}

// close ends listening and takes the plug out.
func (p *Port) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.line != nil {
		p.line.conn.Close()
	}
	if p.listener == nil {
		return p.broken
	}
	return errors.Join(p.broken, p.listener.Close())
}

// errLength says that what came is no frame, nor will what follows be one.
var errLength = errors.New("a frame's length is not one that QEMU sends")

// readFrame reads one frame with its length.
func readFrame(r io.Reader) ([]byte, error) {
	var length [lengthSize]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > maxFrame {
		return nil, errLength
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(r, frame)
	return frame, err
}

// appendFrame appends a frame with its length.
func appendFrame(b, frame []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(frame))), frame...)
}

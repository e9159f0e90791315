package nbd

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
)

// maxOpen is how many requests of one connection may be open. QEMU has 16 of them, the kernel of Linux 128.
const maxOpen = 128

// errAborted is the client's wish not to use the disk after all.
var errAborted = errors.New("the client has aborted the handshake")

// connection is one client.
type connection struct {
	disk   *Disk
	stream io.ReadWriteCloser
	input  *bufio.Reader
	places chan struct{} // one for each open request
	open   sync.WaitGroup

	mu sync.Mutex // one reply at a time
}

// serve talks to a client until either is gone, and drops what is held of it then: a machine that lost its power has written nothing
// that was not answered.
func (d *Disk) serve(ctx context.Context, stream io.ReadWriteCloser) {
	ctx, drop := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { stream.Close() })()
	c := &connection{disk: d, stream: stream, input: bufio.NewReaderSize(stream, 64<<10), places: make(chan struct{}, maxOpen)}
	if c.handshake() == nil {
		c.transmit(ctx)
	}
	drop()
	stream.Close()
	c.open.Wait()
}

// handshake is the first phase of the protocol (sections "Newstyle negotiation" and "Fixed newstyle negotiation").
// It returns nil when the client has chosen the disk.
func (c *connection) handshake() error {
	hello := binary.BigEndian.AppendUint64(nil, magicServer)
	hello = binary.BigEndian.AppendUint64(hello, magicOption)
	hello = binary.BigEndian.AppendUint16(hello, flagFixedNewstyle|flagNoZeroes)
	if _, err := c.stream.Write(hello); err != nil {
		return err
	}
	var word [4]byte
	if _, err := io.ReadFull(c.input, word[:]); err != nil {
		return err
	}
	flags := binary.BigEndian.Uint32(word[:])
	if flags&^(flagFixedNewstyle|flagNoZeroes) != 0 {
		return fmt.Errorf("client flags %#x: %w", flags, syscall.EPROTO)
	}
	for {
		o, err := readOption(c.input)
		if err != nil {
			return err
		}
		reply, chosen, err := c.haggle(o, flags&flagNoZeroes == 0)
		if len(reply) > 0 {
			if _, failed := c.stream.Write(reply); failed != nil {
				return failed
			}
		}
		if chosen || err != nil {
			return err
		}
	}
}

// haggle answers one option: with what, and whether that ends the handshake.
func (c *connection) haggle(o option, zeroes bool) (reply []byte, chosen bool, err error) {
	switch o.kind {
	case optionExportName: // which has no reply that could refuse a name
		if len(o.data) != 0 {
			return nil, false, fmt.Errorf("export %q: %w", o.data, syscall.ENOENT)
		}
		reply = c.describe(nil)
		if zeroes {
			reply = append(reply, make([]byte, 124)...)
		}
		return reply, true, nil
	case optionAbort:
		return o.reply(nil, replyAck), false, errAborted
	case optionInfo, optionGo:
		name, informations, ok := parseGo(o.data)
		switch {
		case !ok:
			return o.reply(nil, replyInvalid), false, nil
		case name != "":
			return o.reply(nil, replyUnknown), false, nil
		}
		reply = o.reply(nil, replyInfo, c.describe(binary.BigEndian.AppendUint16(nil, infoExport))...)
		if slices.Contains(informations, infoBlockSize) {
			reply = o.reply(reply, replyInfo, blockSizes()...)
		}
		return o.reply(reply, replyAck), o.kind == optionGo, nil
	}
	return o.reply(nil, replyUnsup), false, nil
}

// describe appends the size of the disk and what can be done with it.
func (c *connection) describe(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(c.disk.content.size))
	return binary.BigEndian.AppendUint16(b, transmissionFlags)
}

// blockSizes is what NBD_INFO_BLOCK_SIZE says: requests may begin and end at any byte (section "Block size constraints").
func blockSizes() []byte {
	b := binary.BigEndian.AppendUint16(nil, infoBlockSize)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, preferred)
	return binary.BigEndian.AppendUint32(b, maxRequest)
}

// transmit is the second phase (section "Transmission"): requests are taken as they come and done side by side, so that one that hangs
// holds up no other, until the client says that it leaves, or is gone, or makes no sense.
func (c *connection) transmit(ctx context.Context) {
	for {
		q, err := readRequest(c.input)
		if err != nil {
			return
		}
		if q.command == commandDisconnect {
			c.leave()
			return
		}
		if !c.take(ctx, q) {
			return
		}
	}
}

// take begins one request. It is false when there is no sense in waiting for another.
func (c *connection) take(ctx context.Context, q request) bool {
	errno := q.check(uint64(c.disk.content.size))
	if errno == 0 {
		select {
		case c.places <- struct{}{}:
		default: // and not to wait for one, which would leave unnoticed that the client is gone
			errno = syscall.ENOMEM
		}
	}
	if errno != 0 {
		if q.command == commandWrite && !c.skip(q.length) {
			return false
		}
		return c.reply(q.answer(errno, 0))
	}
	var data []byte
	if q.command == commandWrite {
		var err error
		if data, err = readData(c.input, int(q.length)); err != nil {
			return false
		}
	}
	c.open.Go(func() {
		defer func() { <-c.places }()
		if reply := c.do(ctx, q, data); reply != nil {
			c.reply(reply)
		}
	})
	return true
}

// skip reads past the data of a write that is refused, unless it is longer than any may be: then the server may hang up
// (section "Block size constraints").
func (c *connection) skip(length uint32) bool {
	if length > maxRequest {
		return false
	}
	_, err := c.input.Discard(int(length))
	return err == nil
}

// do waits for as long as the trouble of the disk has it, and does what is asked then. Nil is for a client that is gone.
func (c *connection) do(ctx context.Context, q request, data []byte) []byte {
	way := writing
	if q.command == commandRead {
		way = reading
	}
	c.disk.arrived[way].Add(1)
	errno, ok := c.disk.endure(ctx, way)
	switch {
	case !ok:
		return nil
	case errno != 0:
		return q.answer(errno, 0)
	}
	content, offset, length := &c.disk.content, int64(q.offset), int64(q.length)
	var err error
	switch q.command {
	case commandRead:
		reply := q.answer(0, int(length))
		reply = reply[:len(reply)+int(length)]
		if err = content.read(reply[len(reply)-int(length):], offset); err == nil {
			return reply
		}
	case commandWrite:
		err = content.write(data, offset)
	case commandTrim, commandWriteZeroes: // what is trimmed may be anything then (section "Request types"), so also this
		err = content.zero(offset, length)
	}
	if err != nil {
		errno = syscall.EIO // of the base
	}
	return q.answer(errno, 0)
}

// reply sends one answer. A client that does not get it is gone, and is left.
func (c *connection) reply(b []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.stream.Write(b); err != nil {
		c.stream.Close()
		return false
	}
	return true
}

// leave has the open requests answered to a client that wants no others (section "Request types", NBD_CMD_DISC), for as long as it
// waits for that.
func (c *connection) leave() {
	c.disk.running.Go(func() {
		c.open.Wait()
		c.stream.Close()
	})
	_, _ = io.Copy(io.Discard, c.input)
}

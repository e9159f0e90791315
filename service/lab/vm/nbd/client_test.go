package nbd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// client is the other end of a connection, and no larger than the tests need.
type client struct {
	t       *testing.T
	stream  net.Conn
	lengths map[uint64]int // of reads, by cookie
}

// greet takes the first words of a server and answers with flags.
func greet(t *testing.T, stream net.Conn, flags uint32) *client {
	t.Helper()
	c := &client{t: t, stream: stream, lengths: map[uint64]int{}}
	want := []byte("NBDMAGICIHAVEOPT\x00\x03")
	if got := c.read(len(want)); !bytes.Equal(got, want) {
		t.Fatalf("the server says %q", got)
	}
	c.write(binary.BigEndian.AppendUint32(nil, flags))
	return c
}

// use is a client of a disk that has chosen it.
func use(t *testing.T, stream net.Conn) *client {
	t.Helper()
	c := greet(t, stream, flagFixedNewstyle|flagNoZeroes)
	c.write(optionOf(optionExportName, nil))
	c.read(10)
	return c
}

// pipe is a connection to a disk without a socket.
func pipe(t *testing.T, d *Disk) net.Conn {
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.serve(t.Context(), there)
	}()
	t.Cleanup(func() {
		here.Close()
		<-done
	})
	return here
}

// read takes so many bytes, which have to come.
func (c *client) read(length int) []byte {
	c.t.Helper()
	b := make([]byte, length)
	if _, err := io.ReadFull(c.stream, b); err != nil {
		c.t.Fatalf("read %d bytes: %v", length, err)
	}
	return b
}

// write sends bytes, which have to be taken.
func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.stream.Write(b); err != nil {
		c.t.Fatalf("write %d bytes: %v", len(b), err)
	}
}

// ended fails unless the server has hung up without another word.
func (c *client) ended() {
	c.t.Helper()
	if n, err := c.stream.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		c.t.Fatalf("instead of an end there are %d bytes, %v", n, err)
	}
}

// optionOf is an option as it is sent.
func optionOf(kind uint32, data []byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, magicOption)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

// goData is the data of NBD_OPT_GO.
func goData(name string, informations ...uint16) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(name)))
	b = append(b, name...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(informations)))
	for _, i := range informations {
		b = binary.BigEndian.AppendUint16(b, i)
	}
	return b
}

// requestOf is a request as it is sent.
func requestOf(q request, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magicRequest)
	b = binary.BigEndian.AppendUint16(b, q.flags)
	b = binary.BigEndian.AppendUint16(b, q.command)
	b = binary.BigEndian.AppendUint64(b, q.cookie)
	b = binary.BigEndian.AppendUint64(b, q.offset)
	b = binary.BigEndian.AppendUint32(b, q.length)
	return append(b, data...)
}

// send sends a request and waits for nothing.
func (c *client) send(q request, data []byte) {
	c.t.Helper()
	if q.command == commandRead {
		c.lengths[q.cookie] = int(q.length)
	}
	c.write(requestOf(q, data))
}

// answer is what came back.
type answer struct {
	cookie uint64
	errno  syscall.Errno
	data   []byte
}

// next takes the next reply.
func (c *client) next() answer {
	c.t.Helper()
	head := c.read(16)
	if magic := binary.BigEndian.Uint32(head); magic != magicReply {
		c.t.Fatalf("a reply begins with %#x", magic)
	}
	a := answer{cookie: binary.BigEndian.Uint64(head[8:]), errno: syscall.Errno(binary.BigEndian.Uint32(head[4:]))}
	if a.errno == 0 {
		a.data = c.read(c.lengths[a.cookie])
	}
	return a
}

// do sends a request and waits for its answer.
func (c *client) do(q request, data []byte) answer {
	c.t.Helper()
	c.send(q, data)
	a := c.next()
	if a.cookie != q.cookie {
		c.t.Fatalf("a reply to %d, and %d was asked", a.cookie, q.cookie)
	}
	return a
}

// put writes, which has to be done.
func (c *client) put(offset uint64, data string) {
	c.t.Helper()
	if a := c.do(request{command: commandWrite, cookie: 7, offset: offset, length: uint32(len(data))}, []byte(data)); a.errno != 0 {
		c.t.Fatalf("write %q at %d: %v", data, offset, a.errno)
	}
}

// get reads, which has to be possible.
func (c *client) get(offset uint64, length uint32) string {
	c.t.Helper()
	a := c.do(request{command: commandRead, cookie: 8, offset: offset, length: length}, nil)
	if a.errno != 0 {
		c.t.Fatalf("read at %d: %v", offset, a.errno)
	}
	return string(a.data)
}

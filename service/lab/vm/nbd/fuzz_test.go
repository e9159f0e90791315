package nbd

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// recording is a client that has said all it will, and whose connection breaks then.
type recording struct {
	io.Reader
	mu   sync.Mutex
	said bytes.Buffer // by the server
}

func (r *recording) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.Write(b)
}

func (*recording) Close() error { return nil }

// FuzzConnection: whatever a client says, the server ends with it, says nothing that is no reply of the protocol, changes no more than it
// was told to, and takes memory for what has come and not for what was promised.
func FuzzConnection(f *testing.F) {
	const size = 2*chunkSize + 100
	hello := func(flags uint32, rest ...[]byte) []byte {
		return slices.Concat(binary.BigEndian.AppendUint32(nil, flags), slices.Concat(rest...))
	}
	choose := optionOf(optionGo, goData("", infoBlockSize))
	f.Add(hello(3, choose, requestOf(request{command: commandWrite, offset: 9, length: 3}, []byte("xyz")), requestOf(request{command: commandRead, length: 99}, nil)))
	f.Add(hello(3, optionOf(optionExportName, nil), requestOf(request{command: commandTrim, length: size}, nil), requestOf(request{command: commandDisconnect}, nil)))
	f.Add(hello(1, optionOf(8, nil), optionOf(optionInfo, goData("other")), optionOf(optionAbort, nil)))
	f.Add(hello(3, choose, requestOf(request{command: commandWrite, length: maxRequest}, nil)))
	f.Add(hello(3, choose, requestOf(request{command: commandWrite, offset: 1 << 63, length: maxRequest}, []byte("xyz"))))
	f.Add(hello(3, optionOf(77, make([]byte, 300))[:200]))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		d := newDisk(strings.NewReader("base"), size)
		client := &recording{Reader: bytes.NewReader(sent)}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d.serve(t.Context(), client)
		runtime.ReadMemStats(&after)
		requests := uint64(len(sent) / 28) // each has a reply as long as the disk at most, and copies three chunks at most
		bound := 4<<20 + 4*uint64(len(sent)) + requests*2*(size+chunkSize)
		if got := after.TotalAlloc - before.TotalAlloc; got > bound {
			t.Errorf("%d bytes of a client took %d bytes of memory", len(sent), got)
		}
		sensible(t, client.said.Bytes(), sent)
		if d.Held() != 0 || d.Reads()+d.Writes() > requests {
			t.Errorf("%d requests are held, %d reads and %d writes have come in %d bytes", d.Held(), d.Reads(), d.Writes(), len(sent))
		}
		if d.Writes() == 0 {
			got := make([]byte, 5)
			if err := d.content.read(got, 0); err != nil || string(got) != "base\x00" {
				t.Errorf("nothing was written, and the disk begins with %q, %v", got, err)
			}
		}
	})
}

// sensible reads what the server said a second time: the greeting, then replies to options, each to one that the client has sent.
func sensible(t *testing.T, said, sent []byte) {
	t.Helper()
	rest, ok := bytes.CutPrefix(said, []byte("NBDMAGICIHAVEOPT\x00\x03"))
	if !ok {
		t.Fatalf("the server begins with %q", said[:min(len(said), 18)])
	}
	magic := binary.BigEndian.AppendUint64(nil, magicOptionReply)
	for bytes.HasPrefix(rest, magic) {
		if len(rest) < 20 || uint64(len(rest)-20) < uint64(binary.BigEndian.Uint32(rest[16:])) {
			t.Fatalf("half a reply: %q", rest)
		}
		if !bytes.Contains(sent, append([]byte("IHAVEOPT"), rest[8:12]...)) {
			t.Fatalf("a reply to option %d, which nobody sent", binary.BigEndian.Uint32(rest[8:]))
		}
		rest = rest[20+binary.BigEndian.Uint32(rest[16:]):]
	}
}

// FuzzRequest: a request is read as it was sent, and what passes the check lies on the disk.
func FuzzRequest(f *testing.F) {
	f.Add(requestOf(request{command: commandRead, offset: 4096, length: 512}, nil), uint64(1<<20))
	f.Add(requestOf(request{command: commandTrim, offset: 1<<64 - 1, length: 2}, nil), uint64(1<<20))
	f.Add(requestOf(request{command: commandWriteZeroes, flags: flagNoHole, length: 1<<32 - 1}, nil), uint64(1<<63-1))
	f.Add([]byte{0x25, 0x60}, uint64(1))
	f.Fuzz(func(t *testing.T, sent []byte, size uint64) {
		q, err := readRequest(bytes.NewReader(sent))
		if err != nil {
			if q != (request{}) {
				t.Fatalf("%+v beside error %v", q, err)
			}
			return
		}
		if again := requestOf(q, nil); !bytes.Equal(again, sent[:len(again)]) {
			t.Fatalf("%x was read as %x", sent, again)
		}
		errno := q.check(size)
		if end := q.offset + uint64(q.length); errno == 0 && q.command != commandFlush && (end < q.offset || end > size) {
			t.Fatalf("%+v is accepted by a disk of %d bytes", q, size)
		}
		if moved := q.command == commandRead || q.command == commandWrite; errno == 0 && moved && q.length > maxRequest {
			t.Fatalf("%+v is accepted", q)
		}
		if errno != 0 && errno != syscall.EINVAL && errno != syscall.ENOSPC {
			t.Fatalf("%+v: %v", q, errno)
		}
	})
}

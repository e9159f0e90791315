package nbd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// flagsWanted are the transmission flags of the protocol's table that are promised: HAS_FLAGS, FLUSH, FUA, TRIM, WRITE_ZEROES.
const flagsWanted = "\x00\x6d"

// optionReply is an answer to an option as it comes.
func optionReply(kind, reply uint32, data string) string {
	b := binary.BigEndian.AppendUint64(nil, 0x3e889045565a9)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint32(b, reply)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	return string(b) + data
}

func TestHandshake(t *testing.T) {
	const (
		size     = "\x00\x00\x00\x00\x00\x03\x00\x00" // of the disk
		export   = "\x00\x00" + size + flagsWanted
		blocks   = "\x00\x03\x00\x00\x00\x01\x00\x00\x10\x00\x02\x00\x00\x00"
		refused  = 1<<31 + 1
		nonsense = 1<<31 + 3
		unknown  = 1<<31 + 6
	)
	tests := []struct {
		name    string
		flags   uint32
		options []string
		want    string
		chosen  bool // and else the server hangs up
		stays   bool // neither: it waits for another option
	}{
		{name: "export name", flags: 3, options: []string{string(optionOf(1, nil))}, want: size + flagsWanted, chosen: true},
		{name: "export name with zeroes", flags: 1, options: []string{string(optionOf(1, nil))}, want: size + flagsWanted + strings.Repeat("\x00", 124), chosen: true},
		{name: "newstyle that is not fixed", flags: 0, options: []string{string(optionOf(1, nil))}, want: size + flagsWanted + strings.Repeat("\x00", 124), chosen: true},
		{name: "another export", flags: 3, options: []string{string(optionOf(1, []byte("other")))}},
		{name: "abort", flags: 3, options: []string{string(optionOf(2, nil))}, want: optionReply(2, 1, "")},
		{name: "go", flags: 3, options: []string{string(optionOf(7, goData("")))}, want: optionReply(7, 3, export) + optionReply(7, 1, ""), chosen: true},
		{name: "go with block sizes", flags: 3, options: []string{string(optionOf(7, goData("", 1, 3)))}, chosen: true,
			want: optionReply(7, 3, export) + optionReply(7, 3, blocks) + optionReply(7, 1, "")},
		{name: "info and go", flags: 3, options: []string{string(optionOf(6, goData(""))), string(optionOf(7, goData("")))}, chosen: true,
			want: optionReply(6, 3, export) + optionReply(6, 1, "") + optionReply(7, 3, export) + optionReply(7, 1, "")},
		{name: "go to another export", flags: 3, options: []string{string(optionOf(7, goData("other")))}, want: optionReply(7, unknown, ""), stays: true},
		{name: "go without data", flags: 3, options: []string{string(optionOf(7, nil))}, want: optionReply(7, nonsense, ""), stays: true},
		{name: "go with a name that is not there", flags: 3, options: []string{string(optionOf(7, []byte("\xff\xff\xff\xffab")))}, want: optionReply(7, nonsense, ""), stays: true},
		{name: "go with informations that are not there", flags: 3, options: []string{string(optionOf(7, []byte("\x00\x00\x00\x00\x00\x02\x00\x03")))}, want: optionReply(7, nonsense, ""), stays: true},
		{name: "go with something behind", flags: 3, options: []string{string(optionOf(7, append(goData(""), 0)))}, want: optionReply(7, nonsense, ""), stays: true},
		{name: "what QEMU asks first", flags: 3, options: []string{string(optionOf(8, nil)), string(optionOf(7, goData("")))}, chosen: true,
			want: optionReply(8, refused, "") + optionReply(7, 3, export) + optionReply(7, 1, "")},
		{name: "unknown with data", flags: 3, options: []string{string(optionOf(77, make([]byte, 1000))), string(optionOf(2, nil))}, want: optionReply(77, refused, "") + optionReply(2, 1, "")},
		{name: "unknown flags", flags: 4, options: nil},
		{name: "too much data", flags: 3, options: []string{string(optionOf(77, make([]byte, maxOption+1)))[:16]}},
		{name: "garbage", flags: 3, options: []string{"GET / HTTP/1.1\r\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := greet(t, pipe(t, newDisk(strings.NewReader(""), 3<<16)), tt.flags)
				go func() {
					for _, o := range tt.options {
						_, _ = c.stream.Write([]byte(o))
					}
				}()
				if diff := cmp.Diff(tt.want, string(c.read(len(tt.want)))); diff != "" {
					t.Error(diff)
				}
				switch {
				case tt.chosen:
					if got := c.get(0, 4); got != "\x00\x00\x00\x00" {
						t.Errorf("read %q", got)
					}
				case tt.stays:
					c.write(optionOf(optionAbort, nil))
					c.read(20)
					c.ended()
				default:
					c.ended()
				}
			})
		})
	}
}

func TestRequests(t *testing.T) {
	const size = 3<<16 - 100
	tests := []struct {
		name  string
		ask   request
		data  string
		errno syscall.Errno
		want  string // read afterwards, from the beginning on
	}{
		{name: "read", ask: request{command: commandRead, offset: 1, length: 3}},
		{name: "read nothing", ask: request{command: commandRead, offset: size}},
		{name: "write", ask: request{command: commandWrite, offset: 1, length: 3}, data: "xyz", want: "axyze"},
		{name: "write, FUA", ask: request{command: commandWrite, flags: flagFUA, offset: 1, length: 3}, data: "xyz", want: "axyze"},
		{name: "write nothing", ask: request{command: commandWrite, offset: size}},
		{name: "trim", ask: request{command: commandTrim, offset: 1, length: 2}, want: "a\x00\x00de"},
		{name: "write zeroes", ask: request{command: commandWriteZeroes, offset: 0, length: size}, want: "\x00\x00\x00\x00\x00"},
		{name: "write zeroes, no hole", ask: request{command: commandWriteZeroes, flags: flagNoHole | flagFUA, offset: 4, length: 1}, want: "abcd\x00"},
		{name: "flush", ask: request{command: commandFlush}},
		{name: "read behind the end", ask: request{command: commandRead, offset: size - 1, length: 2}, errno: syscall.EINVAL},
		{name: "read far behind the end", ask: request{command: commandRead, offset: 1<<64 - 1, length: 2}, errno: syscall.EINVAL},
		{name: "read too much", ask: request{command: commandRead, length: maxRequest + 1}, errno: syscall.EINVAL},
		{name: "write behind the end", ask: request{command: commandWrite, offset: size - 2, length: 3}, data: "xyz", errno: syscall.ENOSPC},
		{name: "trim behind the end", ask: request{command: commandTrim, offset: size - 2, length: 3}, errno: syscall.EINVAL},
		{name: "write zeroes behind the end", ask: request{command: commandWriteZeroes, length: 1<<32 - 1}, errno: syscall.ENOSPC},
		{name: "unknown command", ask: request{command: 7}, errno: syscall.EINVAL},
		{name: "unknown flag of a read", ask: request{command: commandRead, flags: 4, length: 1}, errno: syscall.EINVAL},
		{name: "unknown flag of a write", ask: request{command: commandWrite, flags: flagNoHole, length: 3}, data: "xyz", errno: syscall.EINVAL},
		{name: "unknown flag of a flush", ask: request{command: commandFlush, flags: 2}, errno: syscall.EINVAL},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(strings.NewReader("abcdefg"), size)
				c := use(t, pipe(t, d))
				tt.ask.cookie = 1<<63 + 5
				a := c.do(tt.ask, []byte(tt.data))
				if a.errno != tt.errno {
					t.Errorf("%v instead of %v", a.errno, tt.errno)
				}
				if tt.ask.command == commandRead && a.errno == 0 && string(a.data) != "bcd"[:tt.ask.length] {
					t.Errorf("read %q", a.data)
				}
				counted := d.Reads() + d.Writes()
				if (tt.errno == 0) != (counted == 1) {
					t.Errorf("%d requests are counted", counted)
				}
				if tt.want == "" {
					tt.want = "abcde"
				}
				if got := c.get(0, 5); got != tt.want { // and so the stream is still in step
					t.Errorf("the disk begins with %q instead of %q", got, tt.want)
				}
			})
		})
	}
}

// TestNoRequests: what makes no sense ends the connection, and nothing else.
func TestNoRequests(t *testing.T) {
	wrong := requestOf(request{command: commandRead, length: 1}, nil)
	wrong[0]++
	for name, sent := range map[string][]byte{
		"garbage":         bytes.Repeat([]byte("no"), 14),
		"wrong magic":     wrong,
		"write too large": requestOf(request{command: commandWrite, length: maxRequest + 1}, nil),
		"disconnect":      requestOf(request{command: commandDisconnect}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(strings.NewReader("abc"), 3)
				c := use(t, pipe(t, d))
				c.write(sent)
				c.ended()
				if got := use(t, pipe(t, d)).get(0, 3); got != "abc" {
					t.Errorf("the next client reads %q", got)
				}
			})
		})
	}
}

// TestTruncated: a client that goes away in the middle of anything has done nothing, and leaves nothing behind, which synctest
// would miss.
func TestTruncated(t *testing.T) {
	whole := binary.BigEndian.AppendUint32(nil, 3)
	whole = append(whole, optionOf(optionGo, goData(""))...)
	whole = append(whole, requestOf(request{command: commandWrite, length: 5}, []byte("vwxyz"))...)
	for length := range len(whole) {
		synctest.Test(t, func(t *testing.T) {
			d := newDisk(strings.NewReader("abcde"), 5)
			stream := pipe(t, d)
			go func() { // takes whatever the server says
				for b := make([]byte, 64); ; {
					if _, err := stream.Read(b); err != nil {
						return
					}
				}
			}()
			if _, err := stream.Write(whole[:length]); err != nil {
				t.Fatal(err)
			}
			stream.Close()
			synctest.Wait()
			if got := use(t, pipe(t, d)).get(0, 5); got != "abcde" {
				t.Errorf("after %d bytes of %d the disk holds %q", length, len(whole), got)
			}
		})
	}
}

// brokenBase is an image that cannot be read.
type brokenBase struct{}

func (brokenBase) ReadAt([]byte, int64) (int, error) { return 0, errors.New("broken") }

func TestBrokenBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := use(t, pipe(t, newDisk(brokenBase{}, 2*chunkSize)))
		for _, q := range []request{
			{command: commandRead, length: 1},
			{command: commandWrite, offset: 1, length: 3},
			{command: commandWriteZeroes, offset: 1, length: 3},
		} {
			data := ""
			if q.command == commandWrite {
				data = "xyz"
			}
			if a := c.do(q, []byte(data)); a.errno != syscall.EIO {
				t.Errorf("%+v: %v", q, a.errno)
			}
		}
		c.put(chunkSize, strings.Repeat("x", chunkSize)) // needs nothing of the base
		if got := c.get(2*chunkSize-1, 1); got != "x" {
			t.Errorf("read %q", got)
		}
	})
}

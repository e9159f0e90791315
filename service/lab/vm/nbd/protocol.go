package nbd

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"syscall"
)

// The magic numbers, each before a message of its kind (sections "Newstyle negotiation", "Fixed newstyle negotiation",
// "Request message" and "Simple reply message").
const (
	magicServer      = 0x4e42444d41474943 // "NBDMAGIC"
	magicOption      = 0x49484156454f5054 // "IHAVEOPT"
	magicOptionReply = 0x0003e889045565a9
	magicRequest     = 0x25609513
	magicReply       = 0x67446698
)

// Flags of the handshake, the same in both directions (sections "Handshake flags" and "Client flags").
const (
	flagFixedNewstyle = 1 << 0
	flagNoZeroes      = 1 << 1
)

// transmissionFlags are what this server can do (section "Transmission flags"): HAS_FLAGS, SEND_FLUSH, SEND_FUA, SEND_TRIM and
// SEND_WRITE_ZEROES. FUA needs nothing, since all that was answered is kept.
const transmissionFlags = 1<<0 | 1<<2 | 1<<3 | 1<<5 | 1<<6

// Options that the server knows (section "Option types").
const (
	optionExportName = 1
	optionAbort      = 2
	optionInfo       = 6
	optionGo         = 7
)

// Replies to options (section "Option reply types").
const (
	replyAck     = 1
	replyInfo    = 3
	replyUnsup   = 1<<31 + 1
	replyInvalid = 1<<31 + 3
	replyUnknown = 1<<31 + 6
)

// What an information reply is about (section "Option reply types", NBD_REP_INFO).
const (
	infoExport    = 0
	infoBlockSize = 3
)

// Requests that the server knows (section "Request types").
const (
	commandRead        = 0
	commandWrite       = 1
	commandDisconnect  = 2
	commandFlush       = 3
	commandTrim        = 4
	commandWriteZeroes = 6
)

// Flags of requests (section "Command flags").
const (
	flagFUA    = 1 << 0
	flagNoHole = 1 << 1
)

const (
	maxOption  = 64 << 10  // bytes of an option's data; a name has 4096 at most, and a client asks for a handful of informations
	maxRequest = 32 << 20  // bytes of one read or write: what every client may count on (section "Block size constraints")
	preferred  = 4096      // bytes that a request is best a multiple of
	firstGrasp = 256 << 10 // bytes of memory at most for data of which nothing has come yet
)

// option is what a client asks for in the handshake.
type option struct {
	kind uint32
	data []byte
}

// readOption takes the next option. A client that is not one, or whose option is out of all proportion, gets an error.
func readOption(r io.Reader) (option, error) {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return option{}, err
	}
	if magic := binary.BigEndian.Uint64(head[:]); magic != magicOption {
		return option{}, fmt.Errorf("an option begins with %#x: %w", magic, syscall.EPROTO)
	}
	o := option{kind: binary.BigEndian.Uint32(head[8:])}
	length := binary.BigEndian.Uint32(head[12:])
	if length > maxOption {
		return option{}, fmt.Errorf("an option of %d bytes: %w", length, syscall.EMSGSIZE)
	}
	var err error
	o.data, err = readData(r, int(length))
	return o, err
}

// reply appends an answer to the option.
func (o option) reply(b []byte, kind uint32, data ...byte) []byte {
	b = binary.BigEndian.AppendUint64(b, magicOptionReply)
	b = binary.BigEndian.AppendUint32(b, o.kind)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

// parseGo takes apart the data of NBD_OPT_GO and NBD_OPT_INFO (section "Option types"): the length of a name, the name, the number of
// the informations that the client would like, and those, 16 bits each.
func parseGo(data []byte) (name string, informations []uint16, ok bool) {
	if len(data) < 6 {
		return "", nil, false
	}
	length, rest := uint64(binary.BigEndian.Uint32(data)), data[4:]
	if length > uint64(len(rest)-2) {
		return "", nil, false
	}
	name, rest = string(rest[:length]), rest[length:]
	count, rest := int(binary.BigEndian.Uint16(rest)), rest[2:]
	if len(rest) != 2*count {
		return "", nil, false
	}
	for pair := range slices.Chunk(rest, 2) {
		informations = append(informations, binary.BigEndian.Uint16(pair))
	}
	return name, informations, true
}

// request is what a client asks for once the handshake is done (section "Request message").
type request struct {
	flags   uint16
	command uint16
	cookie  uint64 // the client's name for it
	offset  uint64 // bytes
	length  uint32 // bytes
}

// readRequest takes the next request, without the data of a write.
func readRequest(r io.Reader) (request, error) {
	var b [28]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return request{}, err
	}
	if magic := binary.BigEndian.Uint32(b[:]); magic != magicRequest {
		return request{}, fmt.Errorf("a request begins with %#x: %w", magic, syscall.EPROTO)
	}
	return request{
		flags:   binary.BigEndian.Uint16(b[4:]),
		command: binary.BigEndian.Uint16(b[6:]),
		cookie:  binary.BigEndian.Uint64(b[8:]),
		offset:  binary.BigEndian.Uint64(b[16:]),
		length:  binary.BigEndian.Uint32(b[24:]),
	}, nil
}

// check says what is wrong with a request to a disk of so many bytes, in the words of section "Error values": NBD_ENOSPC for what
// would be written behind the end, and else NBD_EINVAL. Zero: nothing.
func (q request) check(size uint64) syscall.Errno {
	permitted, bounded, beyond := uint16(flagFUA), false, syscall.EINVAL
	switch q.command {
	case commandRead:
		bounded = true
	case commandWrite:
		bounded, beyond = true, syscall.ENOSPC
	case commandWriteZeroes:
		permitted, beyond = flagFUA|flagNoHole, syscall.ENOSPC // nothing of this disk can run out of space, hole or not
	case commandTrim:
	case commandFlush:
		return q.checkFlags(permitted)
	default:
		return syscall.EINVAL
	}
	switch {
	case bounded && q.length > maxRequest:
		return syscall.EINVAL
	case q.offset > size || uint64(q.length) > size-q.offset:
		return beyond
	}
	return q.checkFlags(permitted)
}

// checkFlags refuses what was not offered.
func (q request) checkFlags(permitted uint16) syscall.Errno {
	if q.flags&^permitted != 0 {
		return syscall.EINVAL
	}
	return 0
}

// answer is the head of a simple reply, with room for so many bytes behind it.
func (q request) answer(errno syscall.Errno, room int) []byte {
	b := make([]byte, 0, 16+room)
	b = binary.BigEndian.AppendUint32(b, magicReply)
	b = binary.BigEndian.AppendUint32(b, spoken(errno))
	return binary.BigEndian.AppendUint64(b, q.cookie)
}

// spoken is an error as the protocol has it. Its numbers are those of Linux, but it has only a few (section "Error values").
func spoken(errno syscall.Errno) uint32 {
	switch errno {
	case 0, syscall.EPERM, syscall.EIO, syscall.ENOMEM, syscall.EINVAL, syscall.ENOSPC, syscall.EOVERFLOW, syscall.ENOTSUP, syscall.ESHUTDOWN:
		return uint32(errno)
	}
	return uint32(syscall.EIO)
}

// readData reads so many bytes. It takes memory as they come and not as they are promised.
func readData(r io.Reader, length int) ([]byte, error) {
	b := make([]byte, min(length, firstGrasp))
	for have := 0; ; {
		if _, err := io.ReadFull(r, b[have:]); err != nil {
			return nil, err
		}
		if have = len(b); have == length {
			return b, nil
		}
		longer := make([]byte, min(length, 2*have))
		copy(longer, b)
		b = longer
	}
}

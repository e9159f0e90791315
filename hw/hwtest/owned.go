package hwtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An addressReader asks one kernel which addresses it has, often and cheaply. It asks for addresses only: to ask for a link
// would make the kernel announce its carrier early.
type addressReader struct {
	mu     sync.Mutex
	file   *os.File
	seq    uint32
	buffer []byte
}

// readPatience bounds the wait for an answer of the kernel, which on old kernels waits for whoever holds RTNL.
const readPatience = 2 * time.Second

func openAddressReader(n *Namespace) (*addressReader, error) {
	r := &addressReader{buffer: make([]byte, 32<<10)}
	err := n.Do(func() error {
		fd, err := rtnetlink(0)
		if err != nil {
			return err
		}
		r.file = os.NewFile(uintptr(fd), "rtnetlink")
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	return r, nil
}

// read returns every address of the namespace.
func (r *addressReader) read() ([]netip.Prefix, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	request := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfAddrmsg)
	binary.NativeEndian.PutUint32(request, uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], unix.RTM_GETADDR)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	binary.NativeEndian.PutUint32(request[8:], r.seq)
	if _, err := r.file.Write(request); err != nil {
		return nil, fmt.Errorf("ask for the addresses: %w", err)
	}
	if err := r.file.SetReadDeadline(time.Now().Add(readPatience)); err != nil {
		return nil, err
	}
	var prefixes []netip.Prefix
	for {
		n, err := r.file.Read(r.buffer)
		if err != nil {
			return nil, fmt.Errorf("read the addresses: %w", err)
		}
		messages, err := syscall.ParseNetlinkMessage(r.buffer[:n])
		if err != nil {
			return nil, fmt.Errorf("read the addresses: %w", err)
		}
		for _, m := range messages {
			switch {
			case m.Header.Seq != r.seq: // left from a read that was given up
			case m.Header.Type == unix.NLMSG_DONE:
				return prefixes, nil
			case m.Header.Type == unix.NLMSG_ERROR:
				return nil, errors.New("read the addresses: the kernel refused")
			case m.Header.Type == unix.RTM_NEWADDR:
				prefixes = append(prefixes, parseAddress(m, AddressAdded).Prefix)
			}
		}
	}
}

// Addresses returns every address that the router's kernel has.
func (r *Router) Addresses() ([]netip.Prefix, error) { return r.Namespace().Addresses() }

// Addresses returns every address of the namespace.
func (n *Namespace) Addresses() ([]netip.Prefix, error) {
	n.mu.Lock()
	if n.reader == nil && !n.closed {
		reader, err := openAddressReader(n)
		if err != nil {
			n.mu.Unlock()
			return nil, err
		}
		n.reader = reader
	}
	reader := n.reader
	n.mu.Unlock()
	if reader == nil {
		return nil, os.ErrClosed
	}
	return reader.read()
}

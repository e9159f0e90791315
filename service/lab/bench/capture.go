package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"standfast/hw/hwtest"
)

// A capture hears the adverts that leave a port. The kernel stamps each as it hands it to the device, so that neither the load of
// this machine nor how this process is scheduled shows in the figures: whoever sends, the receiver is the same.
type capture struct {
	file int
	done chan struct{}

	mu    sync.Mutex
	last  map[byte]time.Duration // of each virtual router, on the wall clock
	gaps  []time.Duration        // between one advert of a virtual router and its next
	ended bool
}

// captureBuffer holds what is not read while this process waits for its turn.
const captureBuffer = 32 << 20

// Where in a packet what is.
const (
	ipv4Protocol = 9
	vrrpProtocol = 112
	vrrpVRID     = 1
)

// newCapture begins to hear what leaves the port.
func newCapture(p *hwtest.Port) (*capture, error) {
	c := &capture{done: make(chan struct{}), last: map[byte]time.Duration{}}
	index := p.Index()
	err := p.Router().Namespace().Do(func() (err error) {
		// Every protocol: what leaves a port is shown to such sockets only.
		const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8
		if c.file, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		return errors.Join(
			unix.SetsockoptInt(c.file, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer),
			unix.SetsockoptInt(c.file, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			// So that the reader sees the end.
			unix.SetsockoptTimeval(c.file, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}),
			unix.Bind(c.file, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}))
	})
	if err != nil {
		return nil, fmt.Errorf("listen to what leaves %s: %w", p.Name(), err)
	}
	go c.listen()
	return c, nil
}

func (c *capture) listen() {
	defer close(c.done)
	packet, control := make([]byte, 256), make([]byte, 128)
	for {
		n, m, _, from, err := unix.Recvmsg(c.file, packet, control, 0)
		switch {
		case c.finished():
			return
		case err != nil:
			continue // nothing for a while, or a signal
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if !ok || link.Pkttype != unix.PACKET_OUTGOING || n <= ipv4Protocol {
			continue
		}
		header := int(packet[0]&0x0f) * 4
		if at, ok := stampOf(control[:m]); ok && packet[ipv4Protocol] == vrrpProtocol && n > header+vrrpVRID {
			c.heard(packet[header+vrrpVRID], at)
		}
	}
}

func (c *capture) finished() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

func (c *capture) heard(vrid byte, at time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, ok := c.last[vrid]; ok {
		c.gaps = append(c.gaps, at-before)
	}
	c.last[vrid] = at
}

// stampOf reads the kernel's time stamp.
func stampOf(control []byte) (time.Duration, bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= int(unsafe.Sizeof(unix.Timespec{})) {
			return time.Duration((*unix.Timespec)(unsafe.Pointer(&m.Data[0])).Nano()), true
		}
	}
	return 0, false
}

// routers is how many virtual routers were heard so far.
func (c *capture) routers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.last)
}

// forget begins anew.
func (c *capture) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.last)
	c.gaps = nil
}

// count is how many gaps between adverts were heard.
func (c *capture) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.gaps)
}

// close ends the listening and returns the gaps.
func (c *capture) close() ([]time.Duration, error) {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	<-c.done
	lost, err := unix.GetsockoptTpacketStats(c.file, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err == nil && lost.Drops > 0 {
		err = fmt.Errorf("%d frames were lost on the way to this process: the machine is too busy to measure", lost.Drops)
	}
	return c.gaps, errors.Join(err, unix.Close(c.file))
}

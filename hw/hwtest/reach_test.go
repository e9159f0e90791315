package hwtest_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"standfast/hw/hwtest"

	"golang.org/x/sys/unix"
)

// etherTest is an Ethernet protocol number that nobody uses (IEEE local experimental).
const etherTest = 0x88b5

// frameSocket opens a packet socket on a port.
func frameSocket(t *testing.T, p *hwtest.Port) *os.File {
	t.Helper()
	var f *os.File
	check(t, p.Router().Namespace().Do(func() error {
		protocol := etherTest>>8 | etherTest&0xff<<8
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			return err
		}
		f = os.NewFile(uintptr(fd), "frames")
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(protocol), Ifindex: p.Index()})
	}))
	return f
}

// reaches tells whether a broadcast frame of one port arrives at the other; it sends one each 2 ms.
func reaches(t *testing.T, from, to *hwtest.Port, within time.Duration) bool {
	t.Helper()
	sender, receiver := frameSocket(t, from), frameSocket(t, to)
	defer sender.Close()
	defer receiver.Close()
	mac := from.MAC()
	frame := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac[:]...)
	frame = append(frame, etherTest>>8, etherTest&0xff)
	frame = append(frame, make([]byte, 46)...)
	buffer := make([]byte, 256)
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		_, err := sender.Write(frame)
		check(t, err)
		check(t, receiver.SetReadDeadline(time.Now().Add(2*time.Millisecond)))
		n, err := receiver.Read(buffer)
		if err == nil && n >= 12 && [6]byte(buffer[6:12]) == mac {
			return true
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	return false
}

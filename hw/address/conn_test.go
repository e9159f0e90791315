package address

import (
	"errors"
	"io/fs"
	"iter"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// script is a kernel that answers from a script: one list of messages for every
// receive. Sequence numbers in it are relative to that of the last request.
type script struct {
	answers [][]netlink.Message
	fail    error // of a receive beyond the script
	sent    []netlink.Message
}

func (s *script) Close() error                     { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) Send(m netlink.Message) error {
	s.sent = append(s.sent, m)
	return nil
}
func (s *script) SendMessages([]netlink.Message) error { return errors.ErrUnsupported }
func (s *script) Receive() ([]netlink.Message, error)  { return nil, errors.ErrUnsupported }

func (s *script) ReceiveIter() iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		if len(s.answers) == 0 {
			yield(netlink.Message{}, s.fail)
			return
		}
		now := s.answers[0]
		s.answers = s.answers[1:]
		for _, m := range now {
			m.Header.Sequence += s.sent[len(s.sent)-1].Header.Sequence
			if !yield(m, nil) {
				return
			}
		}
	}
}

// scripted is a Kernel on a script.
func scripted(s *script) *Kernel {
	return &Kernel{conn: &conn{netlink.NewConn(s, 1)}}
}

// stale is the relative sequence number of the request before.
const stale = ^uint32(0)

// ack is an acknowledgement with an errno, 0 being success.
func ack(errno unix.Errno, sequence uint32) netlink.Message {
	code := -int32(errno)
	data := []byte{byte(code), byte(code >> 8), byte(code >> 16), byte(code >> 24)}
	return netlink.Message{
		Header: netlink.Header{Type: netlink.Error, Sequence: sequence},
		Data:   append(data, make([]byte, 16)...),
	}
}

func part(kind netlink.HeaderType, flags netlink.HeaderFlags, data []byte) netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Multi | flags}, Data: data}
}

func done() netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: netlink.Done, Flags: netlink.Multi}, Data: make([]byte, 4)}
}

func TestLateAnswersAreSkipped(t *testing.T) {
	littleEndian(t)
	tests := []struct {
		name    string
		answers [][]netlink.Message
		want    error
	}{
		{"refused late, then done", [][]netlink.Message{{ack(unix.EPERM, stale)}, {ack(0, 0)}}, nil},
		{"done late, then refused", [][]netlink.Message{{ack(0, stale)}, {ack(unix.EPERM, 0)}}, unix.EPERM},
		{"no answer", nil, os.ErrDeadlineExceeded},
		{"only a late one", [][]netlink.Message{{ack(0, stale)}}, os.ErrDeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := scripted(&script{answers: tt.answers, fail: os.ErrDeadlineExceeded})
			if err := k.SetVIP(vip4, time.Second); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestUnexpectedAnswers(t *testing.T) {
	littleEndian(t)
	tests := []struct {
		name   string
		errno  unix.Errno
		refuse bool
		says   string
	}{
		{"out of memory", unix.ENOBUFS, true, "cannot add 192.0.2.1/24 on port index 3: the kernel is out of memory"},
		{"no IPv4", unix.EAFNOSUPPORT, true, "cannot add 192.0.2.1/24 on port index 3: this kernel has no support for the address family; load or enable it"},
		{"no such table", unix.ESRCH, true, "cannot add 192.0.2.1/24 on port index 3: the kernel knows no such route or table"},
		{"an errno with no sentence", unix.EXDEV, true, "cannot add 192.0.2.1/24 on port index 3: invalid cross-device link"},
		{"EACCES for IPv4", unix.EACCES, true, "cannot add 192.0.2.1/24 on port index 3: permission denied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := scripted(&script{answers: [][]netlink.Message{{ack(tt.errno, 0)}}})
			err := k.SetVIP(vip4, time.Second)
			if err == nil || !errors.Is(err, tt.errno) {
				t.Fatalf("got %v, want %v", err, tt.errno)
			}
			if diff := cmp.Diff(tt.says, err.Error()); diff != "" {
				t.Errorf("sentence (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDropRefused(t *testing.T) {
	littleEndian(t)
	for _, tt := range []struct {
		errno      unix.Errno
		vip, route bool // refused
	}{
		{0, false, false},
		{unix.EADDRNOTAVAIL, false, true},
		{unix.ESRCH, true, false},
		{unix.ENODEV, false, false},
		{unix.EPERM, true, true},
	} {
		k := scripted(&script{answers: [][]netlink.Message{{ack(tt.errno, 0)}, {ack(tt.errno, 0)}}})
		if err := k.DropVIP(vip4); (err != nil) != tt.vip || tt.vip && !errors.Is(err, tt.errno) {
			t.Errorf("DropVIP answered %v: %v", tt.errno, err)
		}
		if err := k.DropRoute(route4); (err != nil) != tt.route || tt.route && !errors.Is(err, tt.errno) {
			t.Errorf("DropRoute answered %v: %v", tt.errno, err)
		}
	}
}

// A listing that changed while it was read is read again; one that never holds
// still is an error, and then nothing is known.
func TestInterruptedListing(t *testing.T) {
	littleEndian(t)
	moved := []netlink.Message{part(unix.RTM_NEWADDR, netlink.DumpInterrupted, bytes(t, recorded6)), done()}
	still := []netlink.Message{
		part(unix.RTM_NEWADDR, 0, bytes(t, "02180000")), // unreadable: hides only itself
		part(unix.RTM_NEWLINK, 0, bytes(t, recorded4)),  // not what was asked for
		part(unix.RTM_NEWADDR, 0, bytes(t, recorded4)),
		done(),
	}
	s := &script{answers: [][]netlink.Message{moved, still}}
	if got, err := scripted(s).Held(vip4); got != Ours || err != nil {
		t.Errorf("Held: %v, %v; want %v", got, err, Ours)
	}
	if len(s.sent) != 2 {
		t.Errorf("asked %d times, want 2", len(s.sent))
	}

	s = &script{}
	for range dumpTries {
		s.answers = append(s.answers, moved)
	}
	if got, err := scripted(s).Held(vip6); got != Unknown || !errors.Is(err, unix.EAGAIN) {
		t.Errorf("Held of what never holds still: %v, %v", got, err)
	}
}

// A kernel before 4.20 lists the routes of every protocol.
func TestOwnedOnAnOldKernel(t *testing.T) {
	littleEndian(t)
	foreign := bytes(t, recordedDefault4)
	foreign[5] = unix.RTPROT_STATIC
	s := &script{answers: [][]netlink.Message{
		{part(unix.RTM_NEWADDR, 0, bytes(t, recordedOld)), done()},
		{
			part(unix.RTM_NEWROUTE, 0, foreign),
			part(unix.RTM_NEWROUTE, 0, bytes(t, recordedRoute4)),
			part(unix.RTM_NEWROUTE, 0, bytes(t, "02")),
			part(unix.RTM_NEWRULE, 0, bytes(t, recordedRoute4)),
			done(),
		},
		{part(unix.RTM_NEWROUTE, 0, bytes(t, recordedRoute6)), done()},
	}}
	vips, routes, err := scripted(s).Owned()
	if err != nil || vips != nil {
		t.Errorf("addresses %v, %v; want none: they carry no mark", vips, err)
	}
	if diff := cmp.Diff([]Route{route4, route6}, routes, values); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

func TestOwnedUnknown(t *testing.T) {
	littleEndian(t)
	for n := range 3 {
		s := &script{fail: fs.ErrInvalid}
		for range n {
			s.answers = append(s.answers, []netlink.Message{done()})
		}
		if _, _, err := scripted(s).Owned(); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("listing %d failed: %v", n, err)
		}
	}
}

// gone passes over what it cannot read.
func TestGoneFromNonsense(t *testing.T) {
	littleEndian(t)
	foreign := bytes(t, recordedRoute4)
	foreign[5] = unix.RTPROT_STATIC
	got := gone([]netlink.Message{
		part(unix.RTM_DELADDR, 0, bytes(t, "02")),
		part(unix.RTM_DELROUTE, 0, bytes(t, "02")),
		part(unix.RTM_DELROUTE, 0, foreign),
		part(unix.RTM_NEWADDR, 0, bytes(t, recorded4)),
		part(unix.RTM_DELADDR, 0, bytes(t, recorded6)),
		part(unix.RTM_DELROUTE, 0, bytes(t, recordedDefault4)),
	})
	if diff := cmp.Diff(Gone{VIPs: []VIP{vip6}, Routes: []Route{default4}}, got, values); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
}

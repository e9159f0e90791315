package ethtool

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// refusing is a kernel that refuses everything.
func refusing(errno unix.Errno, text string, offset uint32) *kernel {
	return &kernel{answer: func(uint8, []byte) ([]netlink.Message, error) { return refused(errno, text, offset), nil }}
}

// linkUp is a LINKSTATE reply.
func linkUp() []byte {
	return encode(func(ae *netlink.AttributeEncoder) { ae.Uint8(unix.ETHTOOL_A_LINKSTATE_LINK, 1) })
}

// TestErrorsAreKeptApart: what the kernel refuses says something of the port in one case only.
func TestErrorsAreKeptApart(t *testing.T) {
	for _, c := range []struct {
		name                        string
		kernel                      *kernel
		detached, gone, unsupported bool
	}{
		{"the device is not present", refusing(unix.ENODEV, "", 0), true, false, false},
		{"the kernel blames the index", refusing(unix.ENODEV, "no device matches ifindex", 40), false, true, false},
		{"the driver has no PHY", refusing(unix.ENODEV, "failed to retrieve link settings", 0), false, false, false},
		{"the driver has no answer", refusing(unix.EOPNOTSUPP, "", 0), false, false, true},
		{"the driver has no answer, and a text says so", refusing(unix.EOPNOTSUPP, "failed to retrieve link settings", 0), false, false, true},
		{"invalid", refusing(unix.EINVAL, "", 0), false, false, false},
		{"no data", refusing(unix.ENODATA, "", 0), false, false, false},
		{"not permitted", refusing(unix.EPERM, "", 0), false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, ask := range map[string]func(*Client) error{
				"link": func(c *Client) error { _, err := c.Link(7); return err },
				"mode": func(c *Client) error { _, err := c.Mode(7); return err },
			} {
				err := ask(on(c.kernel, ioctls{}))
				if err == nil || IsDetached(err) != c.detached || errors.Is(err, ErrGone) != c.gone || IsUnsupported(err) != c.unsupported {
					t.Errorf("%s: %v: detached %t, gone %t, unsupported %t", name, err, IsDetached(err), errors.Is(err, ErrGone), IsUnsupported(err))
				}
			}
		})
	}
	if _, err := on(refusing(unix.EPERM, "", 0), ioctls{}).Link(7); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is no fs.ErrPermission", err)
	}
}

// TestAsleep: before Linux 5.15 a device that saves power is answered for like one that is lost.
func TestAsleep(t *testing.T) {
	k := refusing(unix.ENODEV, "", 0)
	sleeping := ioctls{sleeps: true, fill: func(uint32, []byte) error { return unix.ENODEV }}
	for name, client := range map[string]*Client{"netlink": on(k, sleeping), "ioctl": {old: true, host: sleeping}} {
		if _, err := client.Link(7); !errors.Is(err, ErrAsleep) || IsDetached(err) || errors.Is(err, ErrGone) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := client.Module(7); !errors.Is(err, ErrAsleep) || IsDetached(err) || errors.Is(err, ErrModuleSilent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRuntimeStatus(t *testing.T) {
	for status, want := range map[string]bool{"suspended\n": true, "suspending\n": true, "resuming\n": true, "active\n": false, "unsupported\n": false, "": false} {
		if asleep(status) != want {
			t.Errorf("%q: %t", status, !want)
		}
	}
	for _, name := range []string{"lo", "", "..", "no/such"} {
		if (&socket{}).asleep(name) {
			t.Errorf("%q sleeps", name)
		}
	}
}

// TestConnection: a refusal costs nothing, and a question without an answer costs the connection, on which the answer may still be
// under way and would be taken for that of the next question.
func TestConnection(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  []netlink.Message
		failure error
		closed  int
	}{
		{"answered", replied(unix.ETHTOOL_MSG_LINKSTATE_GET_REPLY, linkUp()), nil, 0},
		{"refused", refused(unix.EOPNOTSUPP, "", 0), nil, 0},
		{"late", nil, os.ErrDeadlineExceeded, 1},
		{"a reply to something else", replied(unix.ETHTOOL_MSG_LINKMODES_GET_REPLY, linkUp()), nil, 1},
		{"no reply", nil, nil, 1},
		{"a message without a command", []netlink.Message{{}}, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &kernel{answer: func(uint8, []byte) ([]netlink.Message, error) { return c.answer, c.failure }}
			client := on(k, ioctls{})
			_, err := client.Link(7)
			if c.failure != nil && !errors.Is(err, c.failure) {
				t.Errorf("got %v", err)
			}
			if k.closed != c.closed || (err == nil) != (c.name == "answered") {
				t.Errorf("%v, and the connection was closed %d times", err, k.closed)
			}
			k.answer = func(uint8, []byte) ([]netlink.Message, error) {
				return replied(unix.ETHTOOL_MSG_LINKSTATE_GET_REPLY, linkUp()), nil
			}
			if got, err := client.Link(7); got.Carrier != Up || err != nil {
				t.Errorf("afterwards: %+v, %v", got, err)
			}
		})
	}
}

// TestCompactSets are asked for, since no others are read.
func TestCompactSets(t *testing.T) {
	k := refusing(unix.EOPNOTSUPP, "", 0)
	_, _ = on(k, ioctls{}).Mode(7)
	want := []request{{unix.ETHTOOL_MSG_LINKMODES_GET, 7, unix.ETHTOOL_FLAG_COMPACT_BITSETS}}
	if diff := cmp.Diff(want, k.asked(t)); diff != "" {
		t.Error(diff)
	}
}

func TestNumber(t *testing.T) {
	wide := binary.NativeEndian.AppendUint64(nil, 200)
	for _, c := range []struct {
		b    []byte
		want Maybe[uint8]
	}{
		{[]byte{7}, known[uint8](7)},
		{binary.NativeEndian.AppendUint16(nil, 255), known[uint8](255)},
		{binary.NativeEndian.AppendUint16(nil, 256), Maybe[uint8]{}},
		{binary.NativeEndian.AppendUint32(nil, 9), known[uint8](9)},
		{wide, known[uint8](200)},
		{wide[:7], Maybe[uint8]{}},
		{nil, Maybe[uint8]{}},
	} {
		if got := number[uint8](c.b); got != c.want {
			t.Errorf("%x: %+v, want %+v", c.b, got, c.want)
		}
	}
}

// TestAttributes ends at the first that does not fit.
func TestAttributes(t *testing.T) {
	whole := encode(func(ae *netlink.AttributeEncoder) {
		ae.Uint8(1, 7)
		ae.Flag(2, true)
		ae.Nested(3, func(n *netlink.AttributeEncoder) error { n.Uint32(4, 5); return nil })
	})
	for length, want := range map[int][]uint16{
		0: nil, 3: nil, 4: nil, 5: {1}, 7: {1}, 8: {1}, 11: {1}, 12: {1, 2}, 15: {1, 2}, 20: {1, 2}, 24: {1, 2, 3},
	} {
		var kinds []uint16
		for kind := range attributes(whole[:length]) {
			kinds = append(kinds, kind)
		}
		if diff := cmp.Diff(want, kinds); diff != "" {
			t.Errorf("%d of %d bytes:\n%s", length, len(whole), diff)
		}
	}
	short := []byte{3, 0, 1, 0}
	for kind := range attributes(short) {
		t.Errorf("an attribute %d that is shorter than its header", kind)
	}
}

// TestOneConnection serves all questions.
func TestOneConnection(t *testing.T) {
	k := &kernel{answer: func(uint8, []byte) ([]netlink.Message, error) {
		return replied(unix.ETHTOOL_MSG_LINKSTATE_GET_REPLY, linkUp()), nil
	}}
	dials := 0
	client := on(k, ioctls{})
	client.netlink = func() (*family, error) { dials++; return k.dial() }
	for range 3 {
		_, err := client.Link(7)
		ok(t, err)
	}
	if dials != 1 {
		t.Errorf("dialled %d times", dials)
	}
}

// TestClosedOnAnOldKernel: the ioctls end with the client too.
func TestClosedOnAnOldKernel(t *testing.T) {
	h, err := openHost()
	ok(t, err)
	client := &Client{old: true, host: h}
	for range 2 {
		ok(t, client.Close())
	}
	if _, err := client.Link(1); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestExtendedAcknowledgements are switched on, since they alone tell a port that is gone from a card that is lost.
func TestExtendedAcknowledgements(t *testing.T) {
	k := &kernel{}
	_, err := k.dial()
	ok(t, err)
	if diff := cmp.Diff([]netlink.ConnOption{netlink.ExtendedAcknowledge}, k.options); diff != "" {
		t.Error(diff)
	}
}

// TestStatisticsAreRefusedOnce: a kernel before 6.2 does not know the flag, and is not bothered with it again.
func TestStatisticsAreRefusedOnce(t *testing.T) {
	k := &kernel{}
	k.answer = func(uint8, []byte) ([]netlink.Message, error) {
		if asked := k.asked(t); asked[len(asked)-1].Flags != 0 {
			return refused(unix.EINVAL, "reserved bit set", 36), nil
		}
		return replied(unix.ETHTOOL_MSG_LINKSTATE_GET_REPLY, linkUp()), nil
	}
	client := on(k, ioctls{})
	for range 2 {
		if got, err := client.Link(7); got.Carrier != Up || err != nil {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	const get = unix.ETHTOOL_MSG_LINKSTATE_GET
	want := []request{{get, 7, unix.ETHTOOL_FLAG_STATS}, {get, 7, 0}, {get, 7, 0}}
	if diff := cmp.Diff(want, k.asked(t)); diff != "" {
		t.Error(diff)
	}
}

// TestInvalidForAnotherReason: EINVAL with and without the flag says nothing about the flag.
func TestInvalidForAnotherReason(t *testing.T) {
	k := refusing(unix.EINVAL, "", 0)
	client := on(k, ioctls{})
	for range 2 {
		if _, err := client.Link(7); !errors.Is(err, unix.EINVAL) {
			t.Errorf("got %v", err)
		}
	}
	if asked := k.asked(t); len(asked) != 4 || asked[2].Flags != unix.ETHTOOL_FLAG_STATS {
		t.Errorf("asked %+v", asked)
	}
}

// TestKernelWithoutTheFamily is asked through the ioctls, and not looked up again.
func TestKernelWithoutTheFamily(t *testing.T) {
	k := &kernel{missing: true}
	if _, err := k.dial(); !IsUnsupported(err) || !errors.Is(err, fs.ErrNotExist) || IsDetached(err) {
		t.Errorf("got %v", err)
	}
	dials := 0
	client := on(k, ioctls{fill: func(command uint32, b []byte) error {
		if command != unix.ETHTOOL_GLINK {
			return unix.EOPNOTSUPP
		}
		b[4] = 1
		return nil
	}})
	client.netlink = func() (*family, error) { dials++; return k.dial() }
	for range 2 {
		if got, err := client.Link(7); got != (Link{Carrier: Up}) || err != nil {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if dials != 1 {
		t.Errorf("looked for the family %d times", dials)
	}
}

// TestNoSocket: whatever else keeps a socket from being opened passes, and is not taken for an old kernel.
func TestNoSocket(t *testing.T) {
	k := &kernel{answer: func(uint8, []byte) ([]netlink.Message, error) {
		return replied(unix.ETHTOOL_MSG_LINKSTATE_GET_REPLY, linkUp()), nil
	}}
	failing := true
	client := on(k, ioctls{})
	client.netlink = func() (*family, error) {
		if failing {
			return nil, unix.EMFILE
		}
		return k.dial()
	}
	if _, err := client.Link(7); !errors.Is(err, unix.EMFILE) || IsUnsupported(err) {
		t.Errorf("got %v", err)
	}
	failing = false
	if got, err := client.Link(7); got.Carrier != Up || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// stringer is every enum of this package.
type stringer interface{ String() string }

func TestStrings(t *testing.T) {
	for _, c := range []struct {
		in   stringer
		want string
	}{
		{Unknown, "unknown"}, {Down, "down"}, {Up, "up"}, {Carrier(99), "unknown"},
		{DuplexUnknown, "unknown"}, {DuplexHalf, "half"}, {DuplexFull, "full"}, {Duplex(99), "unknown"},
		{KindSFP, "SFP"}, {KindCMIS, "CMIS"},
		{Pair(0), "A"}, {Pair(3), "D"}, {CableOpen, "open"}, {CableUnresolved, "not resolvable"},
		{Reason{State: ExtNoCable}, "no cable"},
		{Reason{ExtTrainingFailure, TrainingRemoteFault}, "link training failure: remote fault"},
		{Reason{ExtAutoneg, AutonegNoPartnerForced}, "autoneg: no partner detected in forced mode"},
		{Reason{ExtNoCable, 9}, "no cable: 9"},
		{Reason{State: 99}, "reason 99"},
		{Reason{99, 1}, "reason 99: 1"},
	} {
		if got := c.in.String(); got != c.want {
			t.Errorf("%#v: %q, want %q", c.in, got, c.want)
		}
	}
}

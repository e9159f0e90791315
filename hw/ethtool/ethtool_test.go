package ethtool

import (
	"errors"
	"io/fs"
	"iter"
	"math"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mdlayher/ethtool"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"standfast/hw/hwtest"
)

func TestMain(m *testing.M) { os.Exit(hwtest.Main(m.Run)) }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kernel is a fake one beneath the encoder: it gets the bytes of a request to the
// ethtool family and gives the bytes of the replies.
type kernel struct {
	family  string // the only one it has
	answer  func(command uint8, body []byte) ([][]byte, error)
	request netlink.Message
	closed  int
}

const familyID = 33

func (k *kernel) Close() error                     { k.closed++; return nil }
func (k *kernel) Send(m netlink.Message) error     { k.request = m; return nil }
func (k *kernel) SetDeadline(time.Time) error      { return nil }
func (k *kernel) SetReadDeadline(time.Time) error  { return nil }
func (k *kernel) SetWriteDeadline(time.Time) error { return nil }
func (k *kernel) SendMessages([]netlink.Message) error {
	return errors.New("nobody sends several requests at once here")
}

func (k *kernel) Receive() ([]netlink.Message, error) {
	var all []netlink.Message
	for m, err := range k.ReceiveIter() {
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (k *kernel) ReceiveIter() iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		bodies, err := k.reply()
		if err != nil {
			yield(netlink.Message{}, err)
			return
		}
		for _, b := range bodies {
			header := netlink.Header{Sequence: k.request.Header.Sequence, PID: k.request.Header.PID, Type: k.request.Header.Type}
			if !yield(netlink.Message{Header: header, Data: append([]byte{0, 1, 0, 0}, b...)}, nil) {
				return
			}
		}
	}
}

func (k *kernel) reply() ([][]byte, error) {
	command, body := k.request.Data[0], k.request.Data[4:]
	if k.request.Header.Type == familyID {
		return k.answer(command, body)
	}
	ad, err := netlink.NewAttributeDecoder(body)
	if err != nil {
		return nil, err
	}
	for ad.Next() {
		if ad.Type() == unix.CTRL_ATTR_FAMILY_NAME && ad.String() == k.family {
			return [][]byte{encode(func(ae *netlink.AttributeEncoder) {
				ae.Uint16(unix.CTRL_ATTR_FAMILY_ID, familyID)
				ae.String(unix.CTRL_ATTR_FAMILY_NAME, k.family)
			})}, nil
		}
	}
	return nil, unix.ENOENT
}

func encode(add func(*netlink.AttributeEncoder)) []byte {
	ae := netlink.NewAttributeEncoder()
	add(ae)
	b, err := ae.Encode()
	if err != nil {
		panic(err)
	}
	return b
}

// on is a client of the fake kernel.
func on(t testing.TB, k *kernel) *Client {
	t.Helper()
	k.family = unix.ETHTOOL_GENL_NAME
	dial := func() (*linkSource, error) { return newLinkSource(genetlink.NewConn(netlink.NewConn(k, 1))) }
	links, err := dial()
	ok(t, err)
	return &Client{links: links, dialLinks: dial}
}

func TestCarrier(t *testing.T) {
	link := func(v uint8) []byte {
		return encode(func(ae *netlink.AttributeEncoder) { ae.Uint8(unix.ETHTOOL_A_LINKSTATE_LINK, v) })
	}
	for _, c := range []struct {
		name    string
		replies [][]byte
		err     error
		want    Carrier
	}{
		{"up", [][]byte{link(1)}, nil, Up},
		{"down", [][]byte{link(0)}, nil, Down},
		{"a driver without an opinion", [][]byte{nil}, nil, Unknown},
		{"other attributes", [][]byte{encode(func(ae *netlink.AttributeEncoder) { ae.Uint32(unix.ETHTOOL_A_LINKSTATE_SQI, 7) })}, nil, Unknown},
		{"no reply at all", nil, nil, Unknown},
		{"two replies", [][]byte{link(1), link(1)}, nil, Up},
		{"a link of two bytes", [][]byte{encode(func(ae *netlink.AttributeEncoder) { ae.Uint16(unix.ETHTOOL_A_LINKSTATE_LINK, 1) })}, nil, Unknown},
		{"cut off", [][]byte{link(1)[:4]}, nil, Unknown},
		{"detached", nil, unix.ENODEV, Unknown},
		{"unsupported", nil, unix.EOPNOTSUPP, Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := on(t, &kernel{answer: func(command uint8, body []byte) ([][]byte, error) {
				if command != unix.ETHTOOL_MSG_LINKSTATE_GET {
					t.Errorf("command %d", command)
				}
				if index := requestedIndex(t, body); index != 7 {
					t.Errorf("asked about port %d, want 7", index)
				}
				return c.replies, c.err
			}})
			got, err := client.Carrier(7)
			if got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if (c.err == nil) != (err == nil) {
				t.Errorf("error %v", err)
			}
			if IsDetached(err) != (c.err == unix.ENODEV) || IsUnsupported(err) != (c.err == unix.EOPNOTSUPP) {
				t.Errorf("%v: detached %t, unsupported %t", err, IsDetached(err), IsUnsupported(err))
			}
		})
	}
}

func requestedIndex(t *testing.T, body []byte) (index uint32) {
	t.Helper()
	ad, err := netlink.NewAttributeDecoder(body)
	ok(t, err)
	for ad.Next() {
		if ad.Type() == unix.ETHTOOL_A_LINKSTATE_HEADER {
			ad.Nested(func(n *netlink.AttributeDecoder) error {
				for n.Next() {
					if n.Type() == unix.ETHTOOL_A_HEADER_DEV_INDEX {
						index = n.Uint32()
					}
				}
				return nil
			})
		}
	}
	ok(t, ad.Err())
	return index
}

// TestFailureStartsAfresh: the answer to a question that was given up must not become
// the answer to the next.
func TestFailureStartsAfresh(t *testing.T) {
	failing := true
	k := &kernel{answer: func(uint8, []byte) ([][]byte, error) {
		if failing {
			return nil, os.ErrDeadlineExceeded
		}
		return [][]byte{encode(func(ae *netlink.AttributeEncoder) { ae.Uint8(unix.ETHTOOL_A_LINKSTATE_LINK, 1) })}, nil
	}}
	client := on(t, k)
	if _, err := client.Carrier(7); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if k.closed != 1 {
		t.Error("the connection was kept after a failure")
	}
	failing = false
	if got, err := client.Carrier(7); got != Up || err != nil {
		t.Errorf("got %v, %v after the failure", got, err)
	}
}

func TestKernelWithoutTheFamily(t *testing.T) {
	_, err := newLinkSource(genetlink.NewConn(netlink.NewConn(&kernel{family: "another"}, 1)))
	if !IsUnsupported(err) || !errors.Is(err, fs.ErrNotExist) || IsDetached(err) {
		t.Errorf("got %v: unsupported %t, detached %t", err, IsUnsupported(err), IsDetached(err))
	}
}

// modes is a stand-in for mdlayher/ethtool.
type modes struct {
	ask    func() (*ethtool.LinkMode, error)
	closed chan struct{}
}

func newModes(ask func() (*ethtool.LinkMode, error)) *modes {
	return &modes{ask: ask, closed: make(chan struct{})}
}

func (m *modes) LinkMode(ethtool.Interface) (*ethtool.LinkMode, error) { return m.ask() }
func (m *modes) Close() error                                          { close(m.closed); return nil }

func TestMode(t *testing.T) {
	unknownSpeed := uint32(math.MaxUint32)
	for _, c := range []struct {
		name string
		in   ethtool.LinkMode
		want Mode
	}{
		{"gigabit", ethtool.LinkMode{SpeedMegabits: 1000, Duplex: ethtool.Full, Autoneg: ethtool.AutonegOn}, Mode{1000, DuplexFull, true}},
		{"half duplex", ethtool.LinkMode{SpeedMegabits: 10, Duplex: ethtool.Half}, Mode{10, DuplexHalf, false}},
		{"unknown speed", ethtool.LinkMode{SpeedMegabits: int(unknownSpeed), Duplex: ethtool.Unknown}, Mode{}},
		{"unknown speed where int is short", ethtool.LinkMode{SpeedMegabits: -1, Duplex: ethtool.Unknown}, Mode{}},
		{"unknown duplex of the future", ethtool.LinkMode{SpeedMegabits: 1000, Duplex: 7, Autoneg: 9}, Mode{SpeedMbit: 1000}},
		{"nothing", ethtool.LinkMode{}, Mode{Duplex: DuplexHalf}}, // the library's zero
	} {
		t.Run(c.name, func(t *testing.T) {
			client := &Client{modes: newModes(func() (*ethtool.LinkMode, error) { return &c.in, nil })}
			got, err := client.Mode(7)
			if got != c.want || err != nil {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestModeErrorsAreKeptApart(t *testing.T) {
	for _, c := range []struct {
		errno                 syscall.Errno
		detached, unsupported bool
	}{
		{unix.ENODEV, true, false},
		{unix.EOPNOTSUPP, false, true},
		{unix.EPERM, false, false},
	} {
		// The library's own error says fs.ErrNotExist for both of the first two.
		failure := &ethtool.Error{Err: &netlink.OpError{Op: "receive", Err: c.errno}}
		client := &Client{modes: newModes(func() (*ethtool.LinkMode, error) { return nil, failure })}
		_, err := client.Mode(7)
		if !errors.Is(err, c.errno) || IsDetached(err) != c.detached || IsUnsupported(err) != c.unsupported {
			t.Errorf("%v: got %v, detached %t, unsupported %t", c.errno, err, IsDetached(err), IsUnsupported(err))
		}
	}
}

func TestModeOutlivesAPanic(t *testing.T) {
	first := newModes(func() (*ethtool.LinkMode, error) {
		var table [92]string
		bit := 95 // a link mode that the library's table does not have
		_ = table[bit]
		return nil, nil
	})
	second := newModes(func() (*ethtool.LinkMode, error) { return &ethtool.LinkMode{SpeedMegabits: 100}, nil })
	client := &Client{modes: first, dialModes: func() (modeSource, error) { return second, nil }}
	if _, err := client.Mode(7); err == nil {
		t.Error("a panic became an answer")
	}
	<-first.closed
	if got, err := client.Mode(7); err != nil || got.SpeedMbit != 100 {
		t.Errorf("got %+v, %v after the panic", got, err)
	}
}

func TestModeDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModes(nil)
		m.ask = func() (*ethtool.LinkMode, error) {
			<-m.closed
			return nil, fs.ErrClosed
		}
		start := time.Now()
		_, err := fenced(m, 7, timeout)
		if !errors.Is(err, unix.ETIMEDOUT) {
			t.Errorf("got %v, want ETIMEDOUT", err)
		}
		if took := time.Since(start); took != timeout {
			t.Errorf("gave up after %v, want %v", took, timeout)
		}
	})
}

func TestModeWithoutTheLibrary(t *testing.T) {
	// On kernels before 4.20 the library fails to dial, with whatever errno.
	client := &Client{dialModes: func() (modeSource, error) { return nil, unsupported(unix.ENOPROTOOPT) }}
	if _, err := client.Mode(7); !IsUnsupported(err) || !errors.Is(err, unix.ENOPROTOOPT) {
		t.Errorf("got %v", err)
	}
}

func TestStrings(t *testing.T) {
	for c, want := range map[Carrier]string{Unknown: "unknown", Down: "down", Up: "up", 99: "unknown"} {
		if got := c.String(); got != want {
			t.Errorf("carrier %d: %q, want %q", c, got, want)
		}
	}
	for d, want := range map[Duplex]string{DuplexUnknown: "unknown", DuplexHalf: "half", DuplexFull: "full", 99: "unknown"} {
		if got := d.String(); got != want {
			t.Errorf("duplex %d: %q, want %q", d, got, want)
		}
	}
}

// TestRunningKernel asks about taps, whose driver answers like that of a card.
func TestRunningKernel(t *testing.T) {
	lab := hwtest.New(t)
	a, err := lab.Router("a")
	ok(t, err)
	b, err := lab.Router("b")
	ok(t, err)
	cable, err := lab.Cable(a, "p1", b, "p1")
	ok(t, err)
	var client *Client
	err = a.Namespace().Do(func() (err error) { client, err = Open(); return err })
	if IsUnsupported(err) {
		t.Skip(err)
	}
	ok(t, err)
	index := a.Port("p1").Index()

	err = a.Namespace().Do(func() error {
		if got, err := client.Carrier(index); got != Up || err != nil {
			t.Errorf("before the cut: %v, %v", got, err)
		}
		ok(t, cable.Cut())
		if got, err := client.Carrier(index); got != Down || err != nil {
			t.Errorf("after the cut: %v, %v", got, err)
		}
		if got, err := client.Mode(index); err != nil || got.SpeedMbit <= 0 || got.Duplex != DuplexFull {
			t.Errorf("mode %+v, %v", got, err)
		}
		for _, ask := range []func(int) error{
			func(i int) error { _, err := client.Carrier(i); return err },
			func(i int) error { _, err := client.Mode(i); return err },
		} {
			if err := ask(99999); !IsDetached(err) || IsUnsupported(err) {
				t.Errorf("a port that is not there: %v", err)
			}
		}
		return nil
	})
	ok(t, err)

	ok(t, client.Close())
	if _, err := client.Carrier(index); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := client.Mode(index); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

package ethtool

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/hw/hwtest"
)

func TestMain(m *testing.M) {
	if os.Getpid() == 1 {
		guest()
	}
	os.Exit(hwtest.Main(m.Run))
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// laboratory is a router with one end of a cable between taps, whose driver answers like that of a card, and a client in it.
type laboratory struct {
	router *hwtest.Router
	cable  *hwtest.Link
	client *Client
	index  int
}

func newLaboratory(t *testing.T) laboratory {
	lab := hwtest.New(t)
	a, err := lab.Router("a")
	ok(t, err)
	b, err := lab.Router("b")
	ok(t, err)
	l := laboratory{router: a}
	l.cable, err = lab.Cable(a, "p1", b, "p1")
	ok(t, err)
	l.index = a.Port("p1").Index()
	ok(t, a.Namespace().Do(func() (err error) { l.client, err = Open(); return err }))
	t.Cleanup(func() { ok(t, l.client.Close()) })
	return l
}

// in asks in the client's network namespace, on a thread of its own, where a test must not be ended: what fails is returned.
func (l laboratory) in(t *testing.T, ask func() error) {
	t.Helper()
	ok(t, l.router.Namespace().Do(ask))
}

// older is the client on a kernel that has no ethtool netlink.
func (l laboratory) older() *Client { return &Client{old: true, host: l.client.host} }

// TestRunningKernel asks about a tap over netlink and through the ioctls, which have to agree.
func TestRunningKernel(t *testing.T) {
	l := newLaboratory(t)
	if l.client.old {
		t.Skip("this kernel has no ethtool netlink")
	}
	l.in(t, func() error {
		for _, client := range []*Client{l.client, l.older()} {
			if got, err := client.Link(l.index); err != nil || got.Carrier != Up {
				t.Errorf("before the cut: %+v, %v", got, err)
			}
			mode, err := client.Mode(l.index)
			if err != nil || mode.SpeedMbit <= 0 || mode.Duplex != DuplexFull {
				t.Errorf("mode %+v, %v", mode, err)
			}
		}
		if err := l.cable.Cut(); err != nil {
			return err
		}
		for _, client := range []*Client{l.client, l.older()} {
			got, err := client.Link(l.index)
			if _, why := got.Reason(); err != nil || got.Carrier != Down || why {
				t.Errorf("after the cut: %+v, %v", got, err)
			}
		}
		driver, err := l.client.Driver(l.index)
		want := Driver{Name: "tun", Version: "1.6", Bus: "tap"}
		if diff := cmp.Diff(want, driver); err != nil || diff != "" {
			t.Errorf("driver: %v\n%s", err, diff)
		}
		return nil
	})
}

// TestUnsupported asks for what a tap has not, which must not look like anything else.
func TestUnsupported(t *testing.T) {
	l := newLaboratory(t)
	l.in(t, func() error {
		for name, ask := range map[string]func() error{
			"module":       func() error { _, err := l.client.Module(l.index); return err },
			"module, old":  func() error { _, err := l.older().Module(l.index); return err },
			"cable test":   func() error { _, err := TestCable(t.Context(), l.index); return err },
			"MII":          func() error { _, err := l.client.MII(l.index); return err },
			"driver of lo": func() error { _, err := l.client.Driver(1); return err },
		} {
			if err := ask(); !IsUnsupported(err) || IsDetached(err) || errors.Is(err, ErrGone) || errors.Is(err, ErrModuleSilent) {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
}

// TestGone asks about a port that is not there, which must not look like one whose card was lost.
func TestGone(t *testing.T) {
	l := newLaboratory(t)
	const nobody = 99999
	l.in(t, func() error {
		for name, ask := range map[string]func() error{
			"link":        func() error { _, err := l.client.Link(nobody); return err },
			"link, old":   func() error { _, err := l.older().Link(nobody); return err },
			"mode":        func() error { _, err := l.client.Mode(nobody); return err },
			"mode, old":   func() error { _, err := l.older().Mode(nobody); return err },
			"module":      func() error { _, err := l.client.Module(nobody); return err },
			"module, old": func() error { _, err := l.older().Module(nobody); return err },
			"cable test":  func() error { _, err := TestCable(context.Background(), nobody); return err },
		} {
			if err := ask(); !errors.Is(err, ErrGone) || IsDetached(err) || IsUnsupported(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
}

// TestCableTestIsAbandoned waits for the result of a test that nobody began, on a connection to the real kernel.
func TestCableTestIsAbandoned(t *testing.T) {
	l := newLaboratory(t)
	l.in(t, func() error {
		f, err := dial()
		if err != nil {
			return err
		}
		defer func() { _ = f.conn.Close() }()
		if err := f.conn.JoinGroup(f.monitor); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if report, err := awaitCable(ctx, f.conn, l.index); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, %v", report, err)
		}
		return nil
	})
}

func TestClosed(t *testing.T) {
	l := newLaboratory(t)
	ok(t, l.client.Close())
	for name, ask := range map[string]func() error{
		"link":   func() error { _, err := l.client.Link(l.index); return err },
		"mode":   func() error { _, err := l.client.Mode(l.index); return err },
		"module": func() error { _, err := l.client.Module(l.index); return err },
		"driver": func() error { _, err := l.client.Driver(l.index); return err },
		"MII":    func() error { _, err := l.client.MII(l.index); return err },
	} {
		if err := ask(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

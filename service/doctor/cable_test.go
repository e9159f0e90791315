package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/service"
)

// TestTestCable: only a dark port that nobody uses is tested.
func TestTestCable(t *testing.T) {
	h := healthy()
	h.state("p5p1").Carrier = port.CarrierDown
	h.state("p4p1").Carrier = port.CarrierDown
	for _, test := range []struct {
		name    string
		port    string
		sow     func(t *cableTester)
		refusal string // empty: tested
		is      error
	}{
		{"dark and idle", "p5p1", func(*cableTester) {}, "", nil},
		{"dark and used", "p4p1", func(*cableTester) {}, "the running service uses it", nil},
		{"not running, with a link", "p3p1", func(c *cableTester) {
			c.ask = func(context.Context) (service.StatusDocument, error) {
				return service.StatusDocument{}, service.ErrNotRunning
			}
		}, "it has a link", nil},
		{"not running, dark", "p4p1", func(c *cableTester) {
			c.ask = func(context.Context) (service.StatusDocument, error) {
				return service.StatusDocument{}, service.ErrNotRunning
			}
		}, "", nil},
		{"who knows who uses it", "p5p1", func(c *cableTester) {
			c.ask = func(context.Context) (service.StatusDocument, error) {
				return service.StatusDocument{}, fs.ErrPermission
			}
		}, "it is not known whether", fs.ErrPermission},
		{"nobody", "p9p1", func(*cableTester) {}, "no such port", fs.ErrNotExist},
		{"cannot", "p5p1", func(c *cableTester) {
			c.test = func(context.Context, int) (ethtool.CableReport, error) {
				return nil, fmt.Errorf("x: %w", errors.ErrUnsupported)
			}
		}, "cannot measure a cable", errors.ErrUnsupported},
	} {
		tested := 0
		c := cableTester{
			states: func() ([]port.State, error) { return h.states, nil },
			ask:    func(context.Context) (service.StatusDocument, error) { return *h.status, nil },
			test: func(_ context.Context, index int) (ethtool.CableReport, error) {
				tested = index
				return ethtool.CableReport{{Pair: 0, Code: ethtool.CableOK}, {Pair: 1, Code: ethtool.CableOpen, Centimetres: ethtool.Maybe[uint32]{Known: true, V: 1250}}}, nil
			},
		}
		test.sow(&c)
		var b bytes.Buffer
		err := c.run(t.Context(), &b, test.port)
		switch {
		case test.refusal == "":
			if want := "measuring the cable of " + test.port + "; its link stays down for one to six seconds\n" + test.port + " pair A: ok\n" + test.port + " pair B: open at 12.5 m\n"; err != nil || b.String() != want || tested != h.state(test.port).Index {
				t.Errorf("%s: %v, tested %d, %q", test.name, err, tested, b.String())
			}
		case err == nil || !strings.Contains(err.Error(), test.refusal) || test.is != nil && !errors.Is(err, test.is):
			t.Errorf("%s: %v, want %q", test.name, err, test.refusal)
		case tested != 0:
			t.Errorf("%s: tested all the same", test.name)
		}
	}
	h.state("p5p1").AdminUp, h.state("p5p1").Carrier = false, port.CarrierUnknown
	c := cableTester{states: func() ([]port.State, error) { return h.states, nil }, ask: func(context.Context) (service.StatusDocument, error) { return *h.status, nil }}
	if err := c.run(t.Context(), new(bytes.Buffer), "p5p1"); err == nil || !strings.Contains(err.Error(), "ip link set p5p1 up") {
		t.Errorf("switched off: %v", err)
	}
}

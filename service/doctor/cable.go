package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/service"
)

// cableTester is what a cable test needs of the host.
type cableTester struct {
	states func() ([]port.State, error)
	ask    func(context.Context) (service.StatusDocument, error)
	test   func(ctx context.Context, index int) (ethtool.CableReport, error)
}

// TestCable measures the cable of a port, says so first, and writes what was found on each pair.
// It refuses a port that has a link, or that the service running in the runtime
// directory uses: the test takes the link down, and while it runs no partner can
// come back. A port that does not exist is fs.ErrNotExist; ethtool.IsUnsupported
// is true of the error for a PHY that cannot do it.
func TestCable(ctx context.Context, w io.Writer, runtimeDir, name string) error {
	t := cableTester{
		states: port.Snapshot, test: ethtool.TestCable,
		ask: func(ctx context.Context) (service.StatusDocument, error) { return service.QueryStatus(ctx, runtimeDir) },
	}
	return t.run(ctx, w, name)
}

func (t cableTester) run(ctx context.Context, w io.Writer, name string) error {
	index, err := t.admit(ctx, name)
	if err != nil {
		return fmt.Errorf("the cable of %s is not tested: %w", name, err)
	}
	if _, err := fmt.Fprintf(w, "measuring the cable of %s; its link stays down for one to six seconds\n", name); err != nil {
		return err
	}
	report, err := t.test(ctx, index)
	switch {
	case ethtool.IsUnsupported(err):
		return fmt.Errorf("the PHY or the driver of %s cannot measure a cable (few can): %w", name, err)
	case err != nil:
		return err
	}
	for _, pair := range report {
		at := ""
		if pair.Centimetres.Known {
			at = fmt.Sprintf(" at %.1f m", float64(pair.Centimetres.V)/100)
		}
		if _, err := fmt.Fprintf(w, "%s pair %v: %v%s\n", name, pair.Pair, pair.Code, at); err != nil {
			return err
		}
	}
	return nil
}

// admit finds the port, if it may be tested.
func (t cableTester) admit(ctx context.Context, name string) (index int, err error) {
	status, err := t.ask(ctx)
	switch {
	case err == nil:
		for _, p := range status.Ports {
			if p.Name == name {
				return 0, errors.New("the running service uses it; stop the service first, which hands over to the peer")
			}
		}
	case !errors.Is(err, service.ErrNotRunning):
		return 0, fmt.Errorf("it is not known whether the running service uses it: %w", err)
	}
	states, err := t.states()
	if err != nil {
		return 0, err
	}
	for _, s := range states {
		switch {
		case s.Name != name:
			continue
		case s.Carrier == port.CarrierUp:
			return 0, errors.New("it has a link, which the test would take down; a cable that carries a link needs none")
		case !s.AdminUp:
			return 0, fmt.Errorf("it is switched off; ip link set %s up", name)
		}
		return s.Index, nil
	}
	return 0, fmt.Errorf("no such port: %w", fs.ErrNotExist)
}

package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"standfast/configfs"
)

// ErrRefused says that a plan may not be carried out: its page says why.
var ErrRefused = errors.New("it cannot be done as things are")

// Patience is how long the parts of a step may take. The zero value is for nobody; see [DefaultPatience].
type Patience struct {
	Change  time.Duration // for one call of systemctl that changes something
	Gone    time.Duration // for the last process of a stopped unit
	Serves  time.Duration // for a started unit
	Settled time.Duration // how long keepalived has to stay up to count as started
	Poll    time.Duration // between two looks
}

// DefaultPatience is longer than anything takes that still works. A stop may take systemd its 90 s.
func DefaultPatience() Patience {
	return Patience{Change: 120 * time.Second, Gone: 15 * time.Second, Serves: 20 * time.Second,
		Settled: 2 * time.Second, Poll: 100 * time.Millisecond}
}

// hand carries steps out.
type hand struct {
	Hands
	Patience
	out io.Writer
}

// Apply carries a plan out, step by step, and says so. When a step fails it and those before it are undone in reverse, and
// the error says what happened and what runs now; the same when ctx ends midway. A plan with errors is not begun (ErrRefused).
func Apply(ctx context.Context, out io.Writer, hands Hands, patience Patience, p Plan) error {
	if p.Worst() == configfs.Error {
		return ErrRefused
	}
	h := hand{hands, patience, out}
	for i, step := range p.Steps {
		fmt.Fprintf(out, "%d/%d  %s\n", i+1, len(p.Steps), step)
		if err := h.do(ctx, step); err != nil {
			// Undoing is not given up because somebody wants to stop.
			return h.undo(context.WithoutCancel(ctx), p.Steps[:i+1], fmt.Errorf("step %d, %s: %w", i+1, step, err))
		}
	}
	if len(p.Steps) == 0 {
		return nil
	}
	if p.To.Name == Standfast {
		if lines, err := hands.Answers(ctx); err == nil {
			fmt.Fprintf(out, "standfast answers: %s\n", strings.Join(lines, "; "))
		}
	}
	return nil
}

// undo reverses steps, the last of which may have been done or not. It goes on where one fails: of the two daemons none is
// started before the other is gone, so that nothing worse comes of it.
func (h hand) undo(ctx context.Context, steps []Step, cause error) error {
	fmt.Fprintf(h.out, "FAILED: %v\n", cause)
	var failed []error
	for i := len(steps) - 1; i >= 0; i-- {
		back := steps[i].Reverse()
		fmt.Fprintf(h.out, "undo  %s\n", back)
		if err := h.do(ctx, back); err != nil {
			failed = append(failed, fmt.Errorf("to undo it, %s: %w", back, err))
			fmt.Fprintf(h.out, "FAILED: %v\n", err)
		}
	}
	if len(failed) == 0 {
		return fmt.Errorf("%w\neverything was undone: %s", cause, h.now(ctx))
	}
	return fmt.Errorf("%w\n%w\nnot everything could be undone: %s; start one of them by hand, never both", cause, errors.Join(failed...), h.now(ctx))
}

// now says what runs.
func (h hand) now(ctx context.Context) string {
	var all []string
	for _, name := range []string{Keepalived, Standfast} {
		u, err := lookUnit(ctx, h, name)
		if err != nil {
			return "systemd does not say what runs"
		}
		all = append(all, u.short()+" "+state(u))
	}
	return strings.Join(all, "; ")
}

// do carries out one step. Doing what is done already does no harm.
func (h hand) do(ctx context.Context, s Step) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch s.Verb {
	case Write:
		return h.Replace(s.File, s.After)
	case Stop:
		return h.stop(ctx, s.Unit)
	case Start:
		return h.start(ctx, s.Unit)
	case Disable:
		return h.boot(ctx, s.Unit, "disable", false)
	case Enable:
		return h.boot(ctx, s.Unit, "enable", true)
	}
	return fmt.Errorf("%v is no step", s)
}

// change has systemctl do something, in bounded time.
func (h hand) change(ctx context.Context, verb, unit string) error {
	ctx, cancel := context.WithTimeout(ctx, h.Change)
	defer cancel()
	_, err := h.Systemctl(ctx, verb, unit)
	return err
}

// stop ends a unit, and returns when nothing of it is left.
func (h hand) stop(ctx context.Context, unit string) error {
	if err := h.change(ctx, "stop", unit); err != nil {
		return err
	}
	return h.await(ctx, h.Gone, func() error { return h.gone(ctx, unit) })
}

// gone says whether nothing of a unit is left, or what.
func (h hand) gone(ctx context.Context, unit string) error {
	u, err := lookUnit(ctx, h, unit)
	if err != nil {
		return err
	}
	if u.runs() {
		return fmt.Errorf("%s is %s", unit, u.Active)
	}
	if left := routers(h.Files(), unit); len(left) > 0 {
		return fmt.Errorf("process %d of %s is still there; kill %[1]d", left[0].PID, u.short())
	}
	return nil
}

// rival is the other unit.
func rival(unit string) string {
	if unit == Keepalived {
		return Standfast
	}
	return Keepalived
}

// start begins a unit once nothing is left of the other one, and returns when it serves.
func (h hand) start(ctx context.Context, unit string) error {
	if err := h.gone(ctx, rival(unit)); err != nil {
		return fmt.Errorf("it is not started, for both must never run: %w", err)
	}
	if err := h.change(ctx, "start", unit); err != nil {
		return err
	}
	if unit == Standfast {
		return h.await(ctx, h.Serves, func() error { _, err := h.Answers(ctx); return err })
	}
	return h.steady(ctx, unit)
}

// steady waits until a unit has been active for a while: with Type=forking systemd takes a daemon for started that ends at
// once.
func (h hand) steady(ctx context.Context, unit string) error {
	since := time.Time{}
	return h.await(ctx, h.Serves, func() error {
		u, err := lookUnit(ctx, h, unit)
		switch {
		case err != nil:
			return err
		case u.Active != "active":
			since = time.Time{}
			return fmt.Errorf("%s is %s", unit, u.Active)
		case since.IsZero():
			since = time.Now()
		}
		if time.Since(since) < h.Settled {
			return fmt.Errorf("%s is active for less than %v", unit, h.Settled)
		}
		return nil
	})
}

// boot has a unit start at boot, once the other one does not any more, or has it not start. It looks afterwards whether that
// is so: systemctl is content with a unit that has nothing to be enabled by.
func (h hand) boot(ctx context.Context, unit, verb string, want bool) error {
	if want {
		other, err := lookUnit(ctx, h, rival(unit))
		if err == nil && other.boots() {
			err = fmt.Errorf("%s is %s", other.Name, other.Enabled)
		}
		if err != nil {
			return fmt.Errorf("it is not enabled, for both must never start: %w", err)
		}
	}
	if err := h.change(ctx, verb, unit); err != nil {
		return err
	}
	u, err := lookUnit(ctx, h, unit)
	if err == nil && u.boots() != want {
		err = fmt.Errorf("%s is %s afterwards", unit, u.Enabled)
	}
	return err
}

// await looks until what is wanted is so, and otherwise returns what was wrong at last.
func (h hand) await(ctx context.Context, patience time.Duration, wanted func() error) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	poll := time.NewTicker(h.Poll)
	defer poll.Stop()
	for {
		err := wanted()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-deadline.C:
			return fmt.Errorf("%w, after %v", err, patience)
		case <-poll.C:
		}
	}
}

package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hasty waits for nobody.
func hasty() Patience {
	return Patience{Change: 20 * time.Millisecond, Gone: 20 * time.Millisecond, Serves: 20 * time.Millisecond,
		Settled: 2 * time.Millisecond, Poll: time.Millisecond}
}

// carried plans and carries out.
func carried(t *testing.T, m *machine, back bool) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Apply(t.Context(), &out, m, hasty(), planned(t, m, back))
	return out.String(), err
}

// never: at no moment did both run, nor would a power cut have started both.
func never(t *testing.T, m *machine) {
	t.Helper()
	for i, runs := range m.runs {
		if len(strings.Fields(runs)) > 1 {
			t.Errorf("after %q both run: %s", m.calls[i], strings.Join(m.calls[:i+1], ", "))
		}
		if len(strings.Fields(m.boots[i])) > 1 {
			t.Errorf("after %q both would start at boot", m.calls[i])
		}
	}
}

// is compares what runs and starts at boot.
func (m *machine) is(t *testing.T, runs string) {
	t.Helper()
	m.note("the end")
	last := len(m.runs) - 1
	if m.runs[last] != runs || m.boots[last] != runs {
		t.Errorf("at the end %q run and %q start at boot, want %q: %s", m.runs[last], m.boots[last], runs, strings.Join(m.calls, ", "))
	}
}

const (
	ka = "keepalived "
	sf = "standfast "
)

// TestThereAndBack: there, there again, back, back again.
func TestThereAndBack(t *testing.T) {
	m := debian()
	original := string(m.files["etc/default/standfast"].Data)
	for _, step := range []struct {
		back  bool
		calls []string
		runs  string
	}{
		{false, []string{"replace /etc/default/standfast.before-migrate", "replace /etc/default/standfast", "stop keepalived.service",
			"start standfast.service", "disable keepalived.service", "enable standfast.service", "the end"}, sf},
		{false, []string{"the end"}, sf},
		{true, []string{"stop standfast.service", "start keepalived.service", "disable standfast.service", "enable keepalived.service",
			"replace /etc/default/standfast", "replace /etc/default/standfast.before-migrate", "the end"}, ka},
		{true, []string{"the end"}, ka},
	} {
		m.calls, m.runs, m.boots = nil, nil, nil
		if out, err := carried(t, m, step.back); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		m.is(t, step.runs)
		never(t, m)
		if diff := cmp.Diff(step.calls, m.calls); diff != "" {
			t.Error(diff)
		}
	}
	if got := string(m.files["etc/default/standfast"].Data); got != original || m.files["etc/default/standfast.before-migrate"] != nil {
		t.Errorf("the options are now %q", got)
	}
}

// TestNoOptionsBefore: where there was no file there is none when it was undone.
func TestNoOptionsBefore(t *testing.T) {
	m := debian()
	delete(m.files, "etc/default/standfast")
	for _, back := range []bool{false, true} {
		if out, err := carried(t, m, back); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for name := range m.files {
		if strings.HasPrefix(name, "etc/default/standfast") {
			t.Errorf("%s is left", name)
		}
	}
}

// TestEveryFailure lets each call fail in each way, both ways: afterwards things are as they were.
func TestEveryFailure(t *testing.T) {
	for _, back := range []bool{false, true} {
		host, runs := debian, ka
		if back {
			host, runs = migrated, sf
		}
		for call := range 6 {
			for _, how := range []failure{before, after, lie, hang} {
				m := host()
				files := snapshotOf(m)
				hit := ""
				m.fails = func(n int, what string) (failure, bool) {
					if n == call {
						hit = what
					}
					return how, n == call
				}
				if strings.HasPrefix(nth(t, host(), back, call), "replace") && (how == lie || how == hang) {
					continue // a file is there or it is not
				}
				t.Run(fmt.Sprintf("back %t call %d failure %d", back, call, how), func(t *testing.T) {
					out, err := carried(t, m, back)
					if hit == "" || err == nil || errors.Is(err, ErrRefused) {
						t.Fatalf("%q: error %v\n%s", hit, err, out)
					}
					m.is(t, runs)
					never(t, m)
					if diff := cmp.Diff(files, snapshotOf(m)); diff != "" {
						t.Errorf("the files are others (-before +after):\n%s", diff)
					}
					if !strings.Contains(err.Error(), "everything was undone: ") || !strings.Contains(out, "FAILED: step ") {
						t.Errorf("%v\n%s", err, out)
					}
				})
			}
		}
	}
}

// nth is the call of that number when nothing fails.
func nth(t *testing.T, m *machine, back bool, call int) string {
	t.Helper()
	if _, err := carried(t, m, back); err != nil {
		t.Fatal(err)
	}
	return m.calls[call]
}

// snapshotOf is what is in /etc.
func snapshotOf(m *machine) map[string]string {
	all := map[string]string{}
	for name, f := range m.files {
		if strings.HasPrefix(name, "etc/") {
			all[name] = string(f.Data)
		}
	}
	return all
}

// TestTwoFailures: when undoing fails as well nothing is promised but this, that never both run.
func TestTwoFailures(t *testing.T) {
	for _, back := range []bool{false, true} {
		for first := range 6 {
			for second := first + 1; second < 12; second++ {
				for _, how := range []failure{before, after, lie} {
					m := debian()
					if back {
						m = migrated()
					}
					m.fails = func(n int, _ string) (failure, bool) { return how, n == first || n == second }
					if _, err := carried(t, m, back); err == nil && how != lie {
						t.Errorf("back %t calls %d and %d: no error", back, first, second)
					}
					never(t, m)
				}
			}
		}
	}
}

// TestSilent: a standfast that starts and does not answer is taken back.
func TestSilent(t *testing.T) {
	m := debian()
	m.silent = true
	out, err := carried(t, m, false)
	if err == nil || !strings.Contains(err.Error(), "standfast is not running") {
		t.Fatalf("%v\n%s", err, out)
	}
	m.is(t, ka)
	never(t, m)
}

// TestLeftOver: systemd believes that keepalived has ended, and a process of it is still there.
func TestLeftOver(t *testing.T) {
	m := debian()
	plan := planned(t, m, false)
	m.process(77, "/system.slice/keepalived.service", "keepalived", "-D")
	var out bytes.Buffer
	err := Apply(t.Context(), &out, m, hasty(), plan)
	if err == nil || !strings.Contains(err.Error(), "process 77 of keepalived is still there; kill 77") {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if m.units[Standfast].runs() {
		t.Error("standfast runs beside it")
	}
}

// TestBalancerStays: a keepalived that only balances is no rival.
func TestBalancerStays(t *testing.T) {
	m := debian()
	m.process(900, "/system.slice/keepalived-lvs.service", "keepalived", "-n", "--check", "-f", "/etc/keepalived/lvs.conf")
	if out, err := carried(t, m, false); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.is(t, sf)
	never(t, m)
}

// TestStrangers: what runs elsewhere, or has ended, is no rival either.
func TestStrangers(t *testing.T) {
	m := debian()
	m.process(900, "/system.slice/docker-x.scope", "keepalived")
	m.link("/proc/900/ns/net", "net:[2]")
	m.process(901, "/system.slice/keepalived.service", "keepalived")
	m.file("/proc/901/cmdline", "")
	m.process(902, "/user.slice", "standfast", "migrate", "--apply")
	if p := planned(t, m, false); len(p.Findings) != 0 {
		t.Errorf("%+v", p.Findings)
	}
}

// TestInterrupted: who asks to stop midway gets everything undone.
func TestInterrupted(t *testing.T) {
	for call := range 6 {
		m := debian()
		ctx, cancel := context.WithCancel(t.Context())
		m.fails = func(n int, _ string) (failure, bool) {
			if n == call {
				cancel()
			}
			return before, false
		}
		var out bytes.Buffer
		err := Apply(ctx, &out, m, hasty(), planned(t, m, false))
		if call == 5 && err == nil { // the last was done already
			m.is(t, sf)
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d: %v\n%s", call, err, out.String())
		} else {
			m.is(t, ka)
		}
		never(t, m)
		cancel()
	}
}

// TestRefused: a plan with errors is not begun.
func TestRefused(t *testing.T) {
	m := debian()
	m.run(Standfast)
	if _, err := carried(t, m, false); !errors.Is(err, ErrRefused) || len(m.calls) > 0 {
		t.Errorf("%v after %v", err, m.calls)
	}
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"standfast/hw/hwtest"
)

// programVariable names the standfast under test; without it the one of this tree is built.
const programVariable = "STANDFAST"

const (
	// together is how many stories are told at once: most of their time they wait.
	together = "6"
	// attempts is how often a story is told on a machine that has no time for it.
	attempts = 3
)

var (
	scratch string // a folder that goes with the tests

	built  = sync.OnceValues(func() (string, error) { return buildProgram(scratch, false) })
	broken = sync.OnceValues(func() (string, error) { return buildProgram(scratch, true) })
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", together) // before the command line is parsed, which may set it again
	os.Exit(hwtest.Main(func() int {
		hasten()
		var err error
		if scratch, err = os.MkdirTemp("", "standfast-test-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch)
		return m.Run()
	}))
}

// underTest is what the stories are told of.
func underTest(t *testing.T) programs {
	t.Helper()
	hwtest.New(t) // skips where there can be no laboratory
	p := programs{product: os.Getenv(programVariable), defective: broken}
	if p.product == "" {
		var err error
		if p.product, err = built(); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// named returns a story.
func named(t *testing.T, name string) story {
	t.Helper()
	for _, y := range stories() {
		if y.name == name {
			return y
		}
	}
	t.Fatalf("there is no story %q", name)
	return story{}
}

// TestStories tells those stories that take seconds: first the ones in which adverts have to be on time, each by itself.
func TestStories(t *testing.T) {
	p := underTest(t)
	for _, test := range []struct {
		name    string
		alone   bool
		trouble time.Duration
	}{
		{"calm", true, 5 * time.Second},
		{"outlets", true, 5 * time.Second},
		{"kill-helpers", true, time.Second},
		{"disk-hung", true, 20 * time.Second},
		{"pause-2s", false, 0},
		{"pause-10s", false, 0},
		{"kill-service", false, 0},
		{"stopped", false, 0},
		{"deadlock", false, 0},
		{"spin", false, 0},
		{"mute", false, 0},
		{"actors", false, 0},
		{"disk-error", false, 15 * time.Second},
		{"disk-worn", false, 15 * time.Second},
		{"disk-readonly", false, 12 * time.Second},
		{"disk-full", false, 12 * time.Second},
		{"disk-slow", false, 12 * time.Second},
		{"disk-alone", false, 15 * time.Second},
		{"disk-both", false, 40 * time.Second},
		{"disk-root", false, 20 * time.Second},
		{"disk-restart", false, 25 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !test.alone {
				t.Parallel()
			}
			tellTest(t, named(t, test.name), p, test.trouble, !test.alone)
		})
	}
}

// tellTest tells a story, again where the machine has no time for it.
func tellTest(t *testing.T, y story, p programs, trouble time.Duration, shared bool) {
	t.Helper()
	for range attempts {
		r, err := y.tell(p, trouble, shared)
		if errors.Is(err, hwtest.ErrNoDisk) {
			t.Skip(err)
		}
		if err != nil || len(r.complaints) > 0 {
			t.Fatalf("%s\n%s: %s\n%s", y.promise, y.name, r.verdict(), r.journal)
		}
		t.Logf("%d transitions, %d adverts, late %v, doubled %v, %d dropped, %d bitten: %s",
			r.transitions, r.adverts, r.lateness, r.doubled, r.dropped, r.kills, r.verdict())
		if r.busy == "" {
			return
		}
	}
	t.Skipf("in %d attempts the machine had no time for the laboratory", attempts)
}

// TestStoriesCanFail tells stories of daemons that break their promise.
func TestStoriesCanFail(t *testing.T) {
	p := underTest(t)
	for _, test := range []struct{ story, defect, global, complaint string }{
		{"outlets", "loud", "", "status of A: "},
		{"calm", "deadlock", "", "watchdog kills"},
		{"disk-error", "", "storage_yield off", "do not come to B"},
	} {
		t.Run(strings.TrimSpace("the "+test.story+" with "+test.defect+test.global), func(t *testing.T) {
			t.Parallel()
			y := named(t, test.story)
			y.setting.defect, y.setting.global = test.defect, test.global
			if test.defect != "" {
				y.setting.watchdog = watchdogSoon
			}
			play := y.play
			y.play = func(s *stage) error {
				if test.defect != "" {
					trip := time.AfterFunc(time.Second, func() { s.A.Daemon().Signal(syscall.SIGHUP) }) // its end is noticed elsewhere
					defer trip.Stop()
				}
				return play(s)
			}
			r, err := y.tell(p, 8*time.Second, true)
			if errors.Is(err, hwtest.ErrNoDisk) {
				t.Skip(err)
			}
			if !strings.Contains(r.verdict(), test.complaint) {
				t.Errorf("no complaint of %q: %s", test.complaint, r.verdict())
			}
		})
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"standfast/configfs"
	"standfast/service/lab/vm/machine"
	"standfast/service/lab/vm/segment"
)

// toy is a machine without QEMU.
type toy struct {
	ended  chan struct{}
	resets chan string
	script func(context.Context, string) (string, error)

	mu    sync.Mutex
	text  string
	ports map[int]bool // that have carrier; nil: the card is out
	pulls int          // how often it has to be told of a link before it lets go of a card that is pulled
	out   []string     // what was pulled
	turns int          // how often a link was set
}

func newToy() *toy {
	return &toy{ended: make(chan struct{}), resets: make(chan string, 16), ports: map[int]bool{1: true, 2: true, 3: true}}
}

func (m *toy) Run(ctx context.Context, script string) (string, error) { return m.script(ctx, script) }
func (m *toy) Lines() []machine.Line                                  { return nil }
func (m *toy) Ended() <-chan struct{}                                 { return m.ended }
func (m *toy) Resets() <-chan string                                  { return m.resets }

func (m *toy) Console() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text
}

func (m *toy) prints(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.text += text
}

func (m *toy) SetLink(port int, up bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turns++
	if slices.Contains(m.out, "card") {
		if m.pulls--; m.pulls < 0 {
			m.ports = nil
		}
	}
	if m.ports == nil {
		return errors.New("DeviceNotFound")
	}
	m.ports[port] = up
	return nil
}

func (m *toy) pull(what string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out = append(m.out, what)
	return nil
}

func (m *toy) RemoveCard() error { return m.pull("card") }
func (m *toy) RemoveDisk() error { return m.pull("disk") }

func (m *toy) PowerOff() {
	if m.Powered() {
		close(m.ended)
	}
}

func (m *toy) Powered() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// lit says whether the end of the cable has a carrier.
func (m *toy) lit() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ports[0]
}

// pairOfToys is a laboratory with power, without QEMU. It ends with the test.
func pairOfToys(t *testing.T) (l *lab, a, b *toy) {
	t.Helper()
	lan, err := segment.Listen("lan", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l = &lab{lan: lan, out: io.Discard}
	l.a, l.b = &router{lab: l, name: "A", number: 2, priority: 100}, &router{lab: l, name: "B", number: 3, priority: 50}
	a, b = newToy(), newToy()
	if err := errors.Join(l.a.take(a), l.b.take(b)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, r := range l.pair() {
			r.vm.PowerOff()
		}
		lan.Close()
	})
	return l, a, b
}

// TestCarriers: an end of the cable has a carrier if the cable is in, and there are power and a card at the other end, which does not begin anew.
func TestCarriers(t *testing.T) {
	for _, c := range []struct {
		name  string
		event func(context.Context, *lab) error
		a, b  bool // which end has a carrier then
	}{
		{"both have power", func(context.Context, *lab) error { return nil }, true, true},
		{"the cable is out", func(_ context.Context, l *lab) error { return l.pull(true) }, false, false},
		{"the cable is in again", func(_ context.Context, l *lab) error { return errors.Join(l.pull(true), l.pull(false)) }, true, true},
		{"A has no power", func(_ context.Context, l *lab) error { return l.a.powerOff() }, true, false},
		{"B has no power", func(_ context.Context, l *lab) error { return l.b.powerOff() }, false, true},
		{"A switches itself off", func(_ context.Context, l *lab) error { l.a.vm.PowerOff(); return nil }, true, false},
		{"A has new power", func(_ context.Context, l *lab) error { return errors.Join(l.a.powerOff(), l.a.take(newToy())) }, true, true},
		{"A has new power, the cable is out", func(_ context.Context, l *lab) error {
			return errors.Join(l.a.powerOff(), l.pull(true), l.a.take(newToy()))
		}, false, false},
		{"A has no disk", func(_ context.Context, l *lab) error { return l.a.pullDisk() }, true, true},
		{"A has no disk, and the cable is out", func(_ context.Context, l *lab) error { return errors.Join(l.a.pullDisk(), l.pull(true)) }, false, false},
		{"A has no disk, B no power", func(_ context.Context, l *lab) error { return errors.Join(l.a.pullDisk(), l.b.powerOff()) }, false, true},
		{"A has no card", func(ctx context.Context, l *lab) error { return l.a.pullCard(ctx) }, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, a, b := pairOfToys(t)
				if !a.lit() || !b.lit() {
					t.Fatal("the cable has no carrier at first")
				}
				if err := c.event(t.Context(), l); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				got := fmt.Sprint(l.a.vm.Powered() && l.a.vm.(*toy).lit(), l.b.vm.Powered() && l.b.vm.(*toy).lit())
				want := fmt.Sprint(c.a && l.a.vm.Powered(), c.b && l.b.vm.Powered())
				if got != want {
					t.Errorf("carrier at A and B: %s, want %s", got, want)
				}
			})
		})
	}
}

// TestReset: a machine that begins anew keeps its ports dark for a while, from its last reset on. Its own carrier stays.
func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, a, b := pairOfToys(t)
		var lit []string
		for moment := range 8 { // each half of resetDark
			if moment == 1 || moment == 2 {
				a.resets <- "guest-reset"
			}
			synctest.Wait()
			lit = append(lit, fmt.Sprint(b.lit()))
			if !a.lit() {
				t.Errorf("at %v the machine that begins anew has no carrier", l.now())
			}
			time.Sleep(resetDark/2 + time.Millisecond)
		}
		if got, want := strings.Join(lit, " "), "true false false false true true true true"; got != want {
			t.Errorf("the other end has carrier: %s, want %s", got, want)
		}
		a.resets <- "watchdog"
		synctest.Wait()
		l.a.vm.PowerOff()
		fresh := newToy()
		if err := l.a.take(fresh); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !b.lit() || !fresh.lit() {
			t.Error("new power has its end of the cable dark")
		}
	})
}

// TestPullCard: the other end goes dark when the machine has let go of its card, and no carrier of its own goes before.
func TestPullCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, a, b := pairOfToys(t)
		a.pulls = 10
		done := make(chan error)
		go func() { done <- l.a.pullCard(t.Context()) }()
		time.Sleep(200 * time.Millisecond) // of the ten looks four or five
		if !a.lit() || !b.lit() {
			t.Errorf("the card is being pulled, and the carrier is %t at its end, %t at the other", a.lit(), b.lit())
		}
		if err := <-done; err != nil || b.lit() {
			t.Errorf("the card is out (%v), and the carrier at the other end is %t", err, b.lit())
		}
		a.resets <- "guest-reset"
		time.Sleep(2 * resetDark)
		if b.lit() {
			t.Error("a machine that begins anew has its card back")
		}
		stuck := newToy()
		stuck.pulls = 1 << 30
		if err := errors.Join(l.a.powerOff(), l.a.take(stuck)); err != nil || !b.lit() {
			t.Errorf("with new power the carrier is %t (%v)", b.lit(), err)
		}
		if err := l.a.pullCard(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a machine that does not let go: %v", err)
		}
	})
}

// TestSaid: what was said before a mark counts no more; with new power all is new.
func TestSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, a, _ := pairOfToys(t)
		a.prints("(VI_1) Entering BACKUP STATE\r\n")
		l.a.mark()
		a.prints("1: (VI_1) Entering MASTER STATE\r\nother\r\n2: (VI_1) Entering BACKUP STATE\r\n")
		if got, want := fmt.Sprintf("%q", l.a.said(`Entering \w+ STATE`)), `["Entering MASTER STATE" "Entering BACKUP STATE"]`; got != want {
			t.Errorf("it said %s, want %s", got, want)
		}
		if got := l.a.said(`^2: .*BACKUP`); len(got) != 1 {
			t.Errorf("at the beginning of a line it said %q", got)
		}
		fresh := newToy()
		fresh.prints("booting\r\n")
		if err := errors.Join(l.a.powerOff(), l.a.take(fresh)); err != nil || len(l.a.said(`booting`)) != 1 {
			t.Errorf("with new power it said %q (%v)", l.a.said(`.*`), err)
		}
		(&router{}).mark() // had no power yet
	})
}

// TestLast: a script from which a machine does not return may hang, but it has to have begun.
func TestLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, a, _ := pairOfToys(t)
		hangs := func(reason error) func(context.Context, string) (string, error) {
			return func(ctx context.Context, _ string) (string, error) {
				<-ctx.Done()
				return "", fmt.Errorf("%w: %w", reason, ctx.Err())
			}
		}
		for _, c := range []struct {
			name   string
			script func(context.Context, string) (string, error)
			fails  bool
		}{
			{"it returns", func(context.Context, string) (string, error) { return "", nil }, false},
			{"it hangs", hangs(errors.New("the shell does not answer")), false},
			{"no shell", hangs(machine.ErrNoShell), true},
			{"it is refused", func(context.Context, string) (string, error) { return "", machine.Exit(1) }, true},
		} {
			a.script = c.script
			if err := l.a.last(t.Context(), "echo c >/proc/sysrq-trigger"); (err != nil) != c.fails {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	})
}

// TestAsk: a service that is not well answers with 1 and its document all the same.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, a, _ := pairOfToys(t)
		for _, c := range []struct {
			text  string
			err   error
			state string
			fails bool
		}{
			{`{"instances": [{"state": "MASTER"}]}` + "\n", nil, "MASTER", false},
			{"\n" + `{"instances": [{"state": "FAULT"}]}`, fmt.Errorf("machine A: %w", machine.Exit(1)), "FAULT", false},
			{"not running", machine.Exit(3), "", true},
			{`{"instances": [{"state": "MASTER"}]}`, context.DeadlineExceeded, "", true},
			{"{", nil, "", true},
		} {
			a.script = func(_ context.Context, script string) (string, error) {
				if script != "standfast status --json" {
					t.Errorf("it is told %q", script)
				}
				return c.text, c.err
			}
			s, err := l.a.status(t.Context())
			if (err != nil) != c.fails || !c.fails && (len(s.Instances) != 1 || s.Instances[0].State != c.state) {
				t.Errorf("%q, %v: %+v, %v", c.text, c.err, s.Instances, err)
			}
		}
	})
}

// TestInstall: a package that could not be installed is not taken for one that is.
func TestInstall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, a, _ := pairOfToys(t)
		l.version = [2]string{"one.rpm", "two.rpm"}
		told := ""
		answer := error(machine.Exit(1))
		a.script = func(_ context.Context, script string) (string, error) {
			told = script
			return "", answer
		}
		if err := l.a.install(t.Context()); err == nil || l.a.runs != "" {
			t.Errorf("it failed (%v), and it runs %q", err, l.a.runs)
		}
		answer = nil
		if err := l.a.install(t.Context()); err != nil || l.a.runs != standfast || !strings.Contains(told, "/root/one.rpm\n") {
			t.Errorf("it runs %q (%v) after %s", l.a.runs, err, told)
		}
		told = ""
		if err := l.a.wear(t.Context(), standfast); err != nil || told != "" {
			t.Errorf("it runs already, and is told %q (%v)", told, err)
		}
		if err := l.a.wear(t.Context(), untracked); err != nil || l.a.runs != untracked || !strings.Contains(told, "    dont_track_primary\n") {
			t.Errorf("it runs %q (%v) after %s", l.a.runs, err, told)
		}
	})
}

// TestConfiguration: each daemon's file is one that our own reader has nothing against, and the two machines' differ in what they have to.
func TestConfiguration(t *testing.T) {
	l := &lab{}
	a, b := &router{lab: l, name: "A", number: 2, priority: 100}, &router{lab: l, name: "B", number: 3, priority: 50}
	for _, d := range []daemon{standfast, keepalived, untracked} {
		for _, r := range []*router{a, b} {
			text := r.configuration(d)
			c, complaints := configfs.Load(fstest.MapFS{"x.conf": {Data: []byte(text)}}, "x.conf")
			if worst, any := complaints.Worst(); any && worst == configfs.Error || len(c.Instances) != 1 {
				t.Errorf("%s on %s: %d instances; %v", d, r.name, len(c.Instances), complaints)
			}
			if strings.Contains("\n"+text, "\nEND\n") || !strings.HasSuffix(text, "\n") {
				t.Errorf("%s on %s: it cannot stand between a shell's marks: %q", d, r.name, text)
			}
			for _, want := range []string{fmt.Sprintf("priority %d\n", r.priority), lanVIP + "/24 dev p4p2\n", wanVIP + "/24 dev p4p3\n", "interface p4p1\n"} {
				if strings.Count(text, want) != 1 {
					t.Errorf("%s on %s: %q is not in it once:\n%s", d, r.name, want, text)
				}
			}
			if strings.Contains(text, "dont_track_primary") != (d == untracked) {
				t.Errorf("%s on %s: dont_track_primary", d, r.name)
			}
		}
	}
}

// TestNetwork has a shell write the settings of the ports.
func TestNetwork(t *testing.T) {
	seen := map[string]string{}
	for _, r := range []*router{{name: "A", number: 2}, {name: "B", number: 3}} {
		folder := t.TempDir()
		script := strings.ReplaceAll(r.network(), "/etc/systemd/network", folder)
		if out, err := exec.Command("/bin/sh", "-ec", script).CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%s: %v: %s", r.name, err, out)
		}
		want := map[string]string{"p4p1": fmt.Sprintf("10.255.0.%d/30", r.number-1), "p4p2": fmt.Sprintf("192.168.10.%d/24", r.number), "p4p3": fmt.Sprintf("203.0.113.%d/24", r.number)}
		got := map[string]string{}
		names, err := fs.Glob(os.DirFS(folder), "*")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			settings := map[string]string{}
			for line := range strings.Lines(string(text)) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				settings[key] = value
			}
			port := settings["Name"]
			got[port] = settings["Address"]
			if name != "20-"+port+".network" || settings["KeepConfiguration"] != "static" || settings["ConfigureWithoutCarrier"] != "yes" {
				t.Errorf("%s: %s is\n%s", r.name, name, text)
			}
			if other, ok := seen[settings["Address"]]; ok {
				t.Errorf("%s of %s is the address of %s", port, r.name, other)
			}
			seen[settings["Address"]] = r.name
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s has %v, want %v", r.name, got, want)
		}
	}
}

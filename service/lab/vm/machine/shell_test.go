package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// guest is what is at the other end of a console: it understands what a shell understands of what it is told.
type guest struct {
	conn  net.Conn
	says  chan string
	hears chan string
	run   func(script string) (out string, status int)
	deaf  func() bool // what it is told now is lost
	held  func()      // it waits here before it looks at what it was told
	newln string      // how lines end that it says
	echo  bool

	mu      sync.Mutex
	scripts []string
	calls   int // that it answered, with marks that are no script's
}

// attach puts a guest at a console and returns the shell at the other end. Both end with the test.
func attach(t *testing.T, g *guest) *shell {
	here, there := net.Pipe()
	g.conn, g.says, g.hears = there, make(chan string, 1000), make(chan string, 1000)
	if g.newln == "" {
		g.newln = "\n"
	}
	go g.hear()
	go g.speak()
	go g.work()
	t.Cleanup(func() { here.Close(); there.Close(); synctest.Wait() })
	return newShell(here)
}

// hear takes what is said as a kernel does, whether or not a shell reads it.
func (g *guest) hear() {
	defer close(g.hears)
	var rest string
	piece := make([]byte, 4096)
	for {
		n, err := g.conn.Read(piece)
		if err != nil {
			return
		}
		if g.echo {
			g.say(string(piece[:n]))
		}
		if g.deaf != nil && g.deaf() {
			rest = ""
			continue
		}
		rest += string(piece[:n])
		for {
			line, more, whole := strings.Cut(rest, "\n")
			if !whole {
				break
			}
			g.hears <- line
			rest = more
		}
	}
}

func (g *guest) speak() {
	for text := range g.says {
		if _, err := io.WriteString(g.conn, text); err != nil {
			return
		}
	}
}

func (g *guest) say(text string) { g.says <- strings.ReplaceAll(text, "\n", g.newln) }

// work does what it is told.
func (g *guest) work() {
	defer close(g.says)
	form := regexp.MustCompile(`printf '\\n%s%s %d;\\n' '(.*)' '(.*)' (.*)$`)
	script, collecting := "", false
	for line := range g.hears {
		if g.held != nil {
			g.held()
		}
		mark := form.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "( "):
			script, collecting = line[2:], true
		case collecting && mark == nil:
			script += "\n" + line
		case collecting:
			collecting = false
			g.mu.Lock()
			g.scripts = append(g.scripts, script)
			g.mu.Unlock()
			out, status := g.run(script)
			g.say(out + fmt.Sprintf("\n%s%s %d;\n", mark[1], mark[2], status))
		case mark != nil:
			g.mu.Lock()
			g.calls++
			g.mu.Unlock()
			g.say(fmt.Sprintf("\n%s%s %s;\n", mark[1], mark[2], mark[3]))
		}
	}
}

// parrot answers a script with itself.
func parrot(script string) (string, int) { return "<" + script + ">", 0 }

// wants runs a script and compares what it said.
func wants(t *testing.T, s *shell, patience time.Duration, script, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if out, err := s.run(ctx, script); err != nil || out != want {
		t.Errorf("%q said %q (%v), want %q", script, out, err, want)
	}
}

func TestShell(t *testing.T) {
	never := func() bool { return false }
	until := func(d time.Duration) func() func() bool { // from the moment at which the bubble begins
		return func() func() bool { began := time.Now(); return func() bool { return time.Since(began) < d } }
	}
	for _, c := range []struct {
		name string
		deaf func() func() bool
		held bool // until it is not deaf any more, instead of deaf
		echo bool
		line string
	}{
		{name: "at once", deaf: func() func() bool { return never }},
		{name: "one that is not there yet", deaf: until(3700 * time.Millisecond)},
		{name: "one that answers late, and then every call", deaf: until(3700 * time.Millisecond), held: true},
		{name: "a terminal that nobody has set up", deaf: func() func() bool { return never }, echo: true, line: "\r\n"},
		{name: "late, on such a terminal", deaf: until(2 * time.Second), held: true, echo: true, line: "\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &guest{run: parrot, echo: c.echo, newln: c.line}
				waits := c.deaf()
				if c.held {
					g.held = func() {
						for waits() {
							time.Sleep(10 * time.Millisecond)
						}
					}
				} else {
					g.deaf = waits
				}
				s := attach(t, g)
				wants(t, s, time.Minute, "one", "<one>")
				wants(t, s, time.Minute, "two\nlines", "<two\nlines>")
				if c.held && g.calls < 6 { // of each script one is of its beginning
					t.Errorf("it answered %d calls; this test wants several", g.calls)
				}
				if fmt.Sprint(g.scripts) != "[one two\nlines]" {
					t.Errorf("it was told %q", g.scripts)
				}
			})
		})
	}
}

// TestShellExit: a status that is not 0 is an error that can be looked at, beside what was said.
func TestShellExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := attach(t, &guest{run: func(string) (string, int) { return "no such thing\n", 3 }})
		out, err := s.run(t.Context(), "first line\nsecond")
		if exit := Exit(0); !errors.As(err, &exit) || exit != 3 || out != "no such thing\n" {
			t.Errorf("it said %q, %v", out, err)
		}
		if got, want := fmt.Sprint(err), `exit status 3 of "first line …": no such thing`; got != want {
			t.Errorf("the error is %q, want %q", got, want)
		}
	})
}

// TestShellMarks: what looks like a mark is none, unless it is the one.
func TestShellMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const output = "==3-said \n==1-said 0;\n==2-said 7;\nx==3-said 0;\n==3-said none;\n==3-said 1; \n==33-said 1;\n"
		s := attach(t, &guest{run: func(string) (string, int) { return output, 0 }})
		wants(t, s, time.Minute, "cat", output)
		if s.said != 3 {
			t.Errorf("the script's last mark was %d; this test takes it for 3", s.said)
		}
	})
}

// TestShellAnswersTheOneBefore: nobody waited for what a script said that took too long, and it is not what the next one said.
func TestShellAnswersTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guest{run: func(script string) (string, int) {
			if script == "slow" {
				time.Sleep(10 * time.Second)
				return "at last", 7
			}
			return parrot(script)
		}}
		s := attach(t, g)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := s.run(ctx, "slow")
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoShell) || !strings.Contains(fmt.Sprint(err), `"slow"`) {
			t.Errorf("it hangs: %v", err)
		}
		wants(t, s, time.Minute, "next", "<next>")
	})
}

// TestShellReset: a shell dies in the midst of a script, as with a reset, and there is another one after a boot.
func TestShellReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone time.Time
		g := &guest{deaf: func() bool { return !gone.IsZero() && time.Since(gone) < 30*time.Second }}
		g.run = func(script string) (string, int) {
			if script != "echo b >/proc/sysrq-trigger" {
				return parrot(script)
			}
			gone = time.Now()
			g.says <- "half a li"
			time.Sleep(30 * time.Second)
			return "", 0 // so late that it is not different from what a shell that dies never says
		}
		s := attach(t, g)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if out, err := s.run(ctx, "echo b >/proc/sysrq-trigger"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoShell) || out != "half a li" {
			t.Errorf("it died saying %q, %v", out, err)
		}
		short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := s.run(short, "too early"); !errors.Is(err, ErrNoShell) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while it boots: %v", err)
		}
		wants(t, s, time.Minute, "after the boot", "<after the boot>")
		if len(g.scripts) != 2 {
			t.Errorf("it was told %q", g.scripts)
		}
	})
}

// TestShellNobodyReads: a console that nobody has open takes no more than its buffer, and whoever speaks to it still ends in time.
func TestShellNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := newShell(here).run(ctx, "true"); !errors.Is(err, ErrNoShell) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody reads: %v", err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestShellClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		there.Close()
		if _, err := newShell(here).run(t.Context(), "true"); !errors.Is(err, ErrNoShell) {
			t.Errorf("a console that is closed: %v", err)
		}
		g := &guest{}
		g.run = func(string) (string, int) { g.conn.Close(); return "", 0 }
		if _, err := attach(t, g).run(t.Context(), "poweroff"); !errors.Is(err, io.EOF) || errors.Is(err, ErrNoShell) {
			t.Errorf("closed in the midst: %v", err)
		}
	})
}

// tardy sets deadlines that have passed a little late.
type tardy struct{ net.Conn }

func (c tardy) SetDeadline(at time.Time) error {
	if !at.IsZero() {
		time.Sleep(time.Millisecond)
	}
	return c.Conn.SetDeadline(at)
}

// TestShellDeadline: a call is answered in the moment in which it is given up; its deadline does not become that of what is said next.
func TestShellDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		g := &guest{run: func(script string) (string, int) {
			time.Sleep(5 * time.Millisecond)
			return parrot(script)
		}}
		g.held = func() {
			if first {
				first = false
				time.Sleep(call + 500*time.Microsecond)
			}
		}
		s := attach(t, g)
		s.conn = tardy{s.conn}
		wants(t, s, time.Minute, "one", "<one>")
	})
}

// terminal is a console as machines have: a terminal with the recipe's own command on it, which begins anew when it ends. It returns the shell at
// the other end, and how often the command began.
func terminal(t *testing.T) (*shell, func() int) {
	t.Helper()
	unit, err := recipe.ReadFile("root/etc/systemd/system/machine-shell.service")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindSubmatch(unit)
	if command == nil {
		t.Fatal("the shell's unit starts nothing")
	}
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("needs a terminal of its own: ", err)
	}
	master := os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { master.Close() })
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	begun := filepath.Join(t.TempDir(), "begun")
	c := exec.Command("/bin/sh", "-c", fmt.Sprintf("while echo >>%s; do %s; done <>/dev/pts/%d >&0 2>&0", begun, command[1], number))
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "PS1=", "PS2="}
	c.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	here, there := net.Pipe()
	go io.Copy(there, master)
	go io.Copy(master, there)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Kill(-c.Process.Pid, unix.SIGKILL)
		c.Wait()
		here.Close()
		there.Close()
	})
	return newShell(here), func() int {
		text, _ := os.ReadFile(begun)
		return len(text)
	}
}

// TestShellOfRecipe speaks to a real shell on a real terminal, as the recipe sets them up.
func TestShellOfRecipe(t *testing.T) {
	s, begun := terminal(t)
	for _, c := range []struct {
		script, want string
		status       Exit
	}{
		{"echo one", "one\n", 0},
		{"printf 'no line'", "no line", 0},
		{"cat", "", 0}, // what is said to the shell is not what its scripts read
		{"echo out; echo err >&2; exit 3", "out\nerr\n", 3},
		{"cat <<'END'\n$HOME 'quoted' \"twice\"\n==3-said 0;\nEND\nfalse", "$HOME 'quoted' \"twice\"\n==3-said 0;\n", 1},
		{"x=1\ncd /\n# a comment", "", 0},
		{"seq 3000 | tail -n 1; echo ${x:-unset}", "3000\nunset\n", 0},
		{"echo " + strings.Repeat("x", 6000), strings.Repeat("x", 6000) + "\n", 0},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		out, err := s.run(ctx, c.script)
		cancel()
		var exit Exit
		if err != nil && !errors.As(err, &exit) || exit != c.status || out != c.want {
			t.Errorf("%.40q said %.80q (%v), want %.80q and exit status %d", c.script, out, err, c.want, c.status)
		}
	}
	before := begun()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() { // the shell is given up as soon as there is another one
		for begun() == before && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := s.run(ctx, "kill -9 $$"); !errors.Is(err, context.Canceled) {
		t.Errorf("the shell was killed: %v", err)
	}
	wants(t, s, time.Minute, "echo again", "again\n")
}

package helper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"standfast/hw/clock"
)

// scriptPatience bounds the wait for what must come.
const scriptPatience = 30 * time.Second

// quickLimits are long enough for a busy machine and short enough for a test.
func quickLimits() scriptLimits {
	return scriptLimits{
		timeout: scriptPatience, grace: 200 * time.Millisecond,
		lastPosts: 50 * time.Millisecond, drain: scriptPatience, start: scriptPatience, waiting: 16,
	}
}

// scriptFolder is a short directory: a socket's name has 107 bytes at most.
func scriptFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "scripts")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// script writes an executable and returns its name.
func script(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	// Written by another process, so that no descriptor of ours that is open for
	// writing is inherited by a script that another test forks at this moment.
	write := filepath.Join(dir, name+".tmp")
	if err := os.WriteFile(write, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := scriptCommand([]string{"/bin/cp", write, path}).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func soonIs(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(scriptPatience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", scriptPatience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

func exists(path string) func() bool {
	return func() bool {
		_, err := os.Stat(path)
		return err == nil
	}
}

// log gathers lines and outcomes.
type scriptLog struct {
	mu       sync.Mutex
	lines    []string
	outcomes []ScriptOutcome
}

func (l *scriptLog) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, text)
}

func (l *scriptLog) tell(o ScriptOutcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.Seconds = 0
	l.outcomes = append(l.outcomes, o)
}

func (l *scriptLog) said(text string) func() bool {
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return slices.ContainsFunc(l.lines, func(line string) bool { return strings.Contains(line, text) })
	}
}

func (l *scriptLog) told() []ScriptOutcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.outcomes)
}

// wait waits for n outcomes.
func (l *scriptLog) wait(t *testing.T, n int) []ScriptOutcome {
	t.Helper()
	soonIs(t, fmt.Sprintf("%d outcomes", n), func() bool { return len(l.told()) >= n })
	return l.told()
}

// listenScripts opens the script helper's socket.
func listenScripts(dir string) (*listener, error) { return listen(dir, Scripts) }

// helper runs a server in this process; stop ends it and returns its error.
type helper struct {
	*scriptLog
	stop func() error
}

func startHelper(t *testing.T, dir string, linger time.Duration, limits scriptLimits) *helper {
	t.Helper()
	l, err := listenScripts(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := &helper{scriptLog: &scriptLog{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- serveScripts(ctx, l, Options{RuntimeDir: dir, Linger: linger, Log: h.line}, limits)
	}()
	h.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// client runs a service's end; stop ends it.
type client struct {
	scriptLog
	end  *ScriptOutlet
	stop func()
}

func (c *client) Post(instance string, argv []string) { c.end.Post(instance, argv) }

func startClient(t *testing.T, dir string) *client {
	t.Helper()
	c := &client{}
	c.end = NewScriptOutlet(dir, clock.Now, c.tell, c.line)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.end.Run(ctx)
	}()
	c.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(scriptPatience):
			t.Errorf("Run did not end within %v", scriptPatience)
		}
	})
	t.Cleanup(c.stop)
	return c
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What a script finds is what keepalived's scripts find.
func TestScriptSurroundings(t *testing.T) {
	t.Setenv("LD_PRELOAD", "")
	t.Setenv("LD_LIBRARY_PATH", "/nowhere")
	t.Setenv("IFS", "x")
	t.Setenv("NOTIFY_SOCKET", "/nowhere")
	t.Setenv("KEPT", "as it is")
	signal.Ignore(syscall.SIGUSR2)
	defer signal.Reset(syscall.SIGUSR2)
	dir := scriptFolder(t)
	startHelper(t, dir, 0, quickLimits())
	c := startClient(t, dir)
	out := filepath.Join(dir, "out")
	c.Post("VI_0", []string{script(t, dir, "s", `#!/bin/sh
out=$1; shift
{
	echo "arguments:$#:$1:$2"
	echo "directory:$(pwd)"
	echo "kept:$KEPT"
	echo "preload:${LD_PRELOAD-unset}:${LD_LIBRARY_PATH-unset}:${NOTIFY_SOCKET-unset}"
	echo "group:$(test "$(cut -d' ' -f5 /proc/$$/stat)" = $$ && echo own)"
	# Without a fork: while it forks, the shell blocks every signal.
	while read -r name value; do case $name in SigBlk:|SigIgn:) echo "$name$value" ;; esac; done < /proc/$$/status
} > $out.tmp
mv $out.tmp $out
`), out, "INSTANCE", "two words"})
	want := []ScriptOutcome{{ID: 1, Instance: "VI_0", Argv: []string{filepath.Join(dir, "s"), out, "INSTANCE", "two words"}, Result: ScriptSucceeded}}
	if diff := cmp.Diff(want, c.wait(t, 1)); diff != "" {
		t.Fatalf("outcome (-want +got):\n%s", diff)
	}
	const found = `arguments:2:INSTANCE:two words
directory:/
kept:as it is
preload:unset:unset:unset
group:own
SigBlk:0000000000000000
SigIgn:0000000000000000
`
	if diff := cmp.Diff(found, content(t, out)); diff != "" {
		t.Errorf("surroundings (-want +got):\n%s", diff)
	}
}

// A script inherits nothing but /dev/null, whatever the helper was started with.
func TestScriptDescriptors(t *testing.T) {
	fd, err := unix.Open("/dev/zero", unix.O_RDONLY, 0) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	dir := scriptFolder(t)
	startHelper(t, dir, 0, quickLimits())
	c := startClient(t, dir)
	out := filepath.Join(dir, "out")
	c.Post("VI_0", []string{"/bin/sh", "-c", `(exec ls -l /proc/$$/fd > "$0"); :`, out})
	c.wait(t, 1)
	var got []string
	for line := range strings.Lines(content(t, out)) {
		if number, target, ok := strings.Cut(strings.TrimSpace(line), " -> "); ok {
			got = append(got, number[strings.LastIndexByte(number, ' ')+1:]+" "+target)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"0 /dev/null", "1 /dev/null", "2 /dev/null"}, got); diff != "" {
		t.Errorf("descriptors (-want +got):\n%s", diff)
	}
}

func TestScriptOutcomes(t *testing.T) {
	dir := scriptFolder(t)
	limits := quickLimits()
	limits.timeout = 300 * time.Millisecond
	startHelper(t, dir, 0, limits)
	notExecutable := script(t, dir, "plain", "#!/bin/sh\n")
	if err := os.Chmod(notExecutable, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		argv   []string
		result ScriptResult
		detail string
	}{
		{"success", []string{script(t, dir, "ok", "#!/bin/sh\n")}, ScriptSucceeded, ""},
		{"a name to be found", []string{"true"}, ScriptSucceeded, ""},
		{"no first line", []string{script(t, dir, "bare", "test \"$1\" = arg\n"), "arg"}, ScriptSucceeded, ""},
		{"status", []string{script(t, dir, "three", "#!/bin/sh\nexit 3\n")}, ScriptFailed, "exit status 3"},
		{"signal", []string{script(t, dir, "suicide", "#!/bin/sh\nkill -9 $$\n")}, ScriptFailed, "signal: killed"},
		{"missing", []string{filepath.Join(dir, "nowhere")}, ScriptNotRun, "it does not exist"},
		{"missing name", []string{"no-such-program-anywhere"}, ScriptNotRun, "it does not exist"},
		{"missing interpreter", []string{script(t, dir, "lost", "#!/no/such/shell\n")}, ScriptNotRun, "the program that its first line (#!) names does not exist"},
		{"not executable", []string{notExecutable}, ScriptNotRun, "it may not be executed; chmod +x it, and see that its file system is not mounted noexec"},
		{"a directory", []string{dir}, ScriptNotRun, "it may not be executed; chmod +x it, and see that its file system is not mounted noexec"},
		{"nothing", nil, ScriptNotRun, "the request names no script"},
		{"no name", []string{"", "x"}, ScriptNotRun, "the request names no script"},
		{"too many arguments", []string{"true", strings.Repeat("x", scriptLine)}, ScriptNotRun, "its arguments are too long: 1048621 bytes of at most 1048576"},
		{"too long", []string{script(t, dir, "long", "#!/bin/sh\nsleep 1000\n")}, ScriptEnded, "it ran longer than 300ms (SIGTERM)"},
		{"deaf", []string{script(t, dir, "deaf", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.01; done\n")}, ScriptEnded, "it ran longer than 300ms (SIGKILL)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := startClient(t, dir)
			c.Post("VI_0", tt.argv)
			want := []ScriptOutcome{{ID: 1, Instance: "VI_0", Argv: tt.argv, Result: tt.result, Detail: tt.detail}}
			if diff := cmp.Diff(want, c.wait(t, 1)); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

// What a script that took too long has started ends with it.
func TestScriptGroupEnds(t *testing.T) {
	for _, trap := range []string{"", "trap 'exit 0' TERM", "trap '' TERM"} {
		t.Run(trap, func(t *testing.T) {
			dir := scriptFolder(t)
			limits := quickLimits()
			limits.timeout = 300 * time.Millisecond
			startHelper(t, dir, 0, limits)
			c := startClient(t, dir)
			child := filepath.Join(dir, "child")
			c.Post("VI_0", []string{script(t, dir, "s", `#!/bin/sh
sh -c 'trap "" TERM; echo $$ > $1.tmp; mv $1.tmp $1; while :; do sleep 0.01; done' sh $1 &
`+trap+`
while :; do sleep 0.01; done
`), child})
			if o := c.wait(t, 1)[0]; o.Result != ScriptEnded {
				t.Errorf("outcome: %v", o)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(content(t, child)))
			if err != nil {
				t.Fatal(err)
			}
			soonIs(t, "the child is gone", func() bool { return gone(pid) })
		})
	}
}

// gone is true for what has ended, reaped or not.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	after := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
	return strings.HasPrefix(strings.TrimSpace(after), "Z")
}

// One instance after the other, instances beside each other.
func TestScriptOrder(t *testing.T) {
	dir := scriptFolder(t)
	startHelper(t, dir, 0, quickLimits())
	c := startClient(t, dir)
	// Each of the first instance waits for the one of the same number of the
	// other, so that nothing ends unless they run side by side.
	step := script(t, dir, "s", `#!/bin/sh
mine=$1/$2.$3 other=$1/$4.$3
: > $mine
while ! test -e $other; do sleep 0.01; done
echo $2.$3 >> $1/order.$2
`)
	const n = 8
	for i := range n {
		c.Post("VI_0", []string{step, dir, "a", strconv.Itoa(i), "b"})
	}
	for i := range n {
		c.Post("VI_1", []string{step, dir, "b", strconv.Itoa(i), "a"})
	}
	c.wait(t, 2*n)
	for _, instance := range []string{"a", "b"} {
		var want strings.Builder
		for i := range n {
			fmt.Fprintf(&want, "%s.%d\n", instance, i)
		}
		if diff := cmp.Diff(want.String(), content(t, filepath.Join(dir, "order."+instance))); diff != "" {
			t.Errorf("order of %s (-want +got):\n%s", instance, diff)
		}
	}
}

// A script that hangs while states change runs next for the latest change.
func TestScriptOverflow(t *testing.T) {
	dir := scriptFolder(t)
	h := startHelper(t, dir, 0, quickLimits())
	c := startClient(t, dir)
	gate, order := filepath.Join(dir, "gate"), filepath.Join(dir, "order")
	s := script(t, dir, "s", `#!/bin/sh
echo $3 >> $2
while ! test -e $1; do sleep 0.01; done
`)
	post := func(word string) { c.Post("VI_0", []string{s, gate, order, word}) }
	post("hangs")
	soonIs(t, "the first script runs", exists(order))
	const changes = 20
	for i := range changes {
		post(fmt.Sprintf("own-%d", i))
		post(fmt.Sprintf("any-%d", i))
	}
	left := c.wait(t, 1)
	soonIs(t, "every job was taken or left out", func() bool {
		left = c.told()
		return len(left) == 30 // twice 15 of 17
	})
	for i, o := range left {
		if want := uint64(i + 2); o.ID != want || o.Result != ScriptSuperseded {
			t.Errorf("left out: %v, want job %d", o, want)
		}
	}
	if !h.said("15 notify scripts of VI_0 were left out")() {
		t.Errorf("the helper's log has %q", h.lines)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.wait(t, 1+2*changes)
	want := "hangs\n"
	for i := 15; i < changes; i++ {
		want += fmt.Sprintf("own-%d\nany-%d\n", i, i)
	}
	if diff := cmp.Diff(want, content(t, order)); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
}

// A helper that is not there yet, goes away and comes back.
func TestScriptHelperReturns(t *testing.T) {
	dir := scriptFolder(t)
	out := filepath.Join(dir, "out")
	s := script(t, dir, "s", "#!/bin/sh\necho $2 >> $1\n")
	c := startClient(t, dir)
	var want string
	var helpers []*helper
	for i := range 3 {
		if i > 0 {
			soonIs(t, "the service notices", func() bool { return c.said("the script helper is not there")() })
		}
		word := strconv.Itoa(i)
		c.Post("VI_0", []string{s, out, word})
		h := startHelper(t, dir, 0, quickLimits())
		helpers = append(helpers, h)
		c.wait(t, i+1)
		want += word + "\n"
		if diff := cmp.Diff(want, content(t, out)); diff != "" {
			t.Errorf("run (-want +got):\n%s", diff)
		}
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	}
	if !c.said("the script helper is there again")() {
		t.Errorf("the service's log has %q", c.lines)
	}
	for _, o := range c.told() {
		if o.Result != ScriptSucceeded {
			t.Errorf("outcome: %v", o)
		}
	}
	for _, h := range helpers { // the last may not have got to it yet, the others have
		if h.said("not understood")() {
			t.Errorf("a helper that ended says %q", h.lines)
		}
	}
}

// fakeHelper greets and then does what it is told with the connection.
func fakeHelper(t *testing.T, dir string, do func(conn *net.UnixConn, lines *bufio.Scanner)) {
	t.Helper()
	l, err := listenScripts(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				if _, err := conn.Write([]byte("{\"ready\":true}\n")); err == nil {
					do(conn, bufio.NewScanner(conn))
				}
			})
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
	})
}

// A helper that dies with a script takes its outcome along.
func TestScriptHelperDies(t *testing.T) {
	dir := scriptFolder(t)
	fakeHelper(t, dir, func(_ *net.UnixConn, lines *bufio.Scanner) { lines.Scan() })
	c := startClient(t, dir)
	c.Post("VI_0", []string{"x"})
	want := []ScriptOutcome{{ID: 1, Instance: "VI_0", Argv: []string{"x"}, Result: ScriptUnknown, Detail: "the script helper went away before it said how it ended"}}
	if diff := cmp.Diff(want, c.wait(t, 1)); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

// Outcomes of unknown jobs are not handed on, and nonsense ends the connection.
func TestScriptHelperTalksNonsense(t *testing.T) {
	dir := scriptFolder(t)
	fakeHelper(t, dir, func(conn *net.UnixConn, lines *bufio.Scanner) {
		for lines.Scan() {
			var job scriptJob
			if json.Unmarshal(lines.Bytes(), &job) != nil {
				return
			}
			fmt.Fprintf(conn, "{\"id\":%d,\"result\":\"succeeded\"}\n{\"id\":%d,\"result\":\"succeeded\"}\nnonsense\n", job.ID+1000, job.ID)
		}
	})
	c := startClient(t, dir)
	c.Post("VI_0", []string{"x"})
	soonIs(t, "the log says so", c.said("the script helper says what is not understood"))
	if diff := cmp.Diff([]ScriptOutcome{{ID: 1, Result: ScriptSucceeded}}, c.told()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// A helper that is stuck holds up nobody: Post drops the oldest and says so.
func TestScriptHelperStuck(t *testing.T) {
	for _, accepts := range []bool{true, false} {
		t.Run(fmt.Sprintf("accepts=%v", accepts), func(t *testing.T) {
			dir := scriptFolder(t)
			if accepts {
				held := make(chan struct{})
				fakeHelper(t, dir, func(*net.UnixConn, *bufio.Scanner) { <-held })
				t.Cleanup(func() { close(held) })
			} else {
				l, err := listenScripts(dir)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = l.Close() })
			}
			c := startClient(t, dir)
			const posts = 20_000
			argv := []string{"/usr/bin/notify", strings.Repeat("x", 100)}
			slowest := time.Duration(0)
			for range posts {
				start := time.Now()
				c.Post("VI_0", argv)
				slowest = max(slowest, time.Since(start))
			}
			// Waiting for the helper would last until the test is over.
			if slowest > 5*time.Second {
				t.Errorf("one Post took %v", slowest)
			}
			dropped := c.told()
			if c.end.Drops() == 0 || c.end.Drops() != uint64(len(dropped)) {
				t.Errorf("%d drops counted and %d told", c.end.Drops(), len(dropped))
			}
			for i, o := range dropped {
				if o.Result != ScriptDropped || i > 0 && o.ID <= dropped[i-1].ID || o.ID > posts-scriptRing {
					t.Fatalf("drop %d: job %d %s; want the oldest that waits", i, o.ID, o.Result)
				}
			}
			start := time.Now()
			c.stop()
			if took := time.Since(start); took > scriptLastWords+5*time.Second {
				t.Errorf("Run took %v to end", took)
			}
			if c.end.Drops() != uint64(len(c.told())) {
				t.Errorf("after the end %d drops counted and %d told", c.end.Drops(), len(c.told()))
			}
		})
	}
}

// What is posted just before the service stops is run, and heard of.
func TestScriptOfAStop(t *testing.T) {
	dir := scriptFolder(t)
	startHelper(t, dir, 0, quickLimits())
	for range 20 {
		c := startClient(t, dir)
		c.Post("VI_0", []string{"true"})
		c.Post("VI_0", []string{"false"})
		c.stop()
		var got []ScriptResult
		for _, o := range c.told() {
			got = append(got, o.Result)
		}
		if diff := cmp.Diff([]ScriptResult{ScriptSucceeded, ScriptFailed}, got); diff != "" {
			t.Fatalf("outcomes (-want +got):\n%s", diff)
		}
	}
}

// A script that outlives its service finishes, and its queue after it.
func TestScriptOutlivesItsService(t *testing.T) {
	dir := scriptFolder(t)
	h := startHelper(t, dir, 0, quickLimits())
	gate, begun, ended := filepath.Join(dir, "gate"), filepath.Join(dir, "begun"), filepath.Join(dir, "ended")
	c := startClient(t, dir)
	c.Post("VI_0", []string{script(t, dir, "slow", "#!/bin/sh\n: > $1\nwhile ! test -e $2; do sleep 0.01; done\n"), begun, gate})
	c.Post("VI_0", []string{script(t, dir, "next", "#!/bin/sh\n: > $1\nexit 7\n"), ended})
	soonIs(t, "the script runs", exists(begun))
	c.stop()
	if got := c.told(); len(got) != 0 {
		t.Errorf("outcomes of what runs on: %v", got)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	soonIs(t, "the rest of the queue runs", exists(ended))
	soonIs(t, "the helper logs what nobody hears", h.said("next "+ended+"\" of VI_0 failed: exit status 7"))
}

// A helper that is told to end lets scripts finish, but not for ever.
func TestScriptHelperTold(t *testing.T) {
	tests := []struct {
		name   string
		drain  time.Duration
		result ScriptResult
		detail string
	}{
		{"in time", scriptPatience, ScriptSucceeded, ""},
		{"not in time", 10 * time.Millisecond, ScriptEnded, "the script helper is ending (SIGTERM)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := scriptFolder(t)
			limits := quickLimits()
			limits.drain = tt.drain
			h := startHelper(t, dir, 0, limits)
			c := startClient(t, dir)
			gate, begun := filepath.Join(dir, "gate"), filepath.Join(dir, "begun")
			s := script(t, dir, "s", "#!/bin/sh\n: > $1\nwhile ! test -e $2; do sleep 0.01; done\n")
			c.Post("VI_0", []string{s, begun, gate})
			c.Post("VI_0", []string{"true"})
			soonIs(t, "the script runs", exists(begun))
			ended := make(chan error, 1)
			go func() { ended <- h.stop() }()
			soonIs(t, "nobody is let in", func() bool { return !exists(filepath.Join(dir, Scripts.socket()))() })
			if tt.result == ScriptSucceeded {
				if err := os.WriteFile(gate, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			got := c.wait(t, 2)[0]
			if got.Result != tt.result || got.Detail != tt.detail {
				t.Errorf("outcome: %v", got)
			}
		})
	}
}

// A helper with a linger ends when nobody needs it, and not before.
func TestScriptHelperLingers(t *testing.T) {
	dir := scriptFolder(t)
	l, err := listenScripts(dir)
	if err != nil {
		t.Fatal(err)
	}
	const linger = 300 * time.Millisecond
	var log scriptLog
	ended := make(chan error, 1)
	go func() {
		ended <- serveScripts(context.Background(), l, Options{RuntimeDir: dir, Linger: linger, Log: log.line}, defaultScriptLimits())
	}()
	stillThere := func(why string) {
		t.Helper()
		select {
		case err := <-ended:
			t.Fatalf("it ended while %s: %v", why, err)
		case <-time.After(3 * linger):
		}
	}
	gate, begun := filepath.Join(dir, "gate"), filepath.Join(dir, "begun")
	c := startClient(t, dir)
	c.Post("VI_0", []string{script(t, dir, "s", "#!/bin/sh\n: > $1\nwhile ! test -e $2; do sleep 0.01; done\n"), begun, gate})
	soonIs(t, "the script runs", exists(begun))
	stillThere("a service is connected")
	c.stop()
	stillThere("a script runs")
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(scriptPatience):
		t.Fatalf("it did not end within %v", scriptPatience)
	}
	if took := time.Since(start); took < linger {
		t.Errorf("it ended after %v, before its linger", took)
	}
	if exists(filepath.Join(dir, Scripts.socket()))() {
		t.Error("its socket is left behind")
	}
}

// Whoever gets past the socket's mode is still asked who he is.
func TestScriptStrangerIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	dir := scriptFolder(t)
	h := startHelper(t, dir, 0, quickLimits())
	path := filepath.Join(dir, Scripts.socket())
	for _, name := range []string{dir, path} {
		if err := os.Chmod(name, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	answer := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread stays nobody and dies
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			answer <- errno
			return
		}
		answer <- greets(dir, Scripts, answerPatience)
	}()
	if err := <-answer; err == nil {
		t.Error("the helper greets nobody")
	}
	soonIs(t, "the helper's log says so", h.said("of user 65534 was refused: only root is served"))
	if err := greets(dir, Scripts, answerPatience); err != nil {
		t.Errorf("the helper does not greet root: %v", err)
	}
}

func TestScriptRequests(t *testing.T) {
	tests := []struct {
		name, line string
		want       ScriptOutcome
	}{
		{"good", `{"id":7,"instance":"VI_0","argv":["true"]}`, ScriptOutcome{ID: 7, Instance: "VI_0", Argv: []string{"true"}, Result: ScriptSucceeded}},
		{"no JSON", `run this`, ScriptOutcome{Result: ScriptNotRun, Detail: "the request is not understood: invalid character 'r' looking for beginning of value"}},
		{"unknown field", `{"id":7,"instance":"VI_0","argv":["true"],"user":"nobody"}`, ScriptOutcome{ID: 7, Instance: "VI_0", Argv: []string{"true"}, Result: ScriptNotRun, Detail: `the request is not understood: json: unknown field "user"`}},
		{"two", `{"id":7,"argv":["true"]}{"id":8,"argv":["true"]}`, ScriptOutcome{ID: 7, Argv: []string{"true"}, Result: ScriptNotRun, Detail: "the request is not understood: there is more than one on the line"}},
		{"no script", `{"id":7,"instance":"VI_0"}`, ScriptOutcome{ID: 7, Instance: "VI_0", Result: ScriptNotRun, Detail: "the request names no script"}},
	}
	dir := scriptFolder(t)
	startHelper(t, dir, 0, quickLimits())
	conn, err := net.Dial("unix", filepath.Join(dir, Scripts.socket()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := json.NewDecoder(conn)
	next := func() (o ScriptOutcome) {
		t.Helper()
		if err := errors.Join(conn.SetReadDeadline(time.Now().Add(scriptPatience)), answers.Decode(&o)); err != nil {
			t.Fatal(err)
		}
		o.Seconds = 0
		return o
	}
	if diff := cmp.Diff(ScriptOutcome{Ready: true}, next()); diff != "" {
		t.Errorf("greeting (-want +got):\n%s", diff)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := conn.Write([]byte(tt.line + "\n")); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, next()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// The longest line that can be posted can be run.
func TestScriptLongest(t *testing.T) {
	dir := scriptFolder(t)
	startHelper(t, dir, 0, quickLimits())
	c := startClient(t, dir)
	var argv []string
	for range 9 {
		argv = append(argv, strings.Repeat("x", 100_000)) // one argument has 128 KiB at most
	}
	c.Post("VI_0", append([]string{"true"}, argv...))
	if got := c.wait(t, 1)[0]; got.Result != ScriptSucceeded {
		t.Errorf("%s: %s", got.Result, got.Detail)
	}
}

func TestScriptOutcomeLine(t *testing.T) {
	for _, tt := range []struct {
		o    ScriptOutcome
		want string
	}{
		{ScriptOutcome{Instance: "INSTANCE VI_0", Argv: []string{"/s", "a"}, Result: ScriptSucceeded, Seconds: 0.0123}, `notify script "/s a" of INSTANCE VI_0 succeeded (after 0.012 s)`},
		{ScriptOutcome{Instance: "GROUP G", Argv: []string{"/s"}, Result: ScriptNotRun, Detail: "it does not exist"}, `notify script "/s" of GROUP G could not run: it does not exist`},
		{ScriptOutcome{Instance: "GROUP G", Argv: []string{"/s"}, Result: ScriptUnknown}, `notify script "/s" of GROUP G is unknown`},
	} {
		if got := tt.o.String(); got != tt.want {
			t.Errorf("got %s\nwant %s", got, tt.want)
		}
	}
}

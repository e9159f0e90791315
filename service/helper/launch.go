package helper

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// commandOf is the command line of a launched helper, in a session of its own.
func commandOf(program, dir string, h Kind) *exec.Cmd {
	cmd := exec.Command(program, "helper", string(h), "--runtime-dir", dir, "--linger", lingerTime.String(), "--launched")
	cmd.Args[0] = "standfast"
	cmd.Dir = "/"
	cmd.Env = scriptEnvironment(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// Launch sees to it that somebody keeps the helpers there: units do where they answer and no launcher is to be found,
// else a launcher does, which is started. The service calls it before READY and never afterwards, since it forks. It does not
// wait for the helpers themselves: what hangs on a disk holds up no start.
func Launch(runtimeDir string) error { return launch(selfProgram, runtimeDir) }

func launch(program, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("cannot start the helpers: %w", err)
	}
	sealDescriptors()
	if answers(dir, Launcher) || answers(dir, Scripts) && answers(dir, Disk) {
		return nil
	}
	started, err := startChild(commandOf(program, dir, Launcher), new(forks))
	if err != nil {
		return fmt.Errorf("cannot start the helpers: %w", err)
	}
	patience := time.Now().Add(startPatience)
	for !answers(dir, Launcher) {
		switch {
		case started.ended():
			return fmt.Errorf("the launcher ended at once: %v; run %q by hand to see why", started.err, started.cmd)
		case time.Now().After(patience):
			return fmt.Errorf("the launcher does not answer in %s: %w", dir, context.DeadlineExceeded)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

func answers(dir string, h Kind) bool { return greets(dir, h, glance) == nil }

// tether ties a launched helper to the launcher, which learns from it that the helper lives.
type tether struct {
	dir    string
	helper Kind // "" for the service
	// heard is given what the launcher says; there says whether it speaks at all.
	heard func(launchWord)
	there func(bool)
	// relaunch, where set, starts another launcher where the old one has gone; it is called again and again.
	relaunch func()
}

// Pauses of a tether that has lost its launcher: tries to find it again, and patience before another is started.
const (
	tetherPause    = 50 * time.Millisecond
	tetherLast     = 2 * time.Second
	tetherPatience = 500 * time.Millisecond
)

// run keeps the connection until ctx ends.
func (t *tether) run(ctx context.Context) {
	rest, lost := tetherPause, time.Now()
	for ctx.Err() == nil {
		if t.converse(ctx) {
			rest, lost = tetherPause, time.Now()
		}
		if ctx.Err() != nil {
			return
		}
		if t.there != nil {
			t.there(false)
		}
		if t.relaunch != nil && time.Since(lost) > tetherPatience {
			t.relaunch()
		}
		pause(ctx, rest)
		rest = min(2*rest, tetherLast)
	}
}

// converse is one connection, from its beginning to its end.
func (t *tether) converse(ctx context.Context) (greeted bool) {
	c, err := dial(filepath.Join(t.dir, Launcher.socket()))
	if err != nil {
		return false
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	line := lineOf(hello{t.helper})
	go c.beat(ctx, func() []byte { return line })
	_ = c.listen(func(line []byte) error { // it ends, however it does
		greeted = true
		if t.there != nil {
			t.there(true)
		}
		if t.heard == nil {
			return nil // that it speaks is enough
		}
		var w launchWord
		if err := json.Unmarshal(line, &w); err != nil {
			return err
		}
		t.heard(w)
		return nil
	})
	return greeted
}

// relauncher starts another launcher where the one that was there has gone. Those that do not come up are bounded: they
// hang in the kernel, likely on a disk.
type relauncher struct {
	program, dir string
	forks        *forks
	log          func(string)
	needed       func() bool
	children     []*child
	last         time.Time
}

// start is called again and again while the launcher is missing.
func (r *relauncher) start() {
	r.children = slices.DeleteFunc(r.children, (*child).ended)
	if !r.needed() || len(r.children) > 0 && time.Since(r.last) < 2*startPatience || len(r.children) >= mostLaunchers {
		return
	}
	c, err := startChild(commandOf(r.program, r.dir, Launcher), r.forks)
	if err != nil {
		r.log(fmt.Sprintf("cannot start a launcher in the place of the one that is gone: %v", err))
		return
	}
	r.last, r.children = time.Now(), append(r.children, c)
}

// mostLaunchers are left behind at most.
const mostLaunchers = 4

// tie keeps a launched helper tied to its launcher until ctx ends.
func tie(ctx context.Context, o Options, h Kind, relaunch func()) {
	if o.Launched {
		(&tether{dir: o.RuntimeDir, helper: h, relaunch: relaunch}).run(ctx)
	}
}

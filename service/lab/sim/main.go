// Command sim runs simulated worlds, one per seed, on all cores: routers with the real brain, everything around them that can
// go wrong, and the invariants that must hold all the while. It exits with 0 only if they did. What violates one is shrunk to
// the smallest story that still does, and written to a file that replays.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"standfast/vrrp/world"
)

// defaultWorlds is how many worlds are run where nobody says: about a minute on two cores.
const defaultWorlds = 4000

// garbage is the percentage by which the heap may grow between two collections. Worlds are small and short-lived; collecting
// their remains rarely costs some 60 MB and is a fifth faster.
const garbage = 1600

func main() {
	debug.SetGCPercent(garbage)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// plan is what the flags ask for.
type plan struct {
	worlds     uint64 // 0: until the time is up
	time       time.Duration
	from       uint64
	one        *uint64 // a single seed
	story      string  // a file to replay
	all        bool    // tell every event and action
	stories    string  // folder for what fails
	violations int
	workers    int
}

func run(ctx context.Context, args []string, out, progress io.Writer) int {
	p, err := parse(args, progress)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(progress, "sim:", err)
		return 2
	}
	var held bool
	switch {
	case p.story != "":
		held, err = p.replay(out)
	case p.one != nil:
		held, err = p.tell(*p.one, out)
	default:
		held, err = p.survey(ctx, out, progress)
	}
	if err != nil {
		fmt.Fprintln(progress, "sim:", err)
	}
	if err != nil || !held {
		return 1
	}
	return 0
}

func parse(args []string, complaints io.Writer) (plan, error) {
	p := plan{workers: runtime.GOMAXPROCS(0)}
	flags := flag.NewFlagSet("sim", flag.ContinueOnError)
	flags.SetOutput(complaints)
	flags.Uint64Var(&p.worlds, "seeds", 0, fmt.Sprintf("how `many` worlds to run, from the first seed on (default %d, or as many as -for has time for)", defaultWorlds))
	flags.DurationVar(&p.time, "for", 0, "how `long` to run worlds, such as 10m")
	flags.Uint64Var(&p.from, "from", 0, "the first `seed`")
	flags.Func("seed", "run this `seed` only, and print its story and what happened", func(s string) error {
		seed, err := strconv.ParseUint(s, 0, 64)
		p.one = &seed
		return err
	})
	flags.StringVar(&p.story, "story", "", "replay this `file`, and print it with what happens now")
	flags.BoolVar(&p.all, "all", false, "print with -seed or -story every event that a router is told of and every action it wants")
	flags.StringVar(&p.stories, "stories", "sim-stories", "`folder` for the stories of violations")
	flags.IntVar(&p.violations, "violations", 1, "stop after so `many` violations")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	switch {
	case flags.NArg() > 0:
		return p, fmt.Errorf("%q: expected flags only; -h lists them", flags.Arg(0))
	case p.one != nil && p.story != "":
		return p, errors.New("-seed and -story: expected one of them")
	case p.violations < 1:
		return p, errors.New("-violations: expected 1 or more")
	case p.time < 0:
		return p, errors.New("-for: expected a time to come")
	case p.worlds == 0 && p.time == 0:
		p.worlds = defaultWorlds
	}
	return p, nil
}

// replay tells a story from a file again.
func (p plan) replay(out io.Writer) (held bool, err error) {
	text, err := os.ReadFile(p.story)
	if err != nil {
		return false, err
	}
	told, result, err := world.Replay(string(text))
	if err != nil {
		return false, fmt.Errorf("%s: %w", p.story, err)
	}
	if p.all {
		s, err := world.ParseStory(string(text))
		if err != nil {
			return false, err
		}
		told = s.Text(s.TellAll())
	}
	_, err = io.WriteString(out, told)
	return result.Violation == nil, err
}

// tell prints the story of one seed and what comes of it.
func (p plan) tell(seed uint64, out io.Writer) (held bool, err error) {
	s := world.StoryOf(seed)
	result := s.Tell()
	if p.all {
		result = s.TellAll()
	}
	if _, err := io.WriteString(out, s.Text(result)); err != nil || result.Violation == nil {
		return err == nil, err
	}
	return false, p.report(result, out)
}

// report shrinks the story of a world that failed, writes it to a file and says where.
func (p plan) report(r world.Result, out io.Writer) error {
	small := world.Shrink(world.StoryOf(r.Seed))
	told := small.Tell()
	text := fmt.Sprintf("# Seed %#x violated %s\n%s", r.Seed, r.Violation, small.Text(told))
	name := filepath.Join(p.stories, fmt.Sprintf("%s-%#x.story", r.Violation.Invariant, r.Seed))
	if err := os.MkdirAll(p.stories, 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "violation %s seed %#x: %s\n  shrunk to %s\n", r.Violation.Invariant, r.Seed, r.Violation, name)
	return err
}

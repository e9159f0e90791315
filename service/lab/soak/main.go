// Command soak does to a pair of routers, for minutes, what a router must survive: everybody to whom it speaks stands still,
// its processes are stopped and killed, its loop deadlocks, its disk hangs. It judges from outside: who answers for the virtual
// addresses, what goes onto the cable and when, and what a supervisor that plays PID 1 hears. It exits with 0 only if every story
// ended as promised.
//
//	soak [-for 10m] [-jobs 1] [STORY…]
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"standfast/hw/hwtest"
	"standfast/hw/process"
)

func main() { os.Exit(hwtest.Main(func() int { return run(os.Args[1:]) })) }

// A plan is what the command line asks for.
type plan struct {
	standfast string
	trouble   time.Duration
	jobs      int
	stories   []story
}

func run(args []string) int {
	hasten()
	p, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 2
	}
	scratch, err := os.MkdirTemp("", "standfast-soak-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 1
	}
	defer os.RemoveAll(scratch)
	os.Setenv("TMPDIR", scratch) // the pairs' files go with it too; everything else goes with this process
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	told := make(chan int, 1)
	go func() { told <- p.report(scratch) }()
	select {
	case status := <-told:
		return status
	case <-interrupted:
		fmt.Fprintln(os.Stderr, "soak: interrupted")
		return 1
	}
}

// report tells the stories, prints the table and returns the exit status.
func (p plan) report(scratch string) int {
	rows, err := p.tell(programs{product: p.standfast, defective: sync.OnceValues(func() (string, error) { return buildProgram(scratch, true) })})
	table(os.Stdout, p.trouble, rows)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 1
	}
	if slices.ContainsFunc(rows, func(r row) bool { return len(r.complaints) > 0 || r.busy != "" }) {
		return 1
	}
	return 0
}

// hasten puts this process before ordinary work where that is permitted: it is the cables, and cables do not wait.
func hasten() { process.SetSchedule(process.Schedule{Nice: -10}) }

func parse(args []string) (plan, error) {
	var p plan
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "usage: soak [flag...] [STORY...]\n")
		flags.PrintDefaults()
		for _, y := range stories() {
			fmt.Fprintf(flags.Output(), "  %s\n    \t%s\n", y.name, y.promise)
		}
	}
	flags.StringVar(&p.standfast, "standfast", "bin/standfast", "the `program` to judge")
	flags.DurationVar(&p.trouble, "for", 10*time.Minute, "how `long` the trouble of a story lasts, where it has no length of its own")
	flags.IntVar(&p.jobs, "jobs", 1, "how `many` stories are told at a time; with more than one the lateness of adverts is shown, and not judged")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	if _, err := os.Stat(p.standfast); err != nil {
		return p, fmt.Errorf("%w; build it first: ./build.sh build", err)
	}
	if p.jobs < 1 || p.trouble <= 0 {
		return p, errors.New("-jobs and -for must be positive")
	}
	if flags.NArg() == 0 {
		p.stories = stories()
	}
	for _, name := range flags.Args() {
		at := slices.IndexFunc(stories(), func(y story) bool { return y.name == name })
		if at < 0 {
			return p, fmt.Errorf("there is no story %q; -h lists all", name)
		}
		p.stories = append(p.stories, stories()[at])
	}
	return p, nil
}

// tell tells the stories, some at a time, and says how each ended as it does. A story that could not be told does not keep the
// others from being told.
func (p plan) tell(run programs) ([]row, error) {
	rows, errs := make([]row, len(p.stories)), make([]error, len(p.stories))
	var telling sync.Mutex
	next := make(chan int)
	var workers sync.WaitGroup
	for range p.jobs {
		workers.Go(func() {
			for i := range next {
				y := p.stories[i]
				r, err := y.tell(run, p.trouble, p.jobs > 1)
				telling.Lock()
				rows[i] = r
				if err != nil {
					errs[i] = fmt.Errorf("story %s: %w", y.name, err)
				}
				fmt.Printf("%s %s (%s): %s\n%s", time.Now().Format(time.TimeOnly), y.name, strings.Join(r.figures(), ", "), r.verdict(), r.journal)
				telling.Unlock()
			}
		})
	}
	for i := range p.stories {
		next <- i
	}
	close(next)
	workers.Wait()
	return rows, errors.Join(errs...)
}

// table prints how the stories ended.
func table(out io.Writer, trouble time.Duration, rows []row) {
	fmt.Fprintf(out, "\ntrouble for %v where a story has no length of its own; lateness of adverts as they leave, p50/p99/max;\n"+
		"doubled: how long two routers answered for one address at the longest\n\n", trouble)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "story\tlasted\ttransitions\tadverts\tlate\tdoubled\tdropped\tbitten\tverdict")
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(slices.Concat([]string{r.story.name}, r.figures(), []string{r.verdict()}), "\t"))
	}
	w.Flush()
}

// Command demo tells the four stories of the crossover cable live, on the kernel it runs on: two routers in throw-away
// namespaces, cables with a real carrier, an observer outside. It exits with 0 only if every story ended as promised.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"standfast/hw/hwtest"
	"standfast/service/lab"
)

func main() { os.Exit(hwtest.Main(func() int { return run(os.Args[1:]) })) }

// A plan is what the flags ask for.
type plan struct {
	standfast  string
	keepalived string
	watch      time.Duration
	stories    []lab.Story
}

func run(args []string) int {
	p, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 2
	}
	ok, err := p.tell()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	if !ok {
		return 1
	}
	return 0
}

func parse(args []string) (plan, error) {
	var p plan
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.StringVar(&p.standfast, "standfast", "bin/standfast", "the `program` to demonstrate")
	flags.StringVar(&p.keepalived, "keepalived", "", "keepalived's `program`, to be told the same stories; found in PATH if empty, \"none\" for none")
	flags.DurationVar(&p.watch, "watch", 10*time.Second, "how `long` to watch after each story's last event")
	keys := flags.String("stories", "abcd", "`which` of the four stories to tell")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	if _, err := os.Stat(p.standfast); err != nil {
		return p, fmt.Errorf("%w; build it first: ./build.sh build", err)
	}
	if p.keepalived == "" {
		p.keepalived, _ = exec.LookPath("keepalived") // not installed: no yardstick
	}
	for _, s := range lab.Stories() {
		if strings.ContainsRune(*keys, rune(s.Key)) {
			p.stories = append(p.stories, s)
		}
	}
	if len(p.stories) == 0 {
		return p, fmt.Errorf("no story in %q: choose from a, b, c and d", *keys)
	}
	return p, nil
}

// tell tells every story, the yardstick's too, and prints the table. It returns whether the product kept its promises.
func (p plan) tell() (bool, error) {
	rows := make([]row, len(p.stories))
	kept := true
	for i, story := range p.stories {
		o, err := p.narrated(story)
		if err != nil {
			return false, fmt.Errorf("story (%c): %w", story.Key, err)
		}
		kept = kept && len(o.Complaints()) == 0
		rows[i].standfast = o
	}
	if p.keepalived != "" && p.keepalived != "none" {
		p.yardstick(rows)
	}
	p.table(rows)
	return kept, nil
}

// A row is one story of the table.
type row struct {
	standfast   lab.Outcome
	def, dont   lab.Outcome // keepalived, by default and with dont_track_primary
	defErr, err error
}

// narrated tells one story of standfast live.
func (p plan) narrated(story lab.Story) (lab.Outcome, error) {
	fmt.Printf("\n(%c) %s\n    promised: %s\n", story.Key, story.Title, story.Promise)
	start := time.Now()
	o, err := lab.Tell(story, lab.Standfast(p.standfast), p.watch, func(at time.Time, what string) {
		fmt.Printf("    %8.3f s  %s\n", at.Sub(start).Seconds(), what)
	})
	if err != nil {
		return o, err
	}
	for i, why := range o.Why {
		present, _, _ := strings.Cut(why, "\n\n") // what follows is how it came there
		for line := range strings.Lines(present) {
			fmt.Printf("    %c says      %s\n", 'A'+i, strings.TrimSuffix(line, "\n"))
		}
	}
	complaints := o.Complaints()
	if len(complaints) == 0 {
		fmt.Printf("    as promised: %s\n", o.Figures())
	}
	for _, c := range complaints {
		fmt.Printf("    NOT AS PROMISED: %s\n", c)
	}
	return o, nil
}

// yardstick tells keepalived the same stories, both of its manners at a time, so that the table has something to be compared with.
func (p plan) yardstick(rows []row) {
	fmt.Printf("\nthe same stories, told to %s\n", p.keepalived)
	silent := func(time.Time, string) {}
	watch := max(p.watch, lab.MasterDown+2*time.Second) // less would hide the second master
	for i, story := range p.stories {
		var wait sync.WaitGroup
		r := &rows[i]
		wait.Go(func() { r.def, r.defErr = lab.Tell(story, lab.Keepalived(p.keepalived, false), watch, silent) })
		wait.Go(func() { r.dont, r.err = lab.Tell(story, lab.Keepalived(p.keepalived, true), watch, silent) })
		wait.Wait()
	}
}

// table prints what was measured.
func (p plan) table(rows []row) {
	fmt.Printf("\nmeasured here, advert_int 1, watched for %v; takeover = every address and route in the kernel and announced\n\n", p.watch)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	header := "\tstandfast"
	compared := rows[0].def.Daemon.Program != "" || rows[0].defErr != nil
	if compared {
		header += "\tkeepalived\tkeepalived dont_track_primary"
	}
	fmt.Fprintln(w, header)
	for _, r := range rows {
		line := fmt.Sprintf("(%c) %s\t%s", r.standfast.Story.Key, r.standfast.Story.Title, r.standfast.Figures())
		if compared {
			line += fmt.Sprintf("\t%s\t%s", figures(r.def, r.defErr), figures(r.dont, r.err))
		}
		fmt.Fprintln(w, line)
	}
	w.Flush()
}

func figures(o lab.Outcome, err error) string {
	if err != nil {
		return "failed: " + strings.SplitN(err.Error(), "\n", 2)[0]
	}
	return o.Figures()
}

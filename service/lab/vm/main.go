// Command vm is the machine laboratory: two virtual machines with systemd, a card of four ports, a hardware watchdog and a disk that can die, the
// package installed on both, and stories in which they lose power, cables, cards, disks and their minds. Whoever judges is outside: the laboratory owns
// the LAN and the WAN between which the machines route, and asks who answers.
//
// It exits with 0 if every story ended as promised, also where no machine can be run, which it says.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"standfast/service/lab/vm/machine"
)

func main() { os.Exit(run(os.Args[1:])) }

// A plan is what the flags ask for.
type plan struct {
	cache    string
	packages string
	short    bool
	stories  []story
	drawings string
	accel    string
}

func run(args []string) int {
	if len(args) == 2 && args[0] == "hold" {
		return hold(args[1])
	}
	p, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "vm:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	switch wrong, err := p.tell(ctx); {
	case errors.Is(err, machine.ErrNoMachine):
		fmt.Println("vm: skipped:", err)
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "vm:", err)
		return 1
	case wrong > 0:
		return 1
	}
	return 0
}

func parse(args []string) (p plan, err error) {
	flags := flag.NewFlagSet("vm", flag.ContinueOnError)
	flags.StringVar(&p.cache, "cache", "bin/vm-disk", "the `folder` where the machines' disk is kept for the next time")
	flags.StringVar(&p.packages, "packages", "bin/vm-packages", "the `folder` with the packages: the installed one and a newer one")
	flags.BoolVar(&p.short, "short", false, "only the stories that the tests tell, without keepalived")
	flags.StringVar(&p.drawings, "draw", "", "draw the stories of the crossover cable into this `folder`")
	flags.StringVar(&p.accel, "accel", "", "how machines are run: `tcg` or kvm; kvm if it is shown to work")
	only := flags.String("stories", "", "the stories to tell, by their `letters`: a,e,h")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "vm tells these stories, on two virtual machines:")
		for _, s := range stories() {
			fmt.Fprintf(flags.Output(), "  %-3s %s\n", s.key, s.title)
		}
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	if flags.NArg() > 0 {
		return p, fmt.Errorf("%q is no flag; -h lists them", flags.Args())
	}
	p.stories, err = choose(strings.FieldsFunc(*only, func(r rune) bool { return r == ',' }), p.short)
	return p, err
}

// choose returns the stories that are wanted, in the order in which they are told: by their keys, or several by the letter of theirs.
func choose(wanted []string, short bool) (chosen []story, err error) {
	means := func(w string, s story) bool { return w == s.key || w == strings.TrimRight(s.key, "0123456789") }
	for _, w := range wanted {
		if !slices.ContainsFunc(stories(), func(s story) bool { return means(w, s) }) {
			return nil, fmt.Errorf("%q is none of the stories; -h lists them", w)
		}
	}
	for _, s := range stories() {
		if len(wanted) == 0 && (!short || s.short) || slices.ContainsFunc(wanted, func(w string) bool { return means(w, s) }) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// tell tells the stories, and returns in how many something was wrong.
func (p plan) tell(ctx context.Context) (wrong int, err error) {
	l := &lab{out: os.Stdout}
	if l.folder, err = makeFolder(); err != nil {
		return 0, err
	}
	defer os.RemoveAll(l.folder)
	began := time.Now()
	if l.image, err = p.image(ctx); err != nil {
		return 0, err
	}
	if l.accel = p.accel; l.accel == "" {
		l.accel = machine.Accelerator(ctx, l.image)
	}
	fmt.Printf("machines by %s; their disk is ready after %v\n", l.accel, time.Since(began).Round(time.Second))
	if err := l.pack(p.packages); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := l.open(); err != nil {
		return 0, err
	}
	return p.play(ctx, l)
}

// image makes the disk, and keeps what that said for the case that it fails.
func (p plan) image(ctx context.Context) (machine.Image, error) {
	cache, err := filepath.Abs(p.cache)
	if err != nil {
		return machine.Image{}, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return machine.Image{}, err
	}
	log, err := os.Create(filepath.Join(cache, "image.log"))
	if err != nil {
		return machine.Image{}, err
	}
	defer log.Close()
	image, err := machine.Build(ctx, cache, log)
	if err != nil {
		err = fmt.Errorf("%w (see %s)", err, log.Name())
	}
	return image, err
}

// play tells each story with each daemon.
func (p plan) play(ctx context.Context, l *lab) (wrong int, err error) {
	var all []outcome
	for _, s := range p.stories {
		for _, d := range s.daemons {
			if p.short && d != standfast {
				continue // keepalived is for comparison
			}
			l.say("(%s) %s: %s", s.key, d, s.title)
			if err := l.ready(ctx, d); err != nil {
				return wrong, fmt.Errorf("story %s could not begin: %w", s.key, err)
			}
			w := l.watch(s.key, d)
			err := errors.Join(s.tell(ctx, w), w.draw(p.drawings))
			o := w.out
			if err != nil {
				o.Wrong = append(o.Wrong, err.Error())
			}
			if len(o.Wrong) > 0 {
				wrong++
			}
			l.say("    %s%s", o.figures(), strings.Join(prefixed("\n             WRONG: ", o.Wrong), ""))
			all = append(all, o)
			if ctx.Err() != nil {
				return wrong, ctx.Err()
			}
		}
	}
	wrong += report(os.Stdout, all)
	return wrong, nil
}

func prefixed(with string, lines []string) (out []string) {
	for _, line := range lines {
		out = append(out, with+line)
	}
	return out
}

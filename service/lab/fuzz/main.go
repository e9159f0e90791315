// Command fuzz runs every fuzz target of the tree for a while, one after the other, and prints what each came to. It exits with 1
// if one failed; the input that did it is left in testdata/fuzz beside the target, under a name that asks for a better one. With
// -keep it copies the few inputs that reach what the committed ones do not from the cache into the tree, to be committed.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout)) }

// A plan is what the flags ask for.
type plan struct {
	each    time.Duration
	workers int
	keep    bool
	names   []string // of targets; none: all
}

// A target is one fuzz function.
type target struct{ pkg, name string }

func run(args []string, out io.Writer) int {
	p, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		return 2
	}
	failed, err := p.run(out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		return 1
	}
	if failed {
		return 1
	}
	return 0
}

func parse(args []string) (plan, error) {
	var p plan
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: fuzz [flag...] [target...]")
		flags.PrintDefaults()
	}
	flags.DurationVar(&p.each, "for", time.Minute, "how long each target is fuzzed; 0 leaves that out")
	flags.IntVar(&p.workers, "parallel", max(runtime.NumCPU()/2, 1), "`processes` that fuzz at once")
	flags.BoolVar(&p.keep, "keep", false, "copy the inputs that reach new code into testdata/fuzz")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	if p.each < 0 || p.workers < 1 {
		return p, errors.New("-for wants a time, and -parallel at least one process")
	}
	p.names = flags.Args()
	return p, nil
}

// run fuzzes what was asked for and tells whether anything failed.
func (p plan) run(out io.Writer) (failed bool, err error) {
	list, err := command("go", "test", "-list", "^Fuzz", "./...").Output()
	if err != nil {
		return false, fmt.Errorf("cannot list the fuzz targets: %w\n%s", err, list)
	}
	targets, err := p.choose(listed(string(list)))
	if err != nil {
		return false, err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "target\tpackage\texecutions\tnew\tfailed\tkept\t")
	var broken []string
	for _, t := range targets {
		r, err := p.fuzz(t)
		if err != nil {
			return true, err
		}
		kept := 0
		if p.keep && r.failure == "" {
			if kept, err = keep(t); err != nil {
				return true, fmt.Errorf("%s: cannot keep its inputs: %w", t.name, err)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t\n", t.name, t.pkg, r.executions, r.fresh, min(len(r.failure), 1), kept)
		if r.failure != "" {
			broken = append(broken, fmt.Sprintf("%s in %s:\n%s", t.name, t.pkg, r.failure))
		}
	}
	if err := w.Flush(); err != nil {
		return true, err
	}
	for _, b := range broken {
		fmt.Fprintf(out, "\n%s\n", b)
	}
	return len(broken) > 0, nil
}

// choose picks the targets that were named.
func (p plan) choose(all []target) ([]target, error) {
	if len(p.names) == 0 {
		return all, nil
	}
	var chosen, rest []target = nil, all
	for _, name := range p.names {
		found := slices.DeleteFunc(slices.Clone(rest), func(t target) bool { return t.name != name })
		if len(found) == 0 {
			return nil, fmt.Errorf("there is no target %s; there are: %s", name, names(all))
		}
		chosen = append(chosen, found...)
	}
	return chosen, nil
}

func names(all []target) string {
	var list []string
	for _, t := range all {
		list = append(list, t.name)
	}
	return strings.Join(list, ", ")
}

// fuzz runs one target. A target that fails is a result, one that cannot run an error.
func (p plan) fuzz(t target) (result, error) {
	if p.each == 0 {
		return result{}, nil
	}
	fmt.Fprintf(os.Stderr, "%s in %s for %v\n", t.name, t.pkg, p.each)
	// Without a bound the engine spends most of its time on making inputs smaller that are no failures.
	c := command("go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", p.each.String(), "-fuzzminimizetime", "10x",
		"-parallel", fmt.Sprint(p.workers), t.pkg)
	text, err := c.Output()
	r := read(string(text))
	if err != nil && r.failure == "" {
		return r, fmt.Errorf("%s cannot be fuzzed: %w\n%s", t.name, err, text)
	}
	return r, nil
}

// command is a tool of Go on the tree, without cgo as everything that is no race test.
func command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	c.Stderr = os.Stderr
	return c
}

// output runs a tool and returns the one line it prints.
func output(name string, args ...string) (string, error) {
	text, err := command(name, args...).Output()
	return string(bytes.TrimSpace(text)), err
}

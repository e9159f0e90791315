// Command bench measures how fast the BACKUP of the pair serves after the MASTER's power went, over many calibrated runs, and
// how often it takes over from a MASTER that only paused. It exits with 0 only if the figures are as promised.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"text/tabwriter"
	"time"

	"standfast/hw/hwtest"
	"standfast/service/lab"
)

// What is promised of an idle machine at advert_int 1.
const (
	promisedMedian = 20 * time.Millisecond
	promisedWorst  = lab.TakeoverBound
	promisedRatio  = 100 // medians, keepalived with dont_track_primary to standfast
)

func main() {
	switch os.Getenv(roleVariable) {
	case burnRole:
		burn()
	case floorRole:
		if err := beFloor(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(hwtest.Main(func() int { return run(os.Args[1:], os.Stdout) }))
}

// A plan is what the flags ask for.
type plan struct {
	standfast, keepalived string
	runs, disturbed       int
	yardstick, pauses     int
	json                  bool
	rest                  []string // what else is to be measured, with flags of its own
}

func run(args []string, out io.Writer) int {
	p, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	if len(p.rest) > 0 {
		return runSecond(p, out)
	}
	result, err := p.measure()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	result.Broken = result.broken()
	if p.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(result)
	} else {
		err = result.table(out)
	}
	if err != nil || len(result.Broken) > 0 {
		return 1
	}
	return 0
}

// runSecond measures what the word behind the flags names.
func runSecond(p plan, out io.Writer) int {
	if p.rest[0] != "body" {
		fmt.Fprintf(os.Stderr, "bench: %q is nothing that can be measured; body is\n", p.rest[0])
		return 2
	}
	b, err := parseBody(p, p.rest[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench body:", err)
		return 2
	}
	return runBody(b, out)
}

func parse(args []string) (plan, error) {
	var p plan
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&p.standfast, "standfast", "bin/standfast", "the `program` to measure")
	flags.StringVar(&p.keepalived, "keepalived", "", "keepalived's `program`, the yardstick; found in PATH if empty, \"none\" for none")
	flags.IntVar(&p.runs, "runs", 100, "power-offs")
	flags.IntVar(&p.disturbed, "disturbed", 50, "power-offs within a second after another port's carrier changed")
	flags.IntVar(&p.yardstick, "yardstick", 20, "power-offs of keepalived")
	flags.IntVar(&p.pauses, "pauses", 20, "pauses of 20 ms as the cable is cut")
	flags.BoolVar(&p.json, "json", false, "print JSON instead of a table")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: bench [flag...]             takeovers")
		fmt.Fprintln(flags.Output(), "       bench [flag...] body [flag...]  how late adverts leave a busy machine, memory, idle processor time; body -h lists its flags")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	p.rest = flags.Args()
	if _, err := os.Stat(p.standfast); err != nil {
		return p, fmt.Errorf("%w; build it first: ./build.sh build", err)
	}
	if p.keepalived == "" {
		p.keepalived, _ = exec.LookPath("keepalived") // not installed: no yardstick
	}
	if p.keepalived == "none" {
		p.keepalived = ""
	}
	return p, nil
}

// measure does everything that was asked for, saying on standard error how far it is.
func (p plan) measure() (result, error) {
	var r result
	err := onPair(lab.Standfast(p.standfast), func(s *series) error {
		for i := range max(p.runs, p.disturbed) {
			if i < p.runs {
				if err := s.run(&r.Quiet, false); err != nil {
					return err
				}
			}
			if i < p.disturbed {
				if err := s.run(&r.Noisy, true); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for i := 0; i < p.pauses && err == nil; i++ {
		err = onPair(lab.Standfast(p.standfast), func(s *series) error { // a pair each: not every pause ends where it began
			pause, err := s.pause()
			r.Pauses = append(r.Pauses, pause)
			progress("pause %d/%d: %+v", i+1, p.pauses, pause)
			return err
		})
	}
	if err != nil || p.keepalived == "" {
		return r, err
	}
	err = onPair(lab.Keepalived(p.keepalived, true), func(s *series) error {
		for range p.yardstick {
			if err := s.run(&r.Keepalived, false); err != nil {
				return err
			}
		}
		return nil
	})
	return r, err
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// table prints the result for people.
func (r result) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "after the carrier dropped, ms\truns\tmedian\tp90\tworst\tmedian: addresses\troutes\tannounced\t")
	for _, row := range []struct {
		name string
		figures
	}{{"standfast", r.Quiet}, {"standfast, another port changed within 1 s", r.Noisy}, {"keepalived dont_track_primary", r.Keepalived}} {
		if row.Runs == 0 {
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t\n", row.name, row.Runs, row.Median, row.P90, row.Worst,
			row.Addresses, row.Routes, row.Announced)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Keepalived.Runs > 0 && r.Quiet.Runs > 0 {
		fmt.Fprintf(out, "\nratio of medians: %.0f\n", r.ratio())
	}
	if len(r.Pauses) > 0 {
		taken, recanted, both := r.recants()
		fmt.Fprintf(out, "\nMASTER paused for 20 ms as the cable was cut, %d times: %d takeovers, %d recanted, both held an address for %v at most\n",
			len(r.Pauses), taken, recanted, both.Round(time.Millisecond))
	}
	for _, b := range r.Broken {
		fmt.Fprintln(out, "NOT AS PROMISED:", b)
	}
	return nil
}

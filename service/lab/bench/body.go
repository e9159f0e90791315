package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"standfast/hw/hwtest"
	"standfast/service"
	"standfast/service/lab"
)

// What is promised of the body.
const (
	promisedLateness = 4 * time.Millisecond // p99.99, with real-time scheduling
	promisedPSS      = 16.0                 // MB, all processes, one instance
)

// advertEvery is the shortest interval that keepalived knows.
const advertEvery = 10 * time.Millisecond

// churnEvery is how often the daemon is asked for its status while adverts are measured, so that it makes garbage.
const churnEvery = 50 * time.Millisecond

// A bodyPlan is what the flags of "bench body" ask for.
type bodyPlan struct {
	plan
	adverts, instances, busy int
	idle                     time.Duration
	realTime                 string
}

func parseBody(p plan, args []string) (bodyPlan, error) {
	b := bodyPlan{plan: p}
	flags := flag.NewFlagSet("bench body", flag.ContinueOnError)
	flags.IntVar(&b.adverts, "adverts", 100_000, "adverts of each daemon and kind of scheduling; 0: lateness is not measured")
	flags.IntVar(&b.instances, "instances", 10, "virtual routers that send them side by side, every 10 ms each")
	flags.IntVar(&b.busy, "busy", 4, "busy processes that make garbage beside them")
	flags.StringVar(&b.realTime, "realtime", "both", "scheduling: on, off or both")
	flags.DurationVar(&b.idle, "idle", time.Minute, "how `long` the processor time of an idle daemon is measured; 0: not, nor its memory")
	flags.BoolVar(&b.json, "json", b.json, "print JSON instead of a table")
	if err := flags.Parse(args); err != nil {
		return b, err
	}
	if flags.NArg() > 0 || !slices.Contains([]string{"on", "off", "both"}, b.realTime) || b.instances < 1 || b.instances > 200 {
		return b, errors.New("see -h")
	}
	return b, nil
}

// lateness sums up how much later than 10 ms after its predecessor an advert left the port. Times are milliseconds.
type lateness struct {
	Daemon   string  `json:"daemon"`
	RealTime bool    `json:"real_time"`
	Adverts  int     `json:"adverts"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	P999     float64 `json:"p99_9_ms"`
	P9999    float64 `json:"p99_99_ms"`
	Max      float64 `json:"max_ms"`
	// Collections of garbage in the daemon meanwhile; 0 where there are none, or nobody knows.
	Collections uint64 `json:"collections"`
}

func summarize(gaps []time.Duration) lateness {
	late := make([]time.Duration, len(gaps))
	for i, g := range gaps {
		late[i] = max(0, g-advertEvery)
	}
	slices.Sort(late)
	return quantiles(late)
}

// quantiles sums up what is sorted.
func quantiles(late []time.Duration) lateness {
	at := func(share int) float64 { return milliseconds(lab.Quantile(late, share)) }
	return lateness{Adverts: len(late), P50: at(5000), P99: at(9900), P999: at(9990), P9999: at(9999), Max: at(10_000)}
}

// A bodyResult is everything measured of the body.
type bodyResult struct {
	Lateness []lateness         `json:"lateness"`
	Expenses map[string]expense `json:"expenses"`
	Broken   []string           `json:"broken_promises"`
}

// runBody measures and prints.
func runBody(b bodyPlan, out io.Writer) int {
	r, err := b.measure()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	r.Broken = r.broken()
	if b.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(r)
	} else {
		err = r.table(out)
	}
	if err != nil || len(r.Broken) > 0 {
		return 1
	}
	return 0
}

func (b bodyPlan) daemons() []lab.Daemon {
	all := []lab.Daemon{lab.Standfast(b.standfast)}
	if b.keepalived != "" {
		all = append(all, lab.Keepalived(b.keepalived, false))
	}
	return all
}

func (b bodyPlan) measure() (bodyResult, error) {
	r := bodyResult{Expenses: map[string]expense{}}
	for _, d := range b.daemons() {
		if b.idle == 0 {
			break
		}
		err := onRouter(d, configuration(1, time.Second, true, d.Keepalived), func(a *alone) (err error) {
			if err := a.settle(1); err != nil {
				return err
			}
			r.Expenses[d.Name], err = expenseOf(a.router, b.idle)
			return err
		})
		if err != nil {
			return r, err
		}
	}
	if b.adverts == 0 {
		return r, nil
	}
	var err error
	r.Lateness, err = b.measureLateness()
	return r, err
}

// measureLateness measures every daemon with each kind of scheduling on the busy machine, and the machine beside it.
func (b bodyPlan) measureLateness() (all []lateness, err error) {
	busy, err := startBurners(b.busy)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, busy.stop()) }()
	for _, realTime := range []bool{true, false} {
		if b.realTime == "off" && realTime || b.realTime == "on" && !realTime {
			continue
		}
		for _, d := range b.daemons() {
			progress("%s, real time %v", d.Name, realTime)
			bare, err := startFloor()
			if err != nil {
				return all, err
			}
			sent, err := b.latenessOf(d, realTime)
			below, bareErr := bare.close()
			if err := errors.Join(err, bareErr); err != nil {
				return all, err
			}
			all = append(all, sent, below)
		}
	}
	return all, nil
}

func (b bodyPlan) latenessOf(d lab.Daemon, realTime bool) (l lateness, err error) {
	err = onRouter(d, configuration(b.instances, advertEvery, realTime, d.Keepalived), func(a *alone) error {
		gaps, err := a.listen(b.instances, b.adverts)
		l = summarize(gaps)
		l.Daemon, l.RealTime, l.Collections = d.Name, realTime, a.collections
		return err
	})
	return l, err
}

// configuration makes one that is alone on its cable, so that it is MASTER of all its instances.
func configuration(instances int, every time.Duration, realTime, keepalived bool) string {
	var b strings.Builder
	b.WriteString("global_defs {\n    vrrp_version 3\n    vrrp_garp_master_refresh 0\n")
	switch {
	case realTime:
		b.WriteString("    vrrp_rt_priority 50\n    vrrp_no_swap\n")
	case !keepalived:
		b.WriteString("    vrrp_rt_priority 0\n")
	}
	if keepalived && realTime {
		b.WriteString("    vrrp_rlimit_rttime 1000000\n") // its own limit kills it on a busy machine
	}
	b.WriteString("}\n")
	for i := 1; i <= instances; i++ {
		fmt.Fprintf(&b, "vrrp_instance VI_%d {\n    state MASTER\n    interface %s\n    virtual_router_id %d\n    priority 200\n"+
			"    advert_int %g\n    virtual_ipaddress {\n        192.168.10.%d/24 dev %s\n    }\n}\n", i, lab.HeartbeatPort, i, every.Seconds(), i, servingPort)
	}
	return b.String()
}

const servingPort = "p3p1"

// alone is a daemon on a router whose neighbour is silent.
type alone struct {
	router  *hwtest.Router
	daemon  lab.Daemon
	capture *capture
	log     lab.Log

	collections uint64 // of garbage, until the last churn
}

// settlePatience is how long a daemon may take until it advertises.
const settlePatience = time.Minute

// onRouter starts a daemon and hands it to f.
func onRouter(d lab.Daemon, configuration string, f func(*alone) error) (err error) {
	l, err := hwtest.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	dir, err := os.MkdirTemp("", "standfast-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "router.conf")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		return err
	}
	a := &alone{daemon: d}
	if a.router, err = l.Router("A"); err != nil {
		return err
	}
	neighbour, err := l.Router("B")
	if err != nil {
		return err
	}
	for _, name := range []string{lab.HeartbeatPort, servingPort} {
		if _, err := l.Cable(a.router, name, neighbour, name); err != nil {
			return err
		}
	}
	heart := a.router.Port(lab.HeartbeatPort)
	if err := heart.AddAddress(netip.MustParsePrefix("10.255.0.1/30")); err != nil {
		return err
	}
	if a.capture, err = newCapture(heart); err != nil {
		return err
	}
	cmd := d.Command(file)
	cmd.Stdout, cmd.Stderr = &a.log, &a.log
	if _, err := a.router.Start(cmd); err != nil {
		return err
	}
	if err := f(a); err != nil {
		return fmt.Errorf("%s: %w\n%s", d.Name, err, a.log.String())
	}
	return nil
}

// settle waits until all instances advertise, and a while longer.
func (a *alone) settle(instances int) error {
	for deadline := time.Now().Add(settlePatience); a.capture.routers() < instances; {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d instances advertise after %v", a.capture.routers(), instances, settlePatience)
		}
		time.Sleep(advertEvery)
	}
	time.Sleep(2 * time.Second)
	return nil
}

// listen returns the gaps between so many adverts.
func (a *alone) listen(instances, adverts int) ([]time.Duration, error) {
	if err := a.settle(instances); err != nil {
		return nil, err
	}
	a.capture.forget()
	expected := time.Duration(adverts/instances) * advertEvery
	patience := 4*expected + settlePatience // a MASTER that was late falls silent, and listens first
	for deadline := time.Now().Add(patience); a.capture.count() < adverts; {
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("only %d adverts left the port in %v", a.capture.count(), patience)
		}
		if err := a.churn(); err != nil {
			return nil, err
		}
		time.Sleep(churnEvery)
	}
	return a.capture.close()
}

// churn has the product make garbage.
func (a *alone) churn() error {
	if a.daemon.Keepalived {
		return nil
	}
	answer, err := a.ask()
	if err != nil {
		return err
	}
	var status service.StatusDocument
	if err := json.Unmarshal(answer, &status); err != nil {
		return err
	}
	a.collections = status.Node.Body.Collections
	return nil
}

func (a *alone) ask() (answer []byte, err error) {
	err = a.router.Namespace().Do(func() error {
		answer, err = service.Query(context.Background(), lab.RuntimeDir, service.Request{Verb: "status"})
		return err
	})
	return answer, err
}

// broken lists the promises that the figures do not keep.
func (r bodyResult) broken() []string {
	var broken []string
	for _, l := range r.Lateness {
		if l.Daemon == lab.Standfast("").Name && l.RealTime && l.P9999 > milliseconds(promisedLateness) {
			broken = append(broken, fmt.Sprintf("of %d adverts p99.99 is %.2f ms late, promised are %v", l.Adverts, l.P9999, promisedLateness))
		}
	}
	if e, ok := r.Expenses[lab.Standfast("").Name]; ok && e.Proportional > promisedPSS {
		broken = append(broken, fmt.Sprintf("all processes together take %.1f MB, promised are %.0f", e.Proportional, promisedPSS))
	}
	return broken
}

// table prints the result for people.
func (r bodyResult) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	if len(r.Lateness) > 0 {
		fmt.Fprintln(w, "later than 10 ms after the one before, ms\tadverts\tp50\tp99\tp99.9\tp99.99\tmax\tcollections\t")
	}
	for _, l := range r.Lateness {
		kind := "ordinary"
		if l.RealTime {
			kind = "real time"
		}
		fmt.Fprintf(w, "%s, %s\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%d\t\n", l.Daemon, kind, l.Adverts, l.P50, l.P99, l.P999, l.P9999, l.Max, l.Collections)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, name := range []string{lab.Standfast("").Name, lab.Keepalived("", false).Name} {
		if e, ok := r.Expenses[name]; ok {
			fmt.Fprintf(out, "%s with one instance: %d processes, %.1f MB proportional set size together, %.2f %% of a core\n", name, e.Processes, e.Proportional, e.CPU)
		}
	}
	for _, b := range r.Broken {
		fmt.Fprintln(out, "NOT AS PROMISED:", b)
	}
	return nil
}

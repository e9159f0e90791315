package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/configfs"
	"standfast/service/lab"
)

func TestSummarize(t *testing.T) {
	var gaps []time.Duration
	for i := range 20_000 { // half of them early, the rest late by up to 1 ms, and two that stick out
		gaps = append(gaps, advertEvery+time.Duration(i-10_000)*100*time.Nanosecond)
	}
	gaps[0], gaps[1] = advertEvery+7*time.Millisecond, advertEvery+time.Hour
	got := summarize(gaps)
	want := lateness{Adverts: 20_000, P50: 0.0002, P99: 0.98, P999: 0.9981, P9999: 0.9999, Max: 3_600_000}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return a-b < 0.001 && b-a < 0.001 })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := summarize(nil); got != (lateness{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestBodyPromises(t *testing.T) {
	kept := bodyResult{
		Lateness: []lateness{
			{Daemon: "standfast", RealTime: true, P9999: 4}, {Daemon: "standfast", P9999: 40}, {Daemon: "keepalived", RealTime: true, P9999: 40},
		},
		Expenses: map[string]expense{"standfast": {Processes: 4, Proportional: 16}, "keepalived": {Proportional: 17}},
	}
	late := bodyResult{Lateness: []lateness{{Daemon: "standfast", RealTime: true, P9999: 4.01}}}
	fat := bodyResult{Expenses: map[string]expense{"standfast": {Proportional: 16.1}}}
	for name, c := range map[string]struct {
		r    bodyResult
		want string
	}{"kept": {kept, ""}, "late": {late, "p99.99 is 4.01 ms late"}, "fat": {fat, "take 16.1 MB"}} {
		broken := c.r.broken()
		if (len(broken) > 0) != (c.want != "") || !strings.Contains(strings.Join(broken, " "), c.want) {
			t.Errorf("%s: broken %q, want %q", name, broken, c.want)
		}
		c.r.Broken = broken
		var out bytes.Buffer
		if err := c.r.table(&out); err != nil || strings.Count(out.String(), "NOT AS PROMISED") != len(broken) {
			t.Errorf("%s: table, %v:\n%s", name, err, out.String())
		}
	}
}

func TestBodyFlags(t *testing.T) {
	p, err := parse([]string{"-standfast", "/bin/sh", "-keepalived", "none", "body", "-adverts", "7", "-realtime", "on"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := parseBody(p, p.rest[1:])
	if err != nil || b.adverts != 7 || b.realTime != "on" || len(b.daemons()) != 1 {
		t.Errorf("parseBody = %+v, %v", b, err)
	}
	for _, args := range [][]string{{"-realtime", "perhaps"}, {"-instances", "0"}, {"-instances", "201"}, {"more"}} {
		if _, err := parseBody(p, args); err == nil || errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: %v", args, err)
		}
	}
	var out bytes.Buffer
	if code := run([]string{"-standfast", "/bin/sh", "soul"}, &out); code != 2 {
		t.Errorf("what cannot be measured: exit %d", code)
	}
}

// TestBodyConfiguration is understood as it is meant.
func TestBodyConfiguration(t *testing.T) {
	for _, realTime := range []bool{true, false} {
		files := fstest.MapFS{"c": &fstest.MapFile{Data: []byte(configuration(3, advertEvery, realTime, false))}}
		c, complaints := configfs.Load(files, "/c")
		if err := complaints.Err(); err != nil {
			t.Fatal(err)
		}
		if got := c.Global.Process; len(c.Instances) != 3 || c.Instances[2].Interval != advertEvery || got.Ordinary == realTime || realTime && got.RealTime != 50 {
			t.Errorf("real time %v: %+v, %+v", realTime, got, c.Instances[2])
		}
	}
	text := configuration(1, time.Second, false, true)
	if strings.Contains(text, "vrrp_rt_priority") || !strings.Contains(text, "advert_int 1\n") || !strings.Contains(text, "interface "+lab.HeartbeatPort) {
		t.Errorf("for keepalived:\n%s", text)
	}
}

func TestSpent(t *testing.T) {
	before, err := spent(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Millisecond); time.Now().Before(deadline); {
	}
	after, err := spent(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("%v, then %v, %v", before, after, err)
	}
}

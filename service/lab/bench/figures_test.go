package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"standfast/service/lab"
)

func TestFigures(t *testing.T) {
	var f figures
	for i := range 10 {
		f.add(lab.Takeover{Addresses: time.Duration(10-i) * time.Millisecond, Routes: 5 * time.Millisecond, Announced: time.Millisecond})
	}
	if f.Runs != 10 || f.Median != 5 || f.P90 != 9 || f.Worst != 10 || f.Routes != 5 || f.Announced != 1 {
		t.Errorf("figures %+v", f)
	}
	one := figures{}
	one.add(lab.Takeover{Announced: 3 * time.Millisecond})
	if one.Median != 3 || one.P90 != 3 || one.Worst != 3 {
		t.Errorf("of one run: %+v", one)
	}
}

// of makes figures of one run that served after the given time.
func of(d time.Duration) figures {
	var f figures
	f.add(lab.Takeover{Addresses: d})
	return f
}

func TestBroken(t *testing.T) {
	fast, slow := 10*time.Millisecond, 3500*time.Millisecond
	for _, test := range []struct {
		name string
		r    result
		want []string
	}{
		{"kept", result{Quiet: of(fast), Noisy: of(fast), Keepalived: of(slow), Pauses: []pause{{}, {Taken: true, Recanted: true}}}, nil},
		{"median", result{Quiet: of(21 * time.Millisecond)}, []string{"median 21.0 ms"}},
		{"batched", result{Quiet: of(fast), Noisy: of(time.Second)}, []string{"another port's change: median 1000.0 ms"}},
		{"ratio", result{Quiet: of(fast), Keepalived: of(fast)}, []string{"only 1 times faster"}},
		{"recant", result{Pauses: []pause{{Taken: true}}}, []string{"1 of 1 wrong takeovers"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.r.broken()
			if len(got) != len(test.want) || len(got) == 1 && !strings.Contains(got[0], test.want[0]) {
				t.Errorf("broken %q, want %q", got, test.want)
			}
			test.r.Broken = got
			var out bytes.Buffer
			if err := test.r.table(&out); err != nil || strings.Count(out.String(), "NOT AS PROMISED") != len(got) {
				t.Errorf("table, %v:\n%s", err, out.String())
			}
		})
	}
}

func TestFlags(t *testing.T) {
	p, err := parse([]string{"-standfast", "/bin/sh", "-keepalived", "none", "-runs", "3", "-json"})
	if err != nil || p.runs != 3 || !p.json || p.keepalived != "" {
		t.Errorf("parse = %+v, %v", p, err)
	}
	var out bytes.Buffer
	if code := run([]string{"-standfast", "/nowhere/standfast"}, &out); code != 2 {
		t.Errorf("without a program: exit %d, want 2", code)
	}
	if code := run([]string{"-help"}, &out); code != 0 {
		t.Errorf("-help: exit %d", code)
	}
}

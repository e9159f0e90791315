package main

import (
	"errors"
	"testing"

	"standfast/service/lab"
)

func TestFlags(t *testing.T) {
	p, err := parse([]string{"-standfast", "/bin/sh", "-stories", "da"})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.stories) != 2 || p.stories[0].Key != 'a' || p.stories[1].Key != 'd' {
		t.Errorf("stories %+v, want a and d in their order", p.stories)
	}
	for name, args := range map[string][]string{
		"no program": {"-standfast", "/nowhere/standfast"},
		"no story":   {"-standfast", "/bin/sh", "-stories", "x"},
		"no flag":    {"-nonsense"},
	} {
		if code := run(args); code != 2 {
			t.Errorf("%s: exit %d, want 2", name, code)
		}
	}
	if code := run([]string{"-help"}); code != 0 {
		t.Errorf("-help: exit %d", code)
	}
}

func TestFigures(t *testing.T) {
	if got := figures(lab.Outcome{}, errors.New("no luck\nmore")); got != "failed: no luck" {
		t.Errorf("figures of a failure: %q", got)
	}
}

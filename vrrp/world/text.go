package world

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A story as text:
//
//	# what it shows
//	scene seed=0x2a shape=dual advert_int=100ms nopreempt
//	  21.5s  A p3p1 is unplugged for 3.2s
//	  30s    heal
//	----
//	    0.000000  what happened, a line each
//	VIOLATED I1 at 21.8s: …
//
// What the scene does not mention has its default. Times are exact. What stands below the
// line is what a replay printed, and is not read.

// separator stands between a story and what came of it.
const separator = "----"

// defaultScene is what a scene is where a story does not say.
func defaultScene() Scene {
	return Scene{Routers: 2, Interval: time.Second, Version: 3}
}

var priorNames = []string{"serve", "yield", "incumbent"}

// setting is one word of a scene line. A toggle is written as its name alone.
type setting struct {
	name  string
	show  func(Scene) string
	read  func(*Scene, string) bool
	wants string // what is read; empty: it is a toggle
}

func toggle(name string, of func(*Scene) *bool) setting {
	return setting{
		name: name,
		show: func(s Scene) string { return strconv.FormatBool(*of(&s)) },
		read: func(s *Scene, _ string) bool { *of(s) = true; return true },
	}
}

func word[T ~int | ~uint8](name string, words []string, of func(*Scene) *T) setting {
	return setting{
		name: name,
		show: func(s Scene) string { return words[*of(&s)] },
		read: func(s *Scene, value string) bool {
			k, ok := indexOf(words, value)
			*of(s) = T(k)
			return ok
		},
		wants: strings.Join(words, ", "),
	}
}

func number(name string, low, high int, of func(*Scene) *int) setting {
	return setting{
		name: name,
		show: func(s Scene) string { return strconv.Itoa(*of(&s)) },
		read: func(s *Scene, value string) bool {
			n, err := strconv.Atoi(value)
			*of(s) = n
			return err == nil && n >= low && n <= high
		},
		wants: fmt.Sprintf("%d or %d", low, high),
	}
}

// settings are the words of a scene line, in their order.
func settings() []setting {
	return []setting{
		{"seed", func(s Scene) string { return fmt.Sprintf("%#x", s.Seed) }, readSeed, "a number of 64 bits"},
		number("routers", 2, maxRouters, func(s *Scene) *int { return &s.Routers }),
		word("shape", shapeNames[:], func(s *Scene) *Shape { return &s.Shape }),
		word("b", peerNames[:], func(s *Scene) *Peer { return &s.Peer }),
		{"advert_int", func(s Scene) string { return text(s.Interval) }, readInterval, "a duration such as 100ms"},
		number("version", 2, 3, func(s *Scene) *int { return &s.Version }),
		toggle("nopreempt", func(s *Scene) *bool { return &s.Nopreempt }),
		toggle("equal", func(s *Scene) *bool { return &s.Equal }),
		toggle("owned", func(s *Scene) *bool { return &s.Owned }),
		toggle("switched", func(s *Scene) *bool { return &s.Switched }),
		toggle("fibre", func(s *Scene) *bool { return &s.Fibre }),
		toggle("take", func(s *Scene) *bool { return &s.Take }),
		word("fault_prior", priorNames, func(s *Scene) *int { return &s.Prior }),
		{"loss", func(s Scene) string { return strconv.FormatFloat(s.Loss, 'g', -1, 64) }, readLoss, "a share from 0 up to 1, without 1"},
	}
}

func readSeed(s *Scene, value string) (ok bool) {
	n, err := strconv.ParseUint(value, 0, 64)
	s.Seed = n
	return err == nil
}

func readInterval(s *Scene, value string) (ok bool) {
	s.Interval, ok = parseDuration(value)
	return ok
}

func readLoss(s *Scene, value string) bool {
	n, err := strconv.ParseFloat(value, 64)
	s.Loss = n
	return err == nil && n >= 0 && n < 1
}

// String is the scene as a line of a story.
func (s Scene) String() string {
	line := "scene"
	for _, x := range settings() {
		value := x.show(s)
		switch {
		case value == x.show(defaultScene()) && x.name != "seed":
		case x.wants == "":
			line += " " + x.name
		default:
			line += " " + x.name + "=" + value
		}
	}
	return line
}

// parseScene reads what String wrote.
func parseScene(line string) (Scene, error) {
	s := defaultScene()
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "scene" {
		return s, errors.New(`a story begins with "scene", as in "scene seed=0x2a shape=dual"`)
	}
	all := settings()
	for _, w := range words[1:] {
		name, value, given := strings.Cut(w, "=")
		k := slices.IndexFunc(all, func(x setting) bool { return x.name == name })
		switch {
		case k < 0:
			return s, fmt.Errorf("%q: no word of a scene; those are %s", w, namesOf(all))
		case given && all[k].wants == "":
			return s, fmt.Errorf("%q: expected %s alone", w, name)
		case !all[k].read(&s, value):
			return s, fmt.Errorf("%q: expected %s= and %s", w, name, all[k].wants)
		}
	}
	return s, s.validate()
}

func namesOf(all []setting) string {
	var names []string
	for _, x := range all {
		names = append(names, x.name)
	}
	return strings.Join(names, ", ")
}

// validate says what no world can be made of.
func (s Scene) validate() error {
	switch {
	case s.Routers > 2 && !s.Switched:
		return errors.New("three routers need a heartbeat that is switched")
	case s.Shape == OnLAN && !s.Switched:
		return errors.New("shape=on-lan needs switched")
	case s.Shape == Grouped && s.Peer != Ours:
		return errors.New("shape=grouped needs b=standfast")
	}
	for _, i := range s.config(0).Instances {
		if err := i.VRRP.Validate(); err != nil {
			return fmt.Errorf("%s: %w", i.Name, err)
		}
	}
	return nil
}

// String is the story as text, without what comes of it.
func (s Story) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, s.Scene)
	for _, round := range s.Plan {
		for _, f := range round.Faults {
			fmt.Fprintf(&b, "%18s  %s\n", exact(f.At), f)
		}
		fmt.Fprintf(&b, "%18s  heal\n", exact(round.Heal))
	}
	return b.String()
}

// ParseStory reads the text of a story, down to its separator or its end. An error names
// the line, and what was expected there.
func ParseStory(story string) (Story, error) {
	var p storyParser
	for k, line := range strings.Split(story, "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == separator {
			break
		}
		if line == "" {
			continue
		}
		if err := p.line(line); err != nil {
			return Story{}, fmt.Errorf("line %d: %w", k+1, err)
		}
	}
	switch {
	case !p.begun:
		return Story{}, errors.New(`no story: expected a line that begins with "scene"`)
	case p.open:
		return Story{}, errors.New(`the story ends with faults: expected a last line such as "60s heal"`)
	}
	return p.story, nil
}

// storyParser reads a story line by line.
type storyParser struct {
	story Story
	begun bool // the scene is read
	open  bool // a round has not healed yet
	free  time.Duration
	round Round
}

func (p *storyParser) line(line string) (err error) {
	if !p.begun {
		p.begun = true
		p.story.Scene, err = parseScene(line)
		p.free = p.story.Scene.warmUp()
		return err
	}
	stamp, what, _ := strings.Cut(line, " ")
	at, ok := parseDuration(stamp)
	if !ok {
		return fmt.Errorf("%q: expected a time since the beginning, such as 21.5s", stamp)
	}
	if at < p.free {
		return fmt.Errorf("%s is too early: expected %s or later", stamp, exact(p.free))
	}
	if what = strings.TrimSpace(what); what == "heal" {
		p.heal(at)
		return nil
	}
	f, err := parseFault(what)
	if err != nil {
		return err
	}
	if f.Router >= p.story.Scene.Routers || strings.Contains(menu[f.Kind].told, "{to}") && f.N >= p.story.Scene.Routers {
		return fmt.Errorf("%q: there are only %d routers", what, p.story.Scene.Routers)
	}
	f.At = at
	p.free, p.open = at, true
	p.round.Faults = append(p.round.Faults, f)
	return nil
}

func (p *storyParser) heal(at time.Duration) {
	p.round.Heal = at
	p.story.Plan = append(p.story.Plan, p.round)
	p.round, p.open = Round{}, false
	p.free = at + p.story.Scene.settle() + p.story.Scene.calm()
}

// Text is the story with what came of it.
func (s Story) Text(r Result) string { return s.String() + r.Told() }

// Told is what stands below a story: the separator, the transcript and how it ended.
func (r Result) Told() string {
	end := "holds"
	if r.Violation != nil {
		end = "VIOLATED " + r.Violation.String()
	}
	return separator + "\n" + strings.Join(append(slices.Clone(r.Transcript), end), "\n") + "\n"
}

// Replay plays the story of a text, and answers the text as it would be written now: what
// stands above the separator is kept, what stands below it is new.
func Replay(story string) (string, Result, error) {
	s, err := ParseStory(story)
	if err != nil {
		return "", Result{}, err
	}
	above, _, _ := strings.Cut("\n"+story, "\n"+separator)
	r := s.Tell()
	return strings.TrimRight(above[min(1, len(above)):], "\n") + "\n" + r.Told(), r, nil
}

package vrrp

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the stories with what happens now; commit only what you understand")

// A story is a text file. Lines that begin with two blanks are consequences and are
// written by -update; "#" begins a comment; the others are commands:
//
//	router KEY=VALUE...      a new machine; keys as in applySetting
//	at TIME EVENT KEY=VALUE  wake the machine at each deadline before TIME, then the event
//	until TIME               wake the machine at each deadline up to TIME
//	asleep TIME              the process is late: nobody wakes the machine before TIME
//	queued EVENT KEY=VALUE   an event that waited while it was late, before any expiry
//
// Below each command stand the actions it led to, and then "=", the state in full. The
// wakings before an "at" stand above it.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.story")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".story"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tell(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("the story goes differently (-told +happened); -update rewrites it:\n%s", diff)
			}
		})
	}
}

// teller tells one story.
type teller struct {
	out      strings.Builder
	pending  strings.Builder // comments and the command, not written yet
	machine  *Machine
	params   Params
	now      Instant
	commands int
}

// tell runs the commands of a story and returns it with the consequences of today.
func tell(text string) (string, error) {
	var s teller
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&s.pending, line)
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if err := s.command(words); err != nil {
			return "", fmt.Errorf("line %d: %q: %w", i+1, line, err)
		}
		s.commands++
	}
	if s.commands == 0 {
		return "", fmt.Errorf("the story tells nothing")
	}
	s.flush()
	return s.out.String(), nil
}

// flush writes the command that is about to be carried out, and the comments above it.
func (s *teller) flush() {
	s.out.WriteString(s.pending.String())
	s.pending.Reset()
}

func (s *teller) command(words []string) error {
	if words[0] == "router" {
		s.flush()
		s.params = router3()
		if err := s.settings(words[1:]); err != nil {
			return err
		}
		s.machine, s.now = New(s.params), 0
		s.state()
		return nil
	}
	if s.machine == nil || len(words) < 2 {
		return fmt.Errorf("no router, or no argument")
	}
	if words[0] == "queued" {
		s.flush()
		return s.step(words[1:])
	}
	d, err := time.ParseDuration(words[1])
	if err != nil {
		return err
	}
	if Instant(d) < s.now {
		return fmt.Errorf("time runs backwards from %v", s.now)
	}
	switch words[0] {
	case "at":
		s.wake(Instant(d) - 1)
		s.now = Instant(d)
		s.flush()
		return s.step(words[2:])
	case "until":
		s.flush()
		s.wake(Instant(d))
		s.now = Instant(d)
	case "asleep":
		s.flush()
		s.now = Instant(d)
	default:
		return fmt.Errorf("no such command")
	}
	return nil
}

// wake tells the machine of each deadline up to the moment, as its caller must.
func (s *teller) wake(up Instant) {
	for {
		deadline, ok := s.machine.Deadline()
		if !ok || deadline > up {
			return
		}
		s.now = max(s.now, deadline)
		fmt.Fprintf(&s.out, "  %v expired\n", s.now)
		s.perform(Expired{})
	}
}

// step runs an event given in words.
func (s *teller) step(words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("no event")
	}
	e, err := s.event(words[0], words[1:])
	if err != nil {
		return err
	}
	s.perform(e)
	return nil
}

// perform runs an event and writes down what follows.
func (s *teller) perform(e Event) {
	for _, a := range s.machine.Step(s.now, e) {
		if c, ok := a.(Consult); ok {
			fmt.Fprintf(&s.out, "    consult %v until %v\n", c.Why, c.Until)
			continue
		}
		fmt.Fprintf(&s.out, "    %s\n", describe(a, s.now))
	}
	s.state()
}

// state writes down everything that can be seen of the machine.
func (s *teller) state() {
	st := s.machine.Status()
	fmt.Fprintf(&s.out, "    = %v since %v, priority %d, ", st.State, st.Since, st.Priority)
	deadline, ok := s.machine.Deadline()
	switch {
	case st.Consulting:
		fmt.Fprintf(&s.out, "consulting until %v", deadline)
	case ok:
		fmt.Fprintf(&s.out, "deadline %v", deadline)
	default:
		fmt.Fprint(&s.out, "no deadline")
	}
	fmt.Fprintf(&s.out, ", interval %v, skew %v, down %v", st.MasterInterval, st.Skew, st.MasterDown)
	if st.Heard {
		fmt.Fprintf(&s.out, ", obeyed %v/%d at %v", st.Master, st.MasterPriority, st.LastHeard)
	}
	fmt.Fprintln(&s.out)
}

// event reads an event from its words.
func (s *teller) event(name string, words []string) (Event, error) {
	args := map[string]string{}
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, fmt.Errorf("%q is no KEY=VALUE", w)
		}
		args[key] = value
	}
	switch name {
	case "start":
		return Start{Source: parseAddr(args["source"])}, nil
	case "stop":
		return Stop{}, nil
	case "failed":
		return Failed{}, nil
	case "repaired":
		return Repaired{}, nil
	case "addressed":
		return Addressed{Source: parseAddr(args["source"])}, nil
	case "heard":
		return s.heard(args)
	case "ruled":
		return ruled(args)
	case "reprioritized":
		n, err := strconv.ParseUint(args["priority"], 10, 8)
		return Reprioritized{Priority: uint8(n)}, err
	case "reconfigured":
		if err := s.settings(words); err != nil {
			return nil, err
		}
		return Reconfigured{Params: s.params}, nil
	}
	return nil, fmt.Errorf("no such event")
}

func parseAddr(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// heard is an advert of a router that is set up like the one of the story, but for
// its priority, source and, if given, interval.
func (s *teller) heard(args map[string]string) (Event, error) {
	n, err := strconv.ParseUint(args["priority"], 10, 8)
	if err != nil {
		return nil, err
	}
	e := Heard{Advert: s.params.Advert(uint8(n)), From: parseAddr(args["from"])}
	if text, ok := args["interval"]; ok {
		if e.Advert.Interval, err = time.ParseDuration(text); err != nil {
			return nil, err
		}
	}
	if !e.From.IsValid() {
		return nil, fmt.Errorf("an advert comes from=ADDRESS")
	}
	return e, nil
}

func ruled(args map[string]string) (Event, error) {
	e := Ruled{}
	for r := TakeOver; r.String() != "unknown"; r++ {
		if r.String() == args["ruling"] {
			e.Ruling = r
		}
	}
	if e.Ruling == NoRuling {
		return nil, fmt.Errorf("no such ruling")
	}
	if text, ok := args["for"]; ok {
		var err error
		if e.For, err = time.ParseDuration(text); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// settings changes the settings of the story's router and checks them.
func (s *teller) settings(words []string) error {
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		if err := s.setting(key, value); err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
	}
	return s.params.Validate()
}

func (s *teller) setting(key, value string) error {
	number, numberErr := strconv.ParseUint(value, 10, 8)
	duration, durationErr := time.ParseDuration(value)
	switch key {
	case "version":
		s.params.Version = Version(number)
		return numberErr
	case "priority":
		s.params.Priority = uint8(number)
		return numberErr
	case "adverts":
		s.params.DownAdverts = int(number)
		return numberErr
	case "interval":
		s.params.Interval = duration
		return durationErr
	case "preempt_delay":
		s.params.PreemptDelay = duration
		return durationErr
	case "patience":
		s.params.Patience = duration
		return durationErr
	case "preempt":
		preempt, err := strconv.ParseBool(value)
		s.params.Preempt = preempt
		return err
	case "addresses":
		s.params.Addresses = nil
		for _, text := range strings.Split(value, ",") {
			s.params.Addresses = append(s.params.Addresses, parseAddr(text))
		}
		s.params.Family = IPv4
		if s.params.Addresses[0].Is6() {
			s.params.Family = IPv6
		}
		return nil
	}
	return fmt.Errorf("no such setting")
}

// A story that is told wrongly must be refused, or a typing mistake would be a test
// that tests nothing.
func TestStoriesAreStrict(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "# nothing\n", "tells nothing"},
		{"no router", "at 0s start\n", "no router"},
		{"unknown command", "router\nwhenever 0s start\n", "no such command"},
		{"unknown event", "router\nat 0s begin\n", "no such event"},
		{"no event", "router\nat 0s\n", "no event"},
		{"unknown setting", "router colour=red\n", "no such setting"},
		{"bad setting", "router priority=high\n", "invalid syntax"},
		{"invalid setting", "router interval=1ms\n", "cannot be sent"},
		{"bad time", "router\nat noon start\n", "invalid duration"},
		{"backwards", "router\nuntil 2s\nat 1s start\n", "backwards"},
		{"unknown ruling", "router\nat 0s ruled ruling=perhaps\n", "no such ruling"},
		{"bad wait", "router\nat 0s ruled ruling=hold for=long\n", "invalid duration"},
		{"no sender", "router\nat 0s heard priority=1\n", "from=ADDRESS"},
		{"no priority", "router\nat 0s heard from=192.0.2.1\n", "invalid syntax"},
		{"bad interval", "router\nat 0s heard priority=1 from=192.0.2.1 interval=fast\n", "invalid duration"},
		{"no value", "router\nat 0s start source\n", "KEY=VALUE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tell(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

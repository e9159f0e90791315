// Package timeline draws what happened in a laboratory as one picture: a lane for each thing that has a state, a bar for
// each time it was in one, a sentence where something was said, and one axis whose 0 is the moment of the event.
//
// The picture is an SVG for a page: the same bytes for the same recording, no scripts, no fonts of its own, and a background
// of its own, so that it reads the same on a light and on a dark page.
package timeline

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Recording is what was seen. Its times are relative to the event, which is at 0. As JSON, they are nanoseconds.
type Recording struct {
	Title    string        `json:"title"`
	Subtitle string        `json:"subtitle"` // what was done and where; may be empty
	Lanes    []Lane        `json:"lanes"`    // from top to bottom; no two have the same name
	Marks    []Mark        `json:"marks"`
	From     time.Duration `json:"from"` // the picture begins here, mostly before 0
	To       time.Duration `json:"to"`   // and ends here, after From
}

// Lane is one thing that was watched.
type Lane struct {
	Name  string `json:"name"`
	Spans []Span `json:"spans"` // where none is, nothing is known
}

// Span is a time of one state. What lies outside the picture is cut; however short it is, it is seen.
type Span struct {
	From time.Duration `json:"from"`
	To   time.Duration `json:"to"`   // not before From
	Kind string        `json:"kind"` // one of Kinds
	Text string        `json:"text"` // written into the bar where it fits; may be empty
}

// Mark is something that was said or done at one moment, which is written before the text.
type Mark struct {
	At   time.Duration `json:"at"`   // within the picture
	Lane string        `json:"lane"` // the name of a lane; empty: of all of them
	Text string        `json:"text"`
}

// look is how a kind of span is drawn.
type look struct {
	order int // in the legend
	fill  string
	ink   string // of the text in it
	word  string // in the legend
}

// looks tells kinds apart by lightness too, for who sees no colours.
var looks = map[string]look{
	"master":  {0, "#1f5fa8", "#ffffff", "MASTER"},
	"backup":  {1, "#c3d9ee", "#1d2733", "BACKUP"},
	"fault":   {2, "#d2570f", "#ffffff", "FAULT"},
	"init":    {3, "#e4e4e0", "#1d2733", "INIT, not yet part of it"},
	"off":     {4, "url(#off)", "#1d2733", "off"},
	"up":      {5, "#bfe0c6", "#1d2733", "carrier"},
	"down":    {6, "#4a4a4a", "#ffffff", "no carrier"},
	"answers": {7, "#2b7a4b", "#ffffff", "answers"},
	"both":    {8, "#7a2a8c", "#ffffff", "two answer"},
	"silent":  {9, "#f1eee6", "#1d2733", "nobody answers"},
	"lost":    {10, "#b3122f", "#ffffff", "lost"},
}

// Kinds lists what a span may be, in the order of the legend.
func Kinds() []string {
	return slices.SortedFunc(maps.Keys(looks), func(a, b string) int { return looks[a].order - looks[b].order })
}

// SVG writes the picture. Errors are those of w and of Validate.
func (r Recording) SVG(w io.Writer) error {
	if err := r.Validate(); err != nil {
		return err
	}
	var b strings.Builder
	newSheet(r).draw(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// Validate says what makes a recording one that cannot be drawn.
func (r Recording) Validate() error {
	if r.To <= r.From {
		return fmt.Errorf("the recording %q ends at %v, and begins at %v", r.Title, r.To, r.From)
	}
	names := map[string]bool{"": true}
	for _, l := range r.Lanes {
		if names[l.Name] {
			return fmt.Errorf("two lanes have the name %q, or one has none", l.Name)
		}
		names[l.Name] = true
		for _, s := range l.Spans {
			if _, ok := looks[s.Kind]; !ok {
				return fmt.Errorf("lane %q has a span of the kind %q, which is none of %s", l.Name, s.Kind, strings.Join(Kinds(), ", "))
			}
			if s.To < s.From {
				return fmt.Errorf("lane %q has a span that ends at %v, before it begins at %v", l.Name, s.To, s.From)
			}
		}
	}
	for _, m := range r.Marks {
		if !names[m.Lane] {
			return fmt.Errorf("the mark %q is about the lane %q, which the recording does not have", m.Text, m.Lane)
		}
		if m.At < r.From || m.At > r.To {
			return fmt.Errorf("the mark %q is at %v, outside %v … %v", m.Text, m.At, r.From, r.To)
		}
	}
	return nil
}

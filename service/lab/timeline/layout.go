package timeline

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// All measures are in the unit of the picture, at its natural size one pixel.
const (
	width       = 1040.0
	border      = 16.0
	left        = 176.0         // where the axis begins
	right       = width - 196.0 // where it ends; a text may go on, and has room for the name of a rule
	barHeight   = 22.0
	laneGap     = 14.0
	fontSize    = 12.0
	lineHeight  = 15.0
	glyph       = 0.6 * fontSize // generous: which font it will be, nobody knows
	widest      = 460.0          // a line of an annotation
	leaderSpace = 5.0            // between the lines that lead to a text and the text
)

// note is what is said of one moment, or of several that are too close to each other to be told apart, with its place: a line
// leads down to it from each moment, and the text stands to the right of these lines.
type note struct {
	at    []float64 // the moments, from left to right
	lines []string
	heads map[int]string // the moment with which a line begins, in words
	top   float64        // of the first line, below the top of all notes
}

func (n note) left() float64 { return n.at[0] }

// text is where the lines begin.
func (n note) text() float64 { return n.at[len(n.at)-1] + leaderSpace }

func (n note) right() float64 {
	w := 0.0
	for _, l := range n.lines {
		w = max(w, textWidth(l))
	}
	return n.text() + w
}

func (n note) bottom() float64 { return n.top + lineHeight*float64(len(n.lines)) }

// besides says that two notes have nothing of the axis in common.
func (n note) besides(m note) bool { return n.right() < m.left() || m.right() < n.left() }

// place puts notes below each other where they would overlap. From right to left each gets the highest place below those that
// it shares some of the axis with. So no text lies on another, and no line crosses a text: all texts above a note begin to
// the right of its lines. The result is in that order, with the height of all.
func place(marks []Mark, at func(time.Duration) float64) (placed []note, height float64) {
	for _, n := range slices.Backward(gather(marks, at)) {
		for _, other := range placed {
			if !n.besides(other) {
				n.top = max(n.top, other.bottom())
			}
		}
		placed = append(placed, n)
		height = max(height, n.bottom())
	}
	return placed, height
}

// gather makes notes of marks, in the order of their moments.
func gather(marks []Mark, at func(time.Duration) float64) (notes []note) {
	const near = 12.0 // less than two lines need to be told apart
	sorted := slices.Clone(marks)
	slices.SortStableFunc(sorted, func(a, b Mark) int { return cmp.Compare(a.At, b.At) })
	var together [][]Mark
	for _, m := range sorted {
		if n := len(together) - 1; n >= 0 && at(m.At)-at(together[n][0].At) <= near {
			together[n] = append(together[n], m)
		} else {
			together = append(together, []Mark{m})
		}
	}
	for _, group := range together {
		n := note{heads: map[int]string{}}
		for _, m := range group {
			n.at = append(n.at, at(m.At))
		}
		for _, m := range group {
			head := moment(m.At)
			n.heads[len(n.lines)] = head
			words := append([]string{head}, strings.Fields(m.Text)...)
			n.lines = append(n.lines, wrap(words, min(widest, width-border-n.text()))...)
		}
		notes = append(notes, n)
	}
	return notes
}

func textWidth(s string) float64 { return glyph * float64(utf8.RuneCountInString(s)) }

// wrap makes lines of at most that width from words; a word that is wider has a line of its own.
func wrap(words []string, most float64) []string {
	var lines []string
	line := ""
	for _, word := range words {
		switch {
		case line == "":
			line = word
		case textWidth(line+" "+word) <= most:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// moment writes a time as somebody would say it: milliseconds below a second, seconds from there.
func moment(d time.Duration) string {
	number := func(unit time.Duration, digits int) string {
		s := strconv.FormatFloat(float64(d)/float64(unit), 'f', digits, 64)
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		s = strings.Replace(s, "-", "−", 1)
		if d > 0 {
			s = "+" + s
		}
		return s
	}
	switch size := max(d, -d); {
	case d == 0:
		return "0"
	case size < 100*time.Microsecond:
		return number(time.Microsecond, 0) + " µs"
	case size < 100*time.Millisecond:
		return number(time.Millisecond, 1) + " ms"
	case size < time.Second:
		return number(time.Millisecond, 0) + " ms"
	}
	return number(time.Second, 2) + " s"
}

// ticks are round moments from one end to the other, a dozen at most.
func ticks(from, to time.Duration) []time.Duration {
	const most = 11
	step := math.Pow(10, math.Floor(math.Log10(float64(to-from)/most)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if float64(to-from)/(step*factor) <= most {
			step *= factor
			break
		}
	}
	every := max(1, time.Duration(math.Round(step)))
	var all []time.Duration
	first := from.Truncate(every)
	if first < from {
		first += every
	}
	for t := first; t <= to; t += every {
		all = append(all, t)
	}
	return all
}

package timeline

import (
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sheet is a recording with the place of everything in it.
type sheet struct {
	Recording
	heading float64 // the baseline of the last line above the drawing
	common  []note  // of all lanes
	top     float64 // of the common notes
	rows    []row
	axis    float64
	legend  []string // the kinds that occur
	height  float64
}

// row is a lane with its place.
type row struct {
	Lane
	lines []string // of its name
	top   float64
	notes []note
}

// newSheet places everything, from top to bottom.
func newSheet(r Recording) *sheet {
	s := &sheet{Recording: r, heading: border + 18}
	if r.Subtitle != "" {
		s.heading += lineHeight * float64(len(s.subtitle()))
	}
	s.top = s.heading + 14
	var height float64
	s.common, height = place(marksOf(r.Marks, ""), s.x)
	y := s.top + height + 8
	for _, l := range r.Lanes {
		at := row{Lane: l, lines: wrap(strings.Fields(l.Name), left-border-12), top: y}
		at.notes, height = place(marksOf(r.Marks, l.Name), s.x)
		if height > 0 {
			height += 4
		}
		y += max(barHeight+height, lineHeight*float64(len(at.lines))) + laneGap
		s.rows = append(s.rows, at)
	}
	s.axis = y
	for _, kind := range Kinds() {
		if slices.ContainsFunc(r.Lanes, func(l Lane) bool {
			return slices.ContainsFunc(l.Spans, func(p Span) bool { return p.Kind == kind })
		}) {
			s.legend = append(s.legend, kind)
		}
	}
	s.height = s.axis + 50
	for range s.legendLines() {
		s.height += legendHeight
	}
	return s
}

func marksOf(all []Mark, lane string) []Mark {
	return slices.DeleteFunc(slices.Clone(all), func(m Mark) bool { return m.Lane != lane })
}

// x is the place of a moment on the axis.
func (s *sheet) x(t time.Duration) float64 {
	t = min(max(t, s.From), s.To)
	return left + (right-left)*float64(t-s.From)/float64(s.To-s.From)
}

func (s *sheet) subtitle() []string { return wrap(strings.Fields(s.Subtitle), width-2*border) }

// draw writes the picture, what lies below before what lies above.
func (s *sheet) draw(b *strings.Builder) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%[1]s" height="%[2]s" font-family="sans-serif" font-size="%[3]s" role="img">`+"\n",
		number(width), number(s.height), number(fontSize))
	fmt.Fprintf(b, "<title>%s</title>\n", escape(s.Title))
	b.WriteString(`<defs><pattern id="off" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">` +
		`<rect width="7" height="7" fill="#f4f4f2"/><rect width="2" height="7" fill="#9b9b97"/></pattern></defs>` + "\n")
	fmt.Fprintf(b, `<rect x="0.5" y="0.5" width="%s" height="%s" rx="6" fill="#ffffff" stroke="#c9c9c4"/>`+"\n", number(width-1), number(s.height-1))
	fmt.Fprintf(b, `<text x="%s" y="%s" font-size="17" font-weight="bold" fill="#16202b">%s</text>`+"\n", number(border), number(border+14), escape(s.Title))
	for n, line := range s.subtitle() {
		text(b, border, border+18+lineHeight*float64(n+1), "#4a5560", "start", line)
	}
	s.drawAxis(b)
	for _, r := range s.rows {
		for n, line := range r.lines {
			text(b, left-12, r.top+15+lineHeight*float64(n), "#16202b", "end", line)
		}
		for _, p := range r.Spans {
			s.drawSpan(b, r.top, p)
		}
		drawNotes(b, r.notes, r.top+barHeight-5, r.top+barHeight+4)
	}
	drawNotes(b, s.common, s.top, s.top)
	s.drawLegend(b)
	b.WriteString("</svg>\n")
}

// drawAxis draws it with a faint line upwards for each of its moments, a stronger one for the event, and one for
// each note that is about all lanes.
func (s *sheet) drawAxis(b *strings.Builder) {
	above := s.heading + 14
	if len(s.rows) > 0 {
		above = s.rows[0].top - 4
	}
	line(b, left, s.axis, right, s.axis, "#5d6670", "")
	for _, t := range ticks(s.From, s.To) {
		line(b, s.x(t), above, s.x(t), s.axis+5, "#e6e6e1", "")
		line(b, s.x(t), s.axis, s.x(t), s.axis+5, "#5d6670", "")
		text(b, s.x(t), s.axis+19, "#4a5560", "middle", moment(t))
	}
	for _, m := range marksOf(s.Marks, "") {
		line(b, s.x(m.At), s.top, s.x(m.At), s.axis, "#8a949e", "4 3")
	}
	if s.From <= 0 && s.To >= 0 {
		line(b, s.x(0), s.top, s.x(0), s.axis+5, "#b3122f", "")
		text(b, s.x(0), s.axis+35, "#b3122f", "middle", "the event")
	}
}

// drawSpan draws one bar, with its text where there is room for it.
func (s *sheet) drawSpan(b *strings.Builder, top float64, p Span) {
	if p.To < s.From || p.From > s.To {
		return
	}
	const least = 2 // of the width, so that it is seen
	from, to := s.x(p.From), s.x(p.To)
	from = min(from, right-least)
	to = max(to, from+least)
	l := looks[p.Kind]
	fmt.Fprintf(b, `<rect x="%s" y="%s" width="%s" height="%s" fill="%s" stroke="#ffffff" stroke-width="0.5"/>`+"\n",
		number(from), number(top), number(to-from), number(barHeight), l.fill)
	if p.Text == "" || textWidth(p.Text)+8 > to-from {
		return
	}
	if p.Kind == "off" {
		w := textWidth(p.Text) + 6
		fmt.Fprintf(b, `<rect x="%s" y="%s" width="%s" height="16" fill="#f4f4f2"/>`+"\n", number((from+to-w)/2), number(top+3), number(w))
	}
	text(b, (from+to)/2, top+15, l.ink, "middle", p.Text)
}

// drawNotes draws annotations, and for each of their moments a line down to it. The line of the first goes along all of its
// text, so that it is seen what belongs together; lines of other lanes pass behind it.
func drawNotes(b *strings.Builder, notes []note, from, top float64) {
	for _, n := range notes {
		line(b, n.left(), from, n.left(), top+n.bottom(), "#16202b", "")
		for _, x := range n.at[1:] {
			line(b, x, from, x, top+n.top+3, "#16202b", "")
		}
		for i, l := range n.lines {
			head := n.heads[i]
			fmt.Fprintf(b, `<text x="%s" y="%s" fill="#16202b" stroke="#ffffff" stroke-width="3" paint-order="stroke"><tspan font-weight="bold">%s</tspan>%s</text>`+"\n",
				number(n.text()), number(top+n.top+lineHeight*float64(i)+12), escape(head), escape(strings.TrimPrefix(l, head)))
		}
	}
}

// legendHeight is that of a line of the legend.
const legendHeight = 22.0

// legendLines breaks the legend into lines.
func (s *sheet) legendLines() (lines [][]string) {
	x := width
	for _, kind := range s.legend {
		if x+legendWidth(kind) > width-border {
			lines, x = append(lines, nil), border
		}
		last := len(lines) - 1
		lines[last] = append(lines[last], kind)
		x += legendWidth(kind)
	}
	return lines
}

// legendWidth is what a kind takes in the legend: a patch, a word and the space behind it.
func legendWidth(kind string) float64 { return 19 + textWidth(looks[kind].word) + 14 }

// drawLegend explains the colours that occur.
func (s *sheet) drawLegend(b *strings.Builder) {
	y := s.axis + 46
	for _, kinds := range s.legendLines() {
		x := border
		for _, kind := range kinds {
			l := looks[kind]
			fmt.Fprintf(b, `<rect x="%s" y="%s" width="14" height="14" fill="%s" stroke="#9b9b97" stroke-width="0.5"/>`+"\n", number(x), number(y), l.fill)
			text(b, x+19, y+11.5, "#4a5560", "start", l.word)
			x += legendWidth(kind)
		}
		y += legendHeight
	}
}

func line(b *strings.Builder, x1, y1, x2, y2 float64, colour, dashes string) {
	if dashes != "" {
		dashes = fmt.Sprintf(` stroke-dasharray="%s"`, dashes)
	}
	fmt.Fprintf(b, `<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s"%s/>`+"\n", number(x1), number(y1), number(x2), number(y2), colour, dashes)
}

func text(b *strings.Builder, x, y float64, colour, anchor, s string) {
	fmt.Fprintf(b, `<text x="%s" y="%s" fill="%s" text-anchor="%s">%s</text>`+"\n", number(x), number(y), colour, anchor, escape(s))
}

// number writes a measure with a tenth of a pixel, which is enough and the same everywhere.
func number(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// escape makes any text one that XML takes: a character that it forbids becomes a mark that it is missing.
func escape(s string) string {
	return html.EscapeString(strings.Map(func(c rune) rune {
		if c < ' ' && c != '\t' || c == 0xFFFE || c == 0xFFFF {
			return '\uFFFD'
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD")))
}

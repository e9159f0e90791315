package configfs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Severity says what a complaint means for running the configuration.
type Severity uint8

// The severities, from harmless to fatal. "run" refuses a configuration that holds an Error.
const (
	Note   Severity = iota // worth knowing
	Hazard                 // runs, but is likely to hurt
	Error                  // is refused
)

// String returns the word that is printed before a complaint.
func (s Severity) String() string {
	switch s {
	case Note:
		return "note"
	case Hazard:
		return "hazard"
	case Error:
		return "error"
	}
	return fmt.Sprintf("Severity(%d)", uint8(s))
}

// Diagnostic is one complaint about a configuration.
type Diagnostic struct {
	Position
	Severity Severity
	Text     string // one sentence without a full stop: what is wrong
	Hint     string // what to do about it; may be empty
	Cause    error  // the error behind Text, where there is one (an unreadable file)
}

// Error renders d in one line, or in two where it has a hint.
func (d Diagnostic) Error() string {
	line := fmt.Sprintf("%v: %v: %s", d.Position, d.Severity, d.Text)
	if d.Hint == "" {
		return line
	}
	return line + "\n\thint: " + d.Hint
}

// Unwrap returns the cause, so that errors.Is finds fs.ErrNotExist and its like.
func (d Diagnostic) Unwrap() error { return d.Cause }

// Diagnostics are all complaints about a configuration, sorted by file, line and column.
type Diagnostics []Diagnostic

// Worst returns the highest severity in d, and false when d is empty.
func (d Diagnostics) Worst() (Severity, bool) {
	if len(d) == 0 {
		return Note, false
	}
	return slices.MaxFunc(d, func(a, b Diagnostic) int { return cmp.Compare(a.Severity, b.Severity) }).Severity, true
}

// Err joins the Errors of d into one error, nil when there is none.
func (d Diagnostics) Err() error {
	var errs []error
	for _, one := range d {
		if one.Severity == Error {
			errs = append(errs, one)
		}
	}
	return errors.Join(errs...)
}

// String renders every complaint, each ended by a newline.
func (d Diagnostics) String() string {
	var b strings.Builder
	for _, one := range d {
		b.WriteString(one.Error())
		b.WriteByte('\n')
	}
	return b.String()
}

// collector gathers complaints from every step of reading.
type collector struct{ all Diagnostics }

// sorted returns the complaints in the order in which a reader meets them in the files.
func (c *collector) sorted() Diagnostics {
	slices.SortStableFunc(c.all, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return c.all
}

func (c *collector) add(s Severity, p Position, hint, format string, args ...any) {
	c.all = append(c.all, Diagnostic{Position: p, Severity: s, Text: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *collector) error(p Position, hint, format string, args ...any) {
	c.add(Error, p, hint, format, args...)
}

func (c *collector) hazard(p Position, hint, format string, args ...any) {
	c.add(Hazard, p, hint, format, args...)
}

func (c *collector) note(p Position, hint, format string, args ...any) {
	c.add(Note, p, hint, format, args...)
}

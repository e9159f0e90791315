package migrate

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"standfast/configfs"
)

// Print writes a plan on one page.
func (p Plan) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "From %s to %s\n", p.From.short(), p.To.short())
	if len(p.Now) > 0 {
		heading(&b, "NOW")
	}
	for _, line := range p.Now {
		fmt.Fprintf(&b, "  %s\n", line) // in columns
	}
	if len(p.Options) > 0 {
		heading(&b, "OPTIONS OF KEEPALIVED")
		if err := p.printOptions(&b); err != nil {
			return err
		}
	}
	if len(p.Complaints) > 0 {
		heading(&b, "COMPLAINTS ABOUT THE FILE, as standfast check makes them")
		for line := range strings.Lines(p.Complaints.String()) {
			fmt.Fprintf(&b, "  %s", line)
		}
	}
	if p.Worst() < configfs.Error {
		list(&b, "WHAT WILL BE DIFFERENT", p.Differences)
	}
	p.printFindings(&b)
	if p.Worst() < configfs.Error {
		p.printSteps(&b)
	}
	p.printEnd(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func heading(b *strings.Builder, what string) { fmt.Fprintf(b, "\n%s\n", what) }

func list(b *strings.Builder, what string, lines []string) {
	if len(lines) == 0 {
		return
	}
	heading(b, what)
	for _, line := range lines {
		fmt.Fprintf(b, "  - %s\n", wrap(line, "    "))
	}
}

func (p Plan) printOptions(b *strings.Builder) error {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, o := range p.Options {
		fmt.Fprintf(t, "  %s\t%v\t%s\n", o.Text, o.Fate, strings.ReplaceAll(wrap(o.Because, ""), "\n", "\n\t\t"))
	}
	return t.Flush()
}

// printFindings begins with the worst.
func (p Plan) printFindings(b *strings.Builder) {
	if len(p.Findings) == 0 {
		return
	}
	heading(b, "FOUND")
	for _, s := range []configfs.Severity{configfs.Error, configfs.Hazard, configfs.Note} {
		for _, f := range p.Findings {
			if f.Severity != s {
				continue
			}
			fmt.Fprintf(b, "  %-7s %s\n", strings.ToUpper(s.String()), wrap(f.Text, "          "))
			if f.Remedy != "" {
				fmt.Fprintf(b, "          do: %s\n", wrap(f.Remedy, "              "))
			}
		}
	}
}

func (p Plan) printSteps(b *strings.Builder) {
	if len(p.Steps) == 0 {
		return
	}
	list(b, "WHAT YOUR USERS NOTICE", p.Interruption)
	heading(b, "STEPS, each undone with those before it if it fails")
	for i, s := range p.Steps {
		fmt.Fprintf(b, "  %d. %s\n", i+1, s)
	}
}

// printEnd says in a line or two what follows.
func (p Plan) printEnd(b *strings.Builder) {
	do, undo := "standfast migrate", "standfast migrate --back"
	if p.From.Name == Standfast {
		do, undo = undo, do
	}
	b.WriteByte('\n')
	switch worst := p.Worst(); {
	case worst == configfs.Error:
		fmt.Fprintf(b, "It cannot be done as things are: see the errors, and what is in the way. Nothing was changed.\n")
	case len(p.Steps) == 0:
		fmt.Fprintf(b, "Nothing to do: %s serves, and starts at boot; %s does neither.\n", p.To.short(), p.From.short())
	default:
		if worst == configfs.Hazard {
			fmt.Fprintf(b, "There are hazards: read them. ")
		}
		fmt.Fprintf(b, "Nothing was changed yet.\nTo do it:      %s --apply\nThe way back:  %s --apply\n", do, undo)
	}
}

// width is how long a line of the page may be, its indentation apart.
const width = 104

// wrap breaks a sentence into lines, all but the first behind an indentation.
func wrap(sentence, indent string) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(sentence) {
		n := len([]rune(word))
		switch {
		case column == 0:
		case column+1+n > width:
			b.WriteString("\n" + indent)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

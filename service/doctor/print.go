package doctor

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// pageWidth is how wide the page is, in characters.
const pageWidth = 110

// print writes the page for a person: what hurts first, then what there is,
// then what nobody can know, and last what is well, in one line.
func (d Document) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, Linux %s, %s, %s\n", cmp.Or(d.Host, "this host"), d.Time.Format("2006-01-02 15:04:05"),
		cmp.Or(d.Kernel, "unknown"), d.service(), d.Config)
	if len(d.States) > 0 {
		fmt.Fprintf(&b, "%s\n", listed(d.States, ", "))
	}
	fmt.Fprintf(&b, "%s\n", d.summary())
	d.printFindings(&b)
	if err := d.printPorts(&b); err != nil {
		return err
	}
	d.printStorage(&b)
	d.printUndecided(&b)
	d.printFine(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// alike is how many findings of one kind are printed whole.
const alike = 4

// printFindings writes what hurts. Of many findings of one kind the rest is
// counted: hundreds of instances may share a mistake, and a page is a page.
func (d Document) printFindings(b *strings.Builder) {
	told := map[string]int{}
	for _, f := range d.Findings {
		if f.Severity == SeverityOK {
			continue
		}
		if told[f.Check]++; told[f.Check] <= alike {
			f.print(b)
		}
	}
	for _, check := range sortedKeys(told) {
		if more := told[check] - alike; more > 0 {
			fmt.Fprintf(b, "\n         and %d more of the kind %q: --json has them\n", more, check)
		}
	}
}

func (d Document) service() string {
	if d.Version == "" {
		return "standfast not running"
	}
	return "standfast " + d.Version + " running"
}

// summary counts the findings.
func (d Document) summary() string {
	var parts []string
	for _, s := range []Severity{SeverityError, SeverityHazard, SeverityNote} {
		n := 0
		for _, f := range d.Findings {
			if f.Severity == s {
				n++
			}
		}
		switch {
		case n == 1:
			parts = append(parts, "1 "+s.String())
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, s))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing to complain about")
}

// print writes what, why, and what to do, the last as lines to paste.
func (f Finding) print(b *strings.Builder) {
	b.WriteByte('\n')
	paragraph(b, strings.ToUpper(f.Severity.String()), f.Text)
	paragraph(b, "why", f.Why)
	label := "do"
	lines := strings.Split(f.Remedy, "\n")
	for _, line := range lines[:min(len(lines), mostLines)] {
		fmt.Fprintf(b, "%7s  %s\n", label, line)
		label = ""
	}
	if more := len(lines) - mostLines; more > 0 {
		fmt.Fprintf(b, "         # and %d more lines: --json has them\n", more)
	}
}

// mostLines of a remedy are printed.
const mostLines = 8

// paragraph writes a sentence behind a label, broken at pageWidth.
func paragraph(b *strings.Builder, label, text string) {
	const indent = 9
	column := indent
	fmt.Fprintf(b, "%7s ", label)
	for _, word := range strings.Fields(text) {
		length := len([]rune(word)) + 1
		if column+length > pageWidth && column > indent {
			b.WriteString("\n" + strings.Repeat(" ", indent-1))
			column = indent
		}
		b.WriteString(" " + word)
		column += length
	}
	b.WriteByte('\n')
}

func (d Document) printPorts(b *strings.Builder) error {
	if len(d.Ports) == 0 {
		return nil
	}
	fmt.Fprintln(b)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "PORT\tROLES\tCARRIER\tDRIVER\tCARD\tSHARES IT WITH\n")
	for _, p := range d.Ports {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, strings.Join(p.Roles, ","), p.Carrier,
			cmp.Or(p.Driver, "-"), cmp.Or(p.Card, "-"), cmp.Or(strings.Join(p.Siblings, " "), "-"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var said []string
	for _, p := range d.Ports {
		if slices.Contains(said, p.Says) {
			continue
		}
		said = append(said, p.Says)
		var same []string
		for _, other := range d.Ports {
			if other.Says == p.Says {
				same = append(same, other.Name)
			}
		}
		paragraph(b, "", strings.Join(same, " ")+": "+p.Says)
	}
	return nil
}

// printStorage gives what is known of the file systems, good or bad.
func (d Document) printStorage(b *strings.Builder) {
	heading := "\nSTORAGE\n"
	for _, f := range d.Findings {
		if f.Check == "storage" && f.Severity == SeverityOK {
			b.WriteString(heading)
			heading = ""
			paragraph(b, "", f.Text)
		}
	}
}

// printUndecided says what no evidence can settle, and what this router does then.
func (d Document) printUndecided(b *strings.Builder) {
	if len(d.Undecided) == 0 {
		return
	}
	b.WriteString("\nWHAT NO EVIDENCE CAN SETTLE, AND WHAT HAPPENS THEN\n")
	for i, u := range d.Undecided {
		if i == 0 || !slices.Equal(u.Instances, d.Undecided[i-1].Instances) {
			fmt.Fprintf(b, "  %s\n", cmp.Or(several(u.Instances), "every instance"))
		}
		paragraph(b, "if", u.When)
		paragraph(b, "then", u.Then)
	}
}

// printFine names everything that was found well.
func (d Document) printFine(b *strings.Builder) {
	var fine []string
	for _, f := range d.Findings {
		if f.Severity == SeverityOK && f.Check != "storage" && !slices.Contains(fine, f.Check) {
			fine = append(fine, f.Check)
		}
	}
	if len(fine) == 0 {
		return
	}
	slices.Sort(fine)
	b.WriteString("\nFOUND WELL\n")
	paragraph(b, "", strings.Join(fine, ", "))
}

package migrate

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"standfast/configfs"
)

// Verb is something that can be done to a host.
type Verb uint8

// The verbs. Each has another that undoes it; Write is its own.
const (
	Write   Verb = iota // put a file in place, or remove it
	Stop                // a unit, and wait until nothing is left of it
	Start               // a unit, once nothing is left of the other, and wait until it serves
	Disable             // a unit: it does not start at boot
	Enable              // a unit: it starts at boot
)

// Step is one thing to do, whole in itself.
type Step struct {
	Verb   Verb
	Unit   string // of Stop, Start, Disable and Enable
	File   string // of Write
	Before []byte // what the file has before; nil: there is none
	After  []byte // what it has afterwards; nil: it is removed
}

// Reverse returns the step that undoes s.
func (s Step) Reverse() Step {
	switch s.Verb {
	case Write:
		s.Before, s.After = s.After, s.Before
	case Stop:
		s.Verb = Start
	case Start:
		s.Verb = Stop
	case Disable:
		s.Verb = Enable
	case Enable:
		s.Verb = Disable
	}
	return s
}

// String says what a step does, in the words of a shell where there are some.
func (s Step) String() string {
	unit := strings.TrimSuffix(s.Unit, ".service")
	switch s.Verb {
	case Write:
		switch kept := strings.HasSuffix(s.File, backupSuffix); {
		case s.After == nil:
			return "rm " + s.File
		case kept:
			return "keep what is there in " + s.File
		}
		return "write " + s.File + ", which ends in " + cmp.Or(lastLine(s.After), "nothing")
	case Stop:
		return "systemctl stop " + unit + ", and wait until no process of it is left"
	case Start:
		return "systemctl start " + unit + ", and wait until it serves"
	case Disable:
		return "systemctl disable " + unit
	case Enable:
		return "systemctl enable " + unit
	}
	return fmt.Sprintf("Verb(%d)", uint8(s.Verb))
}

func lastLine(content []byte) string {
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return lines[len(lines)-1]
}

// Finding is something about the host that stands in the way, will hurt, or is worth knowing, and what to do about it.
type Finding struct {
	Severity configfs.Severity
	Text     string
	Remedy   string
}

// Plan is what a migration would do to a host, and why it should not.
type Plan struct {
	From, To     Unit // as they are now
	Now          []string
	Options      []Option             // of keepalived, and what becomes of each
	Complaints   configfs.Diagnostics // about the file, as check prints them
	Differences  []string             // what standfast does otherwise with this file
	Findings     []Finding
	Interruption []string // what the users of the router will notice
	Steps        []Step   // none: there is nothing to do
}

// Worst is the severest of all that was found: Error means that the plan may not be carried out.
func (p Plan) Worst() configfs.Severity {
	worst, _ := p.Complaints.Worst()
	for _, f := range p.Findings {
		worst = max(worst, f.Severity)
	}
	for _, o := range p.Options {
		switch o.Fate {
		case Refused:
			worst = configfs.Error
		case Ends:
			worst = max(worst, configfs.Hazard)
		case Pointless, Carried:
		}
	}
	return worst
}

func (p *Plan) find(s configfs.Severity, remedy, format string, args ...any) {
	p.Findings = append(p.Findings, Finding{s, fmt.Sprintf(format, args...), remedy})
}

// now adds a line on what is.
func (p *Plan) now(format string, args ...any) { p.Now = append(p.Now, fmt.Sprintf(format, args...)) }

// Forward plans the way from keepalived to standfast.
func Forward(s Snapshot) Plan {
	p := Plan{From: s.Keepalived, To: s.Standfast}
	if !p.possible(s) {
		return p
	}
	if s.Standfast.runs() && !s.Keepalived.runs() {
		p.boots()
		return p
	}
	all := settings(s.Files, s.Keepalived)
	l := launched(s.Files, all)
	u := p.commandLine(s, l)
	p.otherSettings(s, all)
	c := p.configuration(s, u)
	p.serving(s, c)
	p.reachable(s, c)
	p.redirect(s.options(), u.file)
	p.exchange()
	p.boots()
	return p
}

// Back plans the way from standfast to keepalived.
func Back(s Snapshot) Plan {
	p := Plan{From: s.Standfast, To: s.Keepalived}
	if !p.possible(s) {
		return p
	}
	if s.Standfast.runs() || !s.Keepalived.runs() {
		l := launched(s.Files, settings(s.Files, s.Keepalived))
		u := understood(l.words[min(1, len(l.words)):])
		p.readable(s, u, s.options())
		p.exchange()
	}
	p.boots()
	p.Steps = append(p.Steps, s.options().restore()...)
	return p
}

// possible makes sure that the two can change places at all.
func (p *Plan) possible(s Snapshot) bool {
	if !s.Systemd {
		p.find(configfs.Error, "stop the one by hand, make sure that no process of it is left, and start the other",
			"systemd does not run this host")
		return false
	}
	for _, u := range []Unit{p.From, p.To} {
		p.now("%-12s %s", u.short(), state(u))
	}
	if !s.Root {
		p.find(configfs.Note, "ask again as root", "you are not root: what you may not see is not taken into account, and nothing can be changed")
	}
	switch {
	case !p.To.known():
		p.find(configfs.Error, "install the package", "systemd knows no %s", p.To.Name)
	case !p.To.masked() && p.To.Load != "loaded":
		p.find(configfs.Error, "systemctl status "+p.To.short(), "systemd cannot make sense of %s: %s", p.To.Name, p.To.Load)
	case p.To.masked():
		p.find(configfs.Error, "systemctl unmask "+p.To.short(), "%s is masked: it cannot be started", p.To.Name)
	}
	if p.From.masked() && p.From.runs() {
		p.find(configfs.Error, "systemctl unmask "+p.From.short(), "%s is masked but runs: if anything failed it could not be started again", p.From.Name)
	}
	if p.From.runs() && p.To.runs() {
		p.find(configfs.Error, "systemctl stop "+p.To.short()+", look whether all is well, and come back",
			"both run, which must never be: they take the addresses away from each other")
	}
	if p.From.runs() && len(p.From.Dependents) > 0 {
		p.find(configfs.Error, "have them name "+p.To.Name+" instead: systemctl edit --full "+strings.Join(p.From.Dependents, " "),
			"stopping %s stops %s as well, and nothing would start it again", p.From.short(), strings.Join(p.From.Dependents, ", "))
	}
	if !slices.Contains(s.Standfast.Conflicts, Keepalived) && !slices.Contains(s.Keepalived.Conflicts, Standfast) && s.Standfast.known() {
		p.find(configfs.Note, "put Conflicts="+Keepalived+" into a drop-in of "+Standfast,
			"neither unit conflicts with the other: after this, a systemctl start of the wrong one would have both run")
	}
	p.outsiders(s)
	return true
}

// outsiders finds daemons that systemd does not control: what it cannot stop, this cannot either.
func (p *Plan) outsiders(s Snapshot) {
	for _, u := range []Unit{s.Keepalived, s.Standfast} {
		for _, one := range routers(s.Files, u.Name) {
			if one.of(u.Name) || one.PID == u.PID && u.runs() {
				continue
			}
			remedy := fmt.Sprintf("systemctl start %s does not know of it: kill %d, see that it is gone, and come back", u.short(), one.PID)
			how := "was started by hand or by another program"
			if one.contained() {
				remedy, how = "stop and remove the container with what started it, and come back", "runs in a container"
			}
			p.find(configfs.Error, remedy, "process %d of %s is not %s's: it %s (control group %s)%s", one.PID, u.short(), u.Name, how,
				cmp.Or(one.Group, "unknown"), s.holds(one.PID))
			break // its children follow
		}
	}
}

// holds says which of keepalived's pid files a process is named in.
func (s Snapshot) holds(pid int) string {
	for _, file := range []string{"run/keepalived.pid", "run/keepalived/keepalived.pid"} {
		if strings.TrimSpace(text(s.Files, file)) == fmt.Sprint(pid) {
			return " and is the one that /" + file + " names"
		}
	}
	return ""
}

// exchange stops the one and starts the other.
func (p *Plan) exchange() {
	if p.From.runs() {
		p.Steps = append(p.Steps, Step{Verb: Stop, Unit: p.From.Name})
	}
	if !p.To.runs() {
		p.Steps = append(p.Steps, Step{Verb: Start, Unit: p.To.Name})
	}
}

// boots has the next boot start the right one.
func (p *Plan) boots() {
	if p.From.boots() {
		p.Steps = append(p.Steps, Step{Verb: Disable, Unit: p.From.Name})
	}
	if !p.To.boots() {
		p.Steps = append(p.Steps, Step{Verb: Enable, Unit: p.To.Name})
	}
}

// state says whether a unit runs, now and after the next boot.
func state(u Unit) string {
	if !u.known() {
		return "is not installed"
	}
	runs, boots := "does not run", "does not start at boot"
	switch {
	case u.runs() && u.PID > 0:
		runs = fmt.Sprintf("runs (process %d)", u.PID)
	case u.runs():
		runs = "is " + u.Active
	}
	switch {
	case u.masked():
		boots = "is masked"
	case u.boots():
		boots = "starts at boot"
	}
	return runs + ", " + boots
}

// optionsFile is the file that gives standfast its command line.
type optionsFile struct {
	name    string   // where OPTIONS= is to be written
	words   []string // what follows "standfast run" now
	deaf    bool     // the unit does not start standfast with OPTIONS
	content []byte   // of name; nil where there is none
	backup  []byte   // of the file that keeps what was there before; nil where there is none
}

// backupSuffix marks the file that keeps what was there before. An empty one says that there was none.
const backupSuffix = ".before-migrate"

// options reads how standfast is started. What is written goes where the unit reads it last.
func (s Snapshot) options() optionsFile {
	l := launched(s.Files, settings(s.Files, s.Standfast))
	o := optionsFile{words: l.words[min(2, len(l.words)):], deaf: len(l.words) > 0 && !slices.Contains(split(l.command), "$OPTIONS")}
	sources := l.sources
	if len(sources) == 0 {
		sources = []string{"/etc/default/standfast", "/etc/sysconfig/standfast"}
	}
	o.name = sources[len(sources)-1]
	for _, exists := range []func(string) string{path.Dir, path.Clean} {
		for _, name := range sources {
			if _, err := fs.Stat(s.Files, strings.TrimPrefix(exists(name), "/")); err == nil {
				o.name = name
			}
		}
	}
	o.content, _ = fs.ReadFile(s.Files, strings.TrimPrefix(o.name, "/"))
	o.backup, _ = fs.ReadFile(s.Files, strings.TrimPrefix(o.name, "/")+backupSuffix)
	return o
}

// startedWith is standfast's command line with another configuration.
func startedWith(file string, words []string) (all []string) {
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case w == "-f" || w == "--file":
			i++
		case strings.HasPrefix(w, "-f") || strings.HasPrefix(w, "--file="):
		default:
			all = append(all, w)
		}
	}
	return append(all, "-f", file)
}

// runsWith is the configuration that a command line of standfast names.
func runsWith(words []string) string {
	file := "/etc/standfast/standfast.conf"
	for i, w := range words {
		switch {
		case (w == "-f" || w == "--file") && i+1 < len(words):
			file = words[i+1]
		case strings.HasPrefix(w, "--file="):
			file = w[len("--file="):]
		case strings.HasPrefix(w, "-f"):
			file = w[len("-f"):]
		}
	}
	return file
}

// redirect has standfast read a file, unless it does so already.
func (p *Plan) redirect(o optionsFile, file string) {
	switch {
	case runsWith(o.words) == file:
	case o.deaf:
		p.find(configfs.Error, "have it end in: run $OPTIONS", "the unit of standfast does not read OPTIONS, and runs by %s", runsWith(o.words))
	default:
		p.Steps = append(p.Steps, o.write(startedWith(file, o.words))...)
	}
}

// write keeps the file that is there and has its last line, which counts, say something else.
func (o optionsFile) write(words []string) []Step {
	content := bytes.Clone(o.content)
	if len(content) > 0 && !bytes.HasSuffix(content, []byte("\n")) {
		content = append(content, '\n')
	}
	content = fmt.Appendf(content, "# Written by standfast migrate; what was here before is in %s%s.\nOPTIONS='%s'\n",
		o.name, backupSuffix, strings.Join(words, " "))
	kept := o.content
	if kept == nil {
		kept = []byte{}
	}
	return []Step{
		{Verb: Write, File: o.name + backupSuffix, Before: o.backup, After: kept},
		{Verb: Write, File: o.name, Before: o.content, After: content},
	}
}

// restore puts back what was there before.
func (o optionsFile) restore() []Step {
	if o.backup == nil {
		return nil
	}
	before := o.backup
	if len(before) == 0 {
		before = nil
	}
	return []Step{
		{Verb: Write, File: o.name, Before: o.content, After: before},
		{Verb: Write, File: o.name + backupSuffix, Before: o.backup},
	}
}

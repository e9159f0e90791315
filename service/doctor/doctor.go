// Package doctor looks at the host around a router and says what will hurt. It
// changes nothing, opens no device, and is done in bounded time: each look runs
// in a goroutine of its own, and one that is late is named and left behind.
//
// doctor.go has the looking done and puts the findings together, patient.go says
// through which openings a host is looked at and what is known before the first
// look. Each other file is what is looked at: service.go, rivals.go, storage.go,
// ports.go, sysctl.go, process.go; firewall.go, which follows packets (packet.go)
// through the rules of nft.go and iptables.go; policy.go, drivers.go and cable.go
// say what no evidence can settle, what a driver can testify, and what a cable
// measures. print.go is the page.
package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"time"

	"standfast/service"
)

// Options say what is to be examined.
type Options struct {
	// File is the configuration; empty for that of the running service, or
	// else DefaultFile.
	File string
	// RuntimeDir is where a running service is asked.
	RuntimeDir string
	// Version is that of this program.
	Version string
	// JSON has the document printed instead of the page.
	JSON bool
}

// DefaultFile is the configuration of a host that names no other.
const DefaultFile = "/etc/standfast/standfast.conf"

// Severity says how bad a finding is.
type Severity uint8

// The severities. An error is a configuration that cannot be run; a hazard will
// hurt on the day of a failover; a note is worth knowing.
const (
	SeverityOK Severity = iota
	SeverityNote
	SeverityHazard
	SeverityError
)

// String is the word that is printed.
func (s Severity) String() string {
	switch s {
	case SeverityOK:
		return "ok"
	case SeverityNote:
		return "note"
	case SeverityHazard:
		return "hazard"
	case SeverityError:
		return "error"
	}
	return fmt.Sprintf("Severity(%d)", uint8(s))
}

// MarshalText gives the word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *Severity) UnmarshalText(text []byte) error {
	for _, one := range []Severity{SeverityOK, SeverityNote, SeverityHazard, SeverityError} {
		if one.String() == string(text) {
			*s = one
			return nil
		}
	}
	return fmt.Errorf("%q is no severity", text)
}

// Finding is one thing that was looked at.
type Finding struct {
	Severity Severity `json:"severity"`
	Check    string   `json:"check"`   // what was looked at, a stable word
	Subject  string   `json:"subject"` // whom it concerns: ports, an instance, a file
	Text     string   `json:"text"`    // what is so, one sentence
	Why      string   `json:"why"`     // why it hurts, one sentence; empty for ok
	Remedy   string   `json:"remedy"`  // lines to paste, or what to do; empty for ok
}

// Document is everything the doctor has to say. Fields are only ever added.
type Document struct {
	Host      string      `json:"host"`
	Kernel    string      `json:"kernel"`
	Version   string      `json:"version"` // of the running service, empty when none runs
	Config    string      `json:"config"`
	Time      time.Time   `json:"time"`
	Worst     Severity    `json:"worst"`
	States    []string    `json:"states"`   // of the instances of a running service: "VI_0 MASTER (peer-dead)"
	Findings  []Finding   `json:"findings"` // the worst first
	Ports     []Port      `json:"ports"`
	Undecided []Undecided `json:"undecided"`
}

// Port is one configured port.
type Port struct {
	Name     string         `json:"name"`
	Roles    []string       `json:"roles"`
	Carrier  string         `json:"carrier"`
	Driver   string         `json:"driver"`
	Bus      string         `json:"bus"`
	Card     string         `json:"card"`
	Through  []string       `json:"through"`  // the ports beneath a VLAN, bridge or bond
	Siblings []string       `json:"siblings"` // configured ports on the same card
	Says     string         `json:"says"`     // what its driver can testify
	Sysctls  map[string]int `json:"sysctls"`  // of IPv4, as the kernel applies them
}

// Undecided is a situation that no evidence can settle, and what follows then.
type Undecided struct {
	Instances []string `json:"instances"` // empty for all
	When      string   `json:"when"`
	Then      string   `json:"then"`
}

// Report examines this host and writes what it found, as a page or as JSON. It
// returns the worst that it found; an error is one of writing.
//
// The looking is done by another process of the same program: one that touches a
// dead disk cannot end before the disk answers, and the operator waits for this
// one.
func Report(ctx context.Context, w io.Writer, o Options) (Severity, error) {
	d, err := examineApart(ctx, o)
	if err != nil {
		d = thisHost(o).examine(ctx)
	}
	if o.JSON {
		return d.Worst, d.writeJSON(w)
	}
	return d.Worst, d.print(w)
}

// Examine is the other process: it examines this host and writes the document.
func Examine(ctx context.Context, w io.Writer, o Options) error {
	// A process that forks while its file system hangs freezes at its next
	// garbage collection; this one lives for seconds and can do without.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return thisHost(o).examine(ctx).writeJSON(w)
}

func (d Document) writeJSON(w io.Writer) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return service.PrintJSON(w, append(text, '\n'))
}

// examinePatience is how long the other process is waited for: longer than it
// waits for each of the five things that it asks one after the other.
const examinePatience = 6 * patience

// examineApart has another process examine the host. Its output is read up to
// the end of the document, not of the process.
func examineApart(ctx context.Context, o Options) (Document, error) {
	ctx, cancel := context.WithTimeout(ctx, examinePatience)
	defer cancel()
	r, w, err := os.Pipe()
	if err != nil {
		return Document{}, err
	}
	defer r.Close()
	go func() {
		c := exec.CommandContext(ctx, "/proc/self/exe", "helper", "doctor", "--file", o.File, "--runtime-dir", o.RuntimeDir)
		c.Stdout = w
		_ = c.Run() // what it had to say it has written
		_ = w.Close()
	}()
	ended := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer ended()
	var d Document
	if err := json.NewDecoder(r).Decode(&d); err != nil {
		return Document{}, fmt.Errorf("the other process did not examine the host: %w", err)
	}
	return d, nil
}

// examination is one thing to look at.
type examination struct {
	name  string
	about string // completes "not answered within 4 s: …"
	see   func(p *patient) []Finding
}

// looks is everything that is looked at once it is known who the patient is, the
// most urgent first.
func (d *host) looks() []examination {
	return []examination{
		{"service", "how the service is", d.lookService},
		{"rivals", "other programs that hold addresses", d.lookRivals},
		{"storage", "storage", d.lookStorage},
		{"ports", "how the ports are", d.lookPorts},
		{"firewall", "whether the firewall lets VRRP through", d.lookFirewall},
		{"addresses", "who holds the virtual addresses", d.lookAddresses},
		{"evidence", "whether a silence would count", d.lookEvidence},
		{"process", "the service's hold on memory and processor", d.lookProcess},
		{"cards", "which ports share a card", d.lookCards},
		{"layers", "bridges and bonds", d.lookLayers},
		{"networkmanager", "NetworkManager", d.lookNetworkManager},
		{"networkd", "systemd-networkd", d.lookNetworkd},
		{"sysctls", "the kernel's settings for IPv4", d.lookSysctls},
		{"ipv6", "the kernel's settings for IPv6", d.lookIPv6},
		{"scripts", "whether notify scripts can run", d.lookScripts},
		{"selinux", "SELinux", d.lookSELinux},
		{"supervision", "watchdogs", d.lookSupervision},
		{"kernel", "the kernel's version", d.lookKernel},
	}
}

// examine looks at everything, all at once, and waits no longer than patience
// for any of it.
func (d *host) examine(ctx context.Context) Document {
	p, findings := d.admit(ctx)
	looks := d.looks()
	answers := make([]chan []Finding, len(looks))
	for i, l := range looks {
		answers[i] = make(chan []Finding, 1)
		go func() { answers[i] <- l.see(p) }()
	}
	late := time.NewTimer(d.patience)
	defer late.Stop()
	over := false
	for i, l := range looks {
		if !over {
			select {
			case f := <-answers[i]:
				findings = append(findings, f...)
				continue
			case <-late.C:
				over = true
			}
		}
		select {
		case f := <-answers[i]:
			findings = append(findings, f...)
		default:
			findings = append(findings, unanswered(l.name, l.about, d.patience))
		}
	}
	return p.document(findings)
}

// unanswered is the finding about a look that is late.
func unanswered(name, about string, patience time.Duration) Finding {
	return Finding{
		Severity: SeverityHazard, Check: name, Subject: name,
		Text:   fmt.Sprintf("not answered within %v: %s", patience, about),
		Why:    "what is asked here comes out of the kernel's memory at once, unless a disk, a driver or a lock of the kernel hangs",
		Remedy: "ps -eo pid,stat,wchan:30,cmd | awk '$2 ~ /D/'",
	}
}

// timely waits for an answer no longer than patience.
func timely[T any](patience time.Duration, ask func() T) (answer T, ok bool) {
	answers := make(chan T, 1)
	go func() { answers <- ask() }()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case answer = <-answers:
		return answer, true
	case <-late.C:
		return answer, false
	}
}

// document puts together what is printed.
func (p *patient) document(findings []Finding) Document {
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	d := Document{
		Host: p.host, Kernel: p.kernel, Config: p.file, Time: p.at, Findings: findings,
		States: []string{}, Ports: []Port{}, Undecided: p.undecided(),
	}
	for _, one := range p.ports {
		d.Ports = append(d.Ports, one.Port)
	}
	if p.status != nil {
		d.Version = p.status.Node.Version
		for _, i := range p.status.Instances {
			d.States = append(d.States, brief(i))
		}
	}
	for _, f := range findings {
		d.Worst = max(d.Worst, f.Severity)
	}
	return d
}

package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"standfast/configfs"
	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/service"
)

// host is how the host is looked at: small openings, so that a test can put a
// host of its own behind them.
type host struct {
	options  Options
	patience time.Duration // for each question and for all looks together
	files    fs.FS         // rooted at /
	states   func() ([]port.State, error)
	identify func(name string) port.Identity
	ask      func(context.Context) (service.StatusDocument, error)
	// tool runs a program that only reads, and returns what it prints;
	// fs.ErrNotExist where the host does not have it.
	tool func(name string, args ...string) (string, error)
	// drivers says whether the kernel lets drivers be asked about their links.
	drivers func() bool
	now     func() time.Time
}

// patience is long for what the kernel knows and short for somebody who
// is waiting at three in the morning.
const patience = 4 * time.Second

// thisHost looks at the host that the process runs on.
func thisHost(o Options) *host {
	return &host{
		options: o, patience: patience, files: os.DirFS("/"),
		states: port.Snapshot, identify: port.Identify,
		ask: func(ctx context.Context) (service.StatusDocument, error) {
			d, err := service.QueryStatus(ctx, o.RuntimeDir)
			if err == nil {
				restart := service.PendingRestart(d.Node, o.Version)
				d.Restart = &restart
			}
			return d, err
		},
		tool: runTool, drivers: asksDrivers, now: time.Now,
	}
}

func asksDrivers() bool {
	c, err := ethtool.Open()
	if err != nil {
		return false
	}
	return c.Close() == nil
}

// runTool runs a program in the C locale, in which its words are those of its
// manual. One that is late is killed, if the kernel lets it go.
func runTool(name string, args ...string) (string, error) {
	file, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, file, args...)
	c.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	text, err := c.Output()
	return string(text), err
}

// patient is what is known before anything is looked at. The looks run side by
// side, and none of them writes to it.
type patient struct {
	at        time.Time
	host      string
	kernel    string
	file      string                  // the configuration, an absolute path
	config    configfs.Config         // as far as it could be understood
	status    *service.StatusDocument // nil when no service answers
	absent    bool                    // there is none, as far as can be seen
	states    map[string]port.State
	stateless bool // the kernel did not say which ports there are
	ports     []patientPort
}

// patientPort is a configured port with what lives on it.
type patientPort struct {
	Port
	state port.State
	vips  []netip.Prefix
	told  *service.PortDocument // what the running service says, nil when it does not
}

// heartbeat says that adverts go there.
func (p patientPort) heartbeat() bool { return slices.Contains(p.Roles, "heartbeat") }

// serving says that the port has a service to do.
func (p patientPort) serving() bool { return slices.Contains(p.Roles, "serving") }

// has says that a virtual address of the family lives on the port.
func (p patientPort) has(family uint8) bool {
	return slices.ContainsFunc(p.vips, func(v netip.Prefix) bool { return v.Addr().Is4() == (family == 4) })
}

// admit asks who the patient is, each question for no longer than patience.
func (d *host) admit(ctx context.Context) (*patient, []Finding) {
	p := &patient{at: d.now(), host: d.text("proc/sys/kernel/hostname"), kernel: d.text("proc/sys/kernel/osrelease")}
	var findings []Finding
	findings = append(findings, d.admitStatus(ctx, p)...)
	p.file = d.options.File
	if p.file == "" && p.status != nil {
		p.file = p.status.Node.Config
	}
	p.file = cmp.Or(p.file, DefaultFile)
	findings = append(findings, d.admitConfig(p)...)
	findings = append(findings, d.admitStates(p)...)
	if ports, ok := timely(d.patience, func() []patientPort { return d.examinePorts(p) }); ok {
		p.ports = ports
	} else {
		findings = append(findings, unanswered("hardware", "what hardware the ports are", d.patience))
	}
	return p, findings
}

// admitStatus asks the running service.
func (d *host) admitStatus(ctx context.Context, p *patient) []Finding {
	ctx, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	status, err := d.ask(ctx)
	switch {
	case err == nil:
		p.status = &status
		return nil
	case errors.Is(err, service.ErrNotRunning):
		p.absent = true
		remedy := "systemctl start standfast\nstandfast doctor --runtime-dir DIR"
		if d.keepalivedServes(p) {
			remedy = toMove
		}
		return []Finding{{
			Severity: SeverityNote, Check: "running", Subject: "standfast",
			Text:   "standfast is not running here, or with another runtime directory",
			Why:    "what only the running service can know is missing from this page",
			Remedy: remedy,
		}}
	case errors.Is(err, fs.ErrPermission):
		return []Finding{{
			Severity: SeverityNote, Check: "running", Subject: "standfast",
			Text:   "the running service may not be asked by this user",
			Why:    "what only the running service can know is missing from this page",
			Remedy: "sudo standfast doctor",
		}}
	}
	return []Finding{{
		Severity: SeverityHazard, Check: "running", Subject: "standfast",
		Text:   "the service does not say how it is: " + err.Error(),
		Why:    "a loop that does not answer may not send adverts either",
		Remedy: "standfast status\njournalctl -u standfast -n 50",
	}}
}

// admitConfig reads the configuration, and hands on every complaint about it.
func (d *host) admitConfig(p *patient) []Finding {
	type loaded struct {
		config     configfs.Config
		complaints configfs.Diagnostics
	}
	l, ok := timely(d.patience, func() loaded {
		c, complaints := configfs.Load(d.files, p.file)
		return loaded{c, complaints}
	})
	if !ok {
		return []Finding{unanswered("configuration", "what "+p.file+" says", d.patience)}
	}
	p.config = l.config
	var findings []Finding
	for _, c := range l.complaints {
		findings = append(findings, complaint(c))
	}
	return findings
}

// complaint turns a complaint of configfs into a finding.
func complaint(c configfs.Diagnostic) Finding {
	f := Finding{Check: "configuration", Subject: c.Position.String(), Text: c.Text, Remedy: c.Hint}
	if c.File == "" || !strings.Contains(c.Text, c.File) {
		f.Text = c.Position.String() + ": " + c.Text
	}
	switch c.Severity {
	case configfs.Error:
		f.Severity, f.Why = SeverityError, "standfast run refuses to start with it, and a reload keeps the old configuration"
	case configfs.Hazard:
		f.Severity, f.Why = SeverityHazard, "it runs, but not as whoever wrote it may think"
	case configfs.Note:
		f.Severity, f.Why = SeverityNote, "it runs, and this line means less than it says"
	}
	f.Remedy = cmp.Or(f.Remedy, "standfast check "+c.File)
	return f
}

// admitStates reads the ports of the host.
func (d *host) admitStates(p *patient) []Finding {
	type answer struct {
		states []port.State
		err    error
	}
	a, ok := timely(d.patience, func() answer {
		states, err := d.states()
		return answer{states, err}
	})
	p.states = map[string]port.State{}
	for _, s := range a.states {
		p.states[s.Name] = s
	}
	switch {
	case !ok:
		p.stateless = true
		return []Finding{unanswered("ports", "which ports there are", d.patience)}
	case a.err != nil:
		p.stateless = true
		return []Finding{{
			Severity: SeverityHazard, Check: "ports", Subject: "ports", Text: "the kernel does not list its ports: " + a.err.Error(),
			Why: "the service depends on the same list", Remedy: "ip -details link",
		}}
	}
	return nil
}

// examinePorts finds the configured ports, what they are used for, and what
// hardware they are.
func (d *host) examinePorts(p *patient) []patientPort {
	all := p.configured()
	for i := range all {
		one := &all[i]
		one.state = p.states[one.Name]
		one.Through = d.beneath(one.Name)
		d.identifyPort(one)
		if one.Driver == "" && one.told != nil {
			one.Driver = one.told.Driver
		}
		one.Carrier = carrierOf(one.state, p.stateless)
		one.Says = driverTells(one.Driver)
		one.Sysctls = d.portSysctls(one.Name)
	}
	for i := range all {
		for _, other := range all {
			if other.Name != all[i].Name && other.Card != "" && other.Card == all[i].Card {
				all[i].Siblings = append(all[i].Siblings, other.Name)
			}
		}
	}
	return all
}

// identifyPort finds the hardware of a port, or of the ports beneath it. What
// rests on several cards has all of them.
func (d *host) identifyPort(p *patientPort) {
	var drivers, buses, cards []string
	for _, name := range append([]string{p.Name}, p.Through...) {
		id := d.identify(name)
		if id.Card == "" {
			continue
		}
		drivers, buses, cards = append(drivers, id.Driver), append(buses, id.Bus), append(cards, id.Card)
	}
	together := func(all []string) string {
		slices.Sort(all)
		return strings.Join(slices.Compact(all), "+")
	}
	p.Driver, p.Bus, p.Card = together(drivers), together(buses), together(cards)
}

// configured are the ports that the configuration names, or the service where
// the configuration could not be read.
func (p *patient) configured() []patientPort {
	byName := map[string]*patientPort{}
	role := func(name, role string) {
		if name == "" {
			return
		}
		one := byName[name]
		if one == nil {
			one = &patientPort{Port: Port{Name: name, Through: []string{}, Siblings: []string{}}}
			byName[name] = one
		}
		if !slices.Contains(one.Roles, role) {
			one.Roles = append(one.Roles, role)
		}
	}
	for _, i := range p.config.Instances {
		role(i.Interface.Name, "heartbeat")
		for _, name := range servingPorts(i) {
			role(name, "serving")
		}
		for _, a := range slices.Concat(i.Addresses, i.Excluded) {
			if one := byName[a.Dev.Name]; one != nil {
				one.vips = append(one.vips, a.Prefix)
			}
		}
	}
	if p.status != nil {
		for i, told := range p.status.Ports {
			for _, r := range told.Roles {
				if len(p.config.Instances) == 0 {
					role(told.Name, r)
				}
			}
			if one := byName[told.Name]; one != nil {
				one.told = &p.status.Ports[i]
			}
		}
	}
	var all []patientPort
	for _, one := range byName {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b patientPort) int {
		return cmp.Or(cmp.Compare(a.Roles[0], b.Roles[0]), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// servingPorts are the ports on which an instance has a service to do. The port
// of its adverts is one only if a virtual address lives there.
func servingPorts(i configfs.Instance) []string {
	var all []string
	for _, a := range slices.Concat(i.Addresses, i.Excluded) {
		all = append(all, a.Dev.Name)
	}
	for _, r := range i.Routes {
		if r.Dev.Name != i.Interface.Name {
			all = append(all, r.Dev.Name)
		}
	}
	for _, t := range i.Tracks {
		if t.Name != i.Interface.Name {
			all = append(all, t.Name)
		}
	}
	all = slices.DeleteFunc(all, func(name string) bool { return name == "" })
	slices.Sort(all)
	return slices.Compact(all)
}

// beneath are the ports under a VLAN, a bridge or a bond, down to the last.
func (d *host) beneath(name string) []string {
	all := []string{}
	for level := []string{name}; len(level) > 0 && len(all) < 64; {
		var next []string
		for _, one := range level {
			entries, err := fs.ReadDir(d.files, path.Join("sys/class/net", one))
			if err != nil {
				continue
			}
			for _, e := range entries {
				if lower, ok := strings.CutPrefix(e.Name(), "lower_"); ok && !slices.Contains(all, lower) {
					all, next = append(all, lower), append(next, lower)
				}
			}
		}
		level = next
	}
	return all
}

func carrierOf(s port.State, stateless bool) string {
	switch {
	case stateless:
		return "unknown"
	case !s.Present:
		return "missing"
	case !s.AdminUp:
		return "admin-down"
	}
	return s.Carrier.String()
}

// text reads a small file without its last newline; empty when it cannot.
func (d *host) text(name string) string {
	b, err := fs.ReadFile(d.files, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// number reads a file that holds one.
func (d *host) number(name string) (int, bool) {
	n, err := strconv.Atoi(d.text(name))
	return n, err == nil
}

// exists says that there is such a file, without opening it.
func (d *host) exists(name string) bool {
	_, err := fs.Stat(d.files, name)
	return err == nil
}

// sound is a finding that all is well.
func sound(check, subject, text string) []Finding {
	return []Finding{{Severity: SeverityOK, Check: check, Subject: subject, Text: text}}
}

// names joins the names of ports.
func names(ports []patientPort) string {
	var all []string
	for _, p := range ports {
		all = append(all, p.Name)
	}
	return strings.Join(all, " ")
}

// where are the ports of which something holds.
func (p *patient) where(holds func(patientPort) bool) []patientPort {
	var some []patientPort
	for _, one := range p.ports {
		if holds(one) {
			some = append(some, one)
		}
	}
	return some
}

package service

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
	"standfast/vrrp/verdict"
)

// StatusDocument answers the verb "status". Fields are only ever added.
type StatusDocument struct {
	Healthy   bool               `json:"healthy"`  // every instance serves or stands by, and nothing it needs is broken
	Problems  []string           `json:"problems"` // a sentence for each reason why not
	Node      NodeDocument       `json:"node"`
	Instances []InstanceDocument `json:"instances"`
	Ports     []PortDocument     `json:"ports"`
	Restart   *RestartDocument   `json:"restart,omitempty"` // added by who asks
}

// NodeDocument is about the router as a whole.
type NodeDocument struct {
	Version  string            `json:"version"`
	PID      int               `json:"pid"`
	Config   string            `json:"config"`
	Time     time.Time         `json:"time"` // of this document
	Started  time.Time         `json:"started"`
	Storage  StorageDocument   `json:"storage"`
	Body     BodyDocument      `json:"body"`
	Lateness LatenessDocument  `json:"lateness"`
	Helpers  []HelperDocument  `json:"helpers"`
	Lost     map[string]uint64 `json:"lost"` // what was dropped or failed since the start, by kind
}

// InstanceDocument is about one instance.
type InstanceDocument struct {
	Name              string            `json:"name"`
	State             string            `json:"state"` // INIT, BACKUP, MASTER or FAULT
	Since             time.Time         `json:"since"`
	Priority          uint8             `json:"priority"`
	EffectivePriority uint8             `json:"effective_priority"`
	Interface         string            `json:"interface"`
	VRID              uint8             `json:"vrid"`
	Family            uint8             `json:"family"` // 4 or 6
	Partial           bool              `json:"partial"`
	Installed         bool              `json:"installed"` // the virtual addresses are in the kernel
	Lease             float64           `json:"lease"`     // of a virtual address in seconds, 0 for ever
	Master            string            `json:"master"`    // the last router obeyed, empty when none was
	Doubt             string            `json:"doubt"`     // what raised the present doubt, empty when there is none
	Verdict           VerdictDocument   `json:"verdict"`
	Reason            string            `json:"reason"` // for the state, in words
	Faults            []FaultDocument   `json:"faults"`
	VIPs              []VIPDocument     `json:"vips"`
	Sent              uint64            `json:"sent"`     // adverts
	Received          uint64            `json:"received"` // adverts accepted
	Dropped           map[string]uint64 `json:"dropped"`  // packets by the check that they failed
}

// VerdictDocument is a verdict with what it was made from.
type VerdictDocument struct {
	Finding  string            `json:"finding"`
	Rule     string            `json:"rule"`
	Act      string            `json:"act"`
	Why      string            `json:"why"`      // one sentence or two
	Evidence map[string]string `json:"evidence"` // fact and value
}

// FaultDocument is one cause for which an instance cannot serve.
type FaultDocument struct {
	Cause string `json:"cause"`
	Port  string `json:"port"` // empty when it is not a port
	Text  string `json:"text"`
}

// VIPDocument is one virtual address.
type VIPDocument struct {
	Address string `json:"address"` // with its mask
	Port    string `json:"port"`
}

// PortDocument is about one interface that the configuration names.
type PortDocument struct {
	Name       string   `json:"name"`
	Roles      []string `json:"roles"`   // heartbeat, serving
	Carrier    string   `json:"carrier"` // up, down or unknown; "admin-down" and "missing" where there can be none
	Driver     string   `json:"driver"`
	Bus        string   `json:"bus"`        // address of the device, empty for a virtual port
	Speed      int      `json:"speed"`      // of the link in Mbit/s, 0 where the driver does not say
	Duplex     string   `json:"duplex"`     // full, half, or empty where the driver does not say
	Calibrated bool     `json:"calibrated"` // a silence of a virtual address here would count
	Mute       bool     `json:"mute"`       // no other station was heard since the carrier came up
	Blind      bool     `json:"blind"`      // the peer's address is not answered here although it serves
	Flapping   bool     `json:"flapping"`
	Filtered   bool     `json:"filtered"`  // adverts come to the port, and not through the filters of this host
	Witnesses  []string `json:"witnesses"` // third parties that answered lately
	Peers      []string `json:"peers"`     // hardware addresses of the peer
	TestimonyDocument
}

// statusDocument puts a snapshot into the form that is shown.
func statusDocument(s Snapshot) StatusDocument {
	d := StatusDocument{
		Node: NodeDocument{
			Version: s.Version, PID: s.PID, Config: s.File, Time: s.Wall, Started: s.Started,
			Storage: storageDocument(s), Helpers: helperDocuments(s), Lost: lost(s),
			Body: bodyDocument(s), Lateness: latenessDocument(s.Lateness),
		},
		Instances: []InstanceDocument{}, Ports: []PortDocument{},
	}
	for _, i := range s.Status.Instances {
		d.Instances = append(d.Instances, instanceDocument(s, i))
	}
	for _, p := range s.Status.Ports {
		port := portDocument(p, s.Hardware[p.Port], s.Now)
		port.Filtered = s.Filtered[p.Port]
		d.Ports = append(d.Ports, port)
	}
	d.Problems = problems(d)
	d.Healthy = len(d.Problems) == 0
	return d
}

func lost(s Snapshot) map[string]uint64 {
	c := s.Counts
	return map[string]uint64{
		"adverts_not_read": c.FramesDropped, "answers_not_read": c.HeardDropped,
		"adverts_broken": c.FramesBroken, "adverts_not_ours": s.Status.Unclaimed,
		"announcements_dropped": c.AnnouncementsDropped, "adverts_not_sent": c.SendErrors,
		"questions_not_sent": c.AskErrors, "announcements_not_sent": c.AnnounceErrors,
		"log_lines_dropped": c.LinesDropped, "scripts_dropped": c.ScriptsDropped,
	}
}

func instanceDocument(s Snapshot, i node.InstanceStatus) InstanceDocument {
	d := InstanceDocument{
		Name: i.Name, State: i.State.String(), Since: s.Wall.Add(-s.Now.Sub(i.Since)).Round(time.Millisecond),
		Priority: i.Priority, EffectivePriority: i.Effective,
		Interface: string(i.Key.Port), VRID: i.Key.VRID, Family: uint8(i.Key.Family),
		Partial: i.Partial, Installed: i.Installed, Lease: math.Round(i.Lease.Seconds()*1000) / 1000,
		Doubt: i.Doubt, Verdict: verdictDocument(i.Verdict), Reason: i.Reason,
		Faults: []FaultDocument{}, VIPs: []VIPDocument{},
		Sent: i.Sent, Received: i.Counters[vrrp.Accepted], Dropped: map[string]uint64{},
	}
	if i.Master.IsValid() {
		d.Master = i.Master.String()
	}
	for _, f := range i.Faults {
		d.Faults = append(d.Faults, FaultDocument{Cause: f.Cause.String(), Port: string(f.Port), Text: f.Culprit})
	}
	for _, v := range i.VIPs {
		d.VIPs = append(d.VIPs, VIPDocument{Address: v.Prefix.String(), Port: string(v.Port)})
	}
	for check, n := range i.Counters {
		if vrrp.Check(check) != vrrp.Accepted && n > 0 {
			d.Dropped[vrrp.Check(check).String()] = n
		}
	}
	return d
}

func verdictDocument(v verdict.Verdict) VerdictDocument {
	facts := v.Evidence.String()
	if v.Rivalry != (verdict.Rivalry{}) {
		facts = v.Rivalry.String()
	}
	if v.Fitness != (verdict.Fitness{}) {
		facts = v.Fitness.String()
	}
	d := VerdictDocument{
		Finding: v.Finding.String(), Rule: v.Rule.String(), Act: v.Act.String(), Why: v.Why(), Evidence: map[string]string{},
	}
	for _, fact := range strings.Fields(facts) {
		name, value, _ := strings.Cut(fact, "=")
		d.Evidence[name] = value
	}
	return d
}

func portDocument(p node.PortStatus, h Hardware, now vrrp.Instant) PortDocument {
	d := PortDocument{
		Name: string(p.Port), Carrier: carrierWord(p), Driver: p.Driver,
		Bus: h.Bus, Speed: h.SpeedMbit, Duplex: h.Duplex,
		Calibrated: p.Calibrated, Mute: p.Mute, Blind: p.Blind, Flapping: p.Flapping,
		Roles: []string{}, Witnesses: []string{}, Peers: []string{},
		TestimonyDocument: testimonyDocument(p, h, time.Duration(now)),
	}
	for _, r := range p.Roles {
		d.Roles = append(d.Roles, roleWord(r))
	}
	for _, w := range p.Witnesses {
		d.Witnesses = append(d.Witnesses, w.String())
	}
	for _, m := range p.Peers {
		d.Peers = append(d.Peers, fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]))
	}
	return d
}

func carrierWord(p node.PortStatus) string {
	switch {
	case !p.Present:
		return "missing"
	case !p.AdminUp:
		return "admin-down"
	}
	switch p.Carrier {
	case node.CarrierUp:
		return "up"
	case node.CarrierDown:
		return "down"
	case node.CarrierUnknown:
	}
	return "unknown"
}

func roleWord(r node.Role) string {
	switch r {
	case node.RoleHeartbeat:
		return "heartbeat"
	case node.RoleServing:
		return "serving"
	}
	return "unknown"
}

// problems says in a sentence each why the router does not do what it is for,
// or would not survive the next failure.
func problems(d StatusDocument) []string {
	all := []string{}
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, i := range d.Instances {
		switch {
		case i.State != vrrp.Master.String() && i.State != vrrp.Backup.String():
			say("%s is in %s", i.Name, i.State)
		case i.State == vrrp.Master.String() && !i.Installed:
			say("%s is MASTER but its addresses are not in the kernel", i.Name)
		}
		if i.Verdict.Finding == verdict.Contested.String() {
			say("%s is contested: somebody else answers for its addresses", i.Name)
		}
		if i.Partial {
			say("%s serves some of its ports only", i.Name)
		}
		for _, f := range i.Faults {
			say("%s: %s", i.Name, f.Text)
		}
	}
	for _, p := range d.Ports {
		switch what := p.broken(); {
		case p.Carrier != "up" && p.Carrier != "unknown":
			say("port %s (%s) is %s%s", p.Name, strings.Join(p.Roles, ", "), p.Carrier, what)
		case what != "":
			say("port %s (%s) does not work%s", p.Name, strings.Join(p.Roles, ", "), what)
		}
	}
	all = append(all, d.Node.Storage.Problems()...)
	for _, h := range d.Node.Helpers {
		all = append(all, h.Problems()...)
	}
	return all
}

// QueryStatus asks the service in the runtime directory how it is. Errors are
// those of Query, and one for a service that answers in another form.
func QueryStatus(ctx context.Context, runtimeDir string) (StatusDocument, error) {
	text, err := Query(ctx, runtimeDir, Request{Verb: "status"})
	if err != nil {
		return StatusDocument{}, err
	}
	return understand[StatusDocument](text)
}

// understand reads a document of a service that may be of another version.
func understand[D StatusDocument | WhyDocument](text []byte) (d D, err error) {
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("the service answers in another form than this version understands: %w", err)
	}
	return d, nil
}

// PrintStatus asks the service in the runtime directory how it is, and prints the
// answer for a person or as JSON, and with it whether the service is to be
// restarted as the given version, that of this program. It returns whether all
// is well; errors are those of Query.
func PrintStatus(ctx context.Context, w io.Writer, runtimeDir, version string, asJSON bool) (healthy bool, err error) {
	text, err := Query(ctx, runtimeDir, Request{Verb: "status"})
	if err != nil {
		return false, err
	}
	d, err := understand[StatusDocument](text)
	if err != nil {
		return false, err
	}
	restart := PendingRestart(d.Node, version)
	if asJSON {
		return d.Healthy, PrintJSON(w, withRestart(text, restart))
	}
	d.Restart = &restart
	return d.Healthy, d.print(w, time.Local)
}

// PrintJSON prints a document as it came, fields of a later version included.
func PrintJSON(w io.Writer, text []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}

// print writes the document for a person, with its moments in the given zone.
func (d StatusDocument) print(w io.Writer, zone *time.Location) error {
	var b strings.Builder
	fmt.Fprintf(&b, "standfast %s, running since %s (%s), %s\n", cmp.Or(d.Node.Version, "of unknown version"),
		clockTime(d.Node.Started, zone), age(d.Node.Time, d.Node.Started), d.Node.Config)
	if d.Restart != nil && d.Restart.Pending {
		fmt.Fprintf(&b, "%v\n", d.Restart)
	}
	for _, p := range d.Problems {
		fmt.Fprintf(&b, "! %s\n", p)
	}
	for _, i := range d.Instances {
		i.print(&b, d.Node.Time, zone)
	}
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\nPORT\tROLES\tCARRIER\tDRIVER\tREMARKS\n")
	for _, p := range d.Ports {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Name, strings.Join(p.Roles, ","), p.Carrier, cmp.Or(p.Driver, "-"), p.remarks())
	}
	if err := errors.Join(t.Flush(), d.Node.Storage.print(&b)); err != nil {
		return err
	}
	d.Node.printBody(&b)
	d.Node.printLost(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// printLost says what was lost since the start, if anything was.
func (d NodeDocument) printLost(b *strings.Builder) {
	lost := "\nlost since the start:"
	for _, kind := range slices.Sorted(maps.Keys(d.Lost)) {
		if n := d.Lost[kind]; n > 0 {
			fmt.Fprintf(b, "%s %s %d", lost, strings.ReplaceAll(kind, "_", " "), n)
			lost = ","
		}
	}
	if lost == "," {
		b.WriteByte('\n')
	}
}

func (i InstanceDocument) print(b *strings.Builder, now time.Time, zone *time.Location) {
	fmt.Fprintf(b, "\n%s  %s since %s (%s)\n", i.Name, i.State, clockTime(i.Since, zone), age(now, i.Since))
	fmt.Fprintf(b, "    priority %d", i.Priority)
	if i.EffectivePriority != i.Priority {
		fmt.Fprintf(b, ", in force %d", i.EffectivePriority)
	}
	fmt.Fprintf(b, ", IPv%d virtual router %d on %s", i.Family, i.VRID, i.Interface)
	if i.Master != "" && i.State != vrrp.Master.String() {
		fmt.Fprintf(b, ", obeys %s", i.Master)
	}
	fmt.Fprintf(b, "\n    verdict %s (%s)\n", i.Verdict.Finding, i.Verdict.Rule)
	if i.Doubt != "" {
		fmt.Fprintf(b, "    in doubt: %s\n", i.Doubt)
	}
	for _, v := range i.VIPs {
		fmt.Fprintf(b, "    %s on %s\n", v.Address, v.Port)
	}
	if dropped := slices.Sorted(maps.Keys(i.Dropped)); len(dropped) > 0 {
		fmt.Fprintf(b, "    packets dropped:")
		for _, check := range dropped {
			fmt.Fprintf(b, " %s %d", check, i.Dropped[check])
		}
		b.WriteByte('\n')
	}
}

func (p PortDocument) remarks() string {
	all := p.TestimonyDocument.remarks()
	for _, r := range []struct {
		holds bool
		text  string
	}{
		{p.Calibrated, "calibrated"}, {p.Mute, "mute"}, {p.Blind, "blind"}, {p.Flapping, "flapping"},
		{len(p.Witnesses) > 0, fmt.Sprintf("%d witnesses", len(p.Witnesses))},
	} {
		if r.holds {
			all = append(all, r.text)
		}
	}
	return cmp.Or(strings.Join(all, ", "), "-")
}

// clockTime is a moment as people on call compare it with their logs.
func clockTime(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04:05")
}

// age is how long ago a moment was, in words.
func age(now, then time.Time) string {
	d := max(0, now.Sub(then))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

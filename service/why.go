package service

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"standfast/vrrp/verdict"
)

// WhyDocument answers the verb "why". Fields are only ever added.
type WhyDocument struct {
	Time      time.Time       `json:"time"` // of this document
	Instances []WhyInstance   `json:"instances"`
	Storage   StorageDocument `json:"storage"`
}

// WhyInstance says why an instance is in its state, and how it came there.
type WhyInstance struct {
	Name        string               `json:"name"`
	State       string               `json:"state"`
	Since       time.Time            `json:"since"`
	Reason      string               `json:"reason"` // for the state, in words
	Doubt       string               `json:"doubt"`  // what raised the present doubt, empty when there is none
	Verdict     VerdictDocument      `json:"verdict"`
	Faults      []FaultDocument      `json:"faults"`
	Transitions []TransitionDocument `json:"transitions"` // the latest first
}

// TransitionDocument is one change of state.
type TransitionDocument struct {
	Time    time.Time       `json:"time"`
	From    string          `json:"from"`
	To      string          `json:"to"`
	Reason  string          `json:"reason"`
	Verdict VerdictDocument `json:"verdict"`
}

// whyDocument explains every instance, or the one of that name.
func whyDocument(s Snapshot, only string) (WhyDocument, error) {
	d := WhyDocument{Time: s.Wall, Instances: []WhyInstance{}, Storage: storageDocument(s)}
	var names []string
	for _, i := range s.Status.Instances {
		names = append(names, i.Name)
		if only != "" && i.Name != only {
			continue
		}
		shown := instanceDocument(s, i)
		w := WhyInstance{
			Name: shown.Name, State: shown.State, Since: shown.Since, Reason: shown.Reason, Doubt: shown.Doubt,
			Verdict: shown.Verdict, Faults: shown.Faults, Transitions: []TransitionDocument{},
		}
		for _, m := range slices.Backward(s.History) {
			if t := m.Transition; t.Key == i.Key {
				w.Transitions = append(w.Transitions, TransitionDocument{
					Time: m.Wall, From: t.From.String(), To: t.To.String(), Reason: t.Reason, Verdict: verdictDocument(t.Verdict),
				})
			}
		}
		d.Instances = append(d.Instances, w)
	}
	if len(d.Instances) == 0 && only != "" {
		return d, fmt.Errorf("there is no instance %s, only %s", only, strings.Join(names, ", "))
	}
	return d, nil
}

// PrintWhy asks the service in the runtime directory why its instances, or the
// one of that name, are what they are, and prints the answer for a person or as
// JSON. Errors are those of Query.
func PrintWhy(ctx context.Context, w io.Writer, runtimeDir, instance string, asJSON bool) error {
	text, err := Query(ctx, runtimeDir, Request{Verb: "why", Instance: instance})
	if err != nil {
		return err
	}
	if asJSON {
		return PrintJSON(w, text)
	}
	d, err := understand[WhyDocument](text)
	if err != nil {
		return err
	}
	return d.print(w, time.Local)
}

// shownTransitions is how many changes of state are told to a person; the rest
// is in the JSON.
const shownTransitions = 10

// print writes the document for a person, with its moments in the given zone.
func (d WhyDocument) print(w io.Writer, zone *time.Location) error {
	var b strings.Builder
	for n, i := range d.Instances {
		if n > 0 {
			b.WriteByte('\n')
		}
		i.print(&b, d.Time, zone)
	}
	d.Storage.explain(&b, d.Time, zone)
	_, err := io.WriteString(w, b.String())
	return err
}

// explain says what is wrong with the storage under the router and what follows; nothing where nothing is.
func (d StorageDocument) explain(b *strings.Builder, now time.Time, zone *time.Location) {
	word := map[string]string{"failed": "has failed", "slow": "is slow"}[d.State]
	if word == "" {
		return
	}
	fmt.Fprintf(b, "\nStorage %s since %s (%s): %s\n", word, clockTime(d.Since, zone), age(now, d.Since), finished(d.Culprit))
	switch {
	case d.State == "slow":
	case d.Resigned:
		b.WriteString("    This router has resigned because of it.\n")
	case !d.Yield:
		b.WriteString("    A MASTER goes on all the same, since storage_yield is off.\n")
	default:
		b.WriteString("    A MASTER resigns once, to a peer that is heard to ask for its addresses.\n")
	}
	if d.State == "failed" && d.Fence.After > 0 {
		fmt.Fprintf(b, "    If another router serves, this host is reset %.0f s after the failure.\n", d.Fence.After)
	}
}

func (i WhyInstance) print(b *strings.Builder, now time.Time, zone *time.Location) {
	fmt.Fprintf(b, "%s is %s since %s (%s).\n", i.Name, i.State, clockTime(i.Since, zone), age(now, i.Since))
	explain(b, "    ", i.Reason, i.Verdict)
	if i.Doubt != "" {
		fmt.Fprintf(b, "    In doubt: %s.\n", i.Doubt)
	}
	for _, f := range i.Faults {
		fmt.Fprintf(b, "    Fault: %s.\n", f.Text)
	}
	if len(i.Transitions) == 0 {
		return
	}
	b.WriteString("\n    How it came there, the latest first:\n")
	for _, t := range i.Transitions[:min(shownTransitions, len(i.Transitions))] {
		fmt.Fprintf(b, "    %s  %s → %s\n", t.Time.In(zone).Format("2006-01-02 15:04:05.000"), t.From, t.To)
		explain(b, "        ", t.Reason, t.Verdict)
	}
}

// explain writes the reason of a state, and the verdict in words, by its rule and
// by the evidence. Facts that nobody knows are left out.
func explain(b *strings.Builder, indent, reason string, v VerdictDocument) {
	if reason != "" {
		fmt.Fprintf(b, "%s%s\n", indent, finished(reason))
	}
	if v.Rule == verdict.RuleNone.String() {
		return
	}
	if v.Why != reason {
		fmt.Fprintf(b, "%s%s\n", indent, finished(v.Why))
	}
	fmt.Fprintf(b, "%srule %s, finding %s\n", indent, v.Rule, v.Finding)
	var facts []string
	for _, fact := range slices.Sorted(maps.Keys(v.Evidence)) {
		if value := v.Evidence[fact]; value != "unknown" {
			facts = append(facts, fact+" "+value)
		}
	}
	if len(facts) > 0 {
		fmt.Fprintf(b, "%sevidence: %s\n", indent, strings.Join(facts, ", "))
	}
}

// finished ends a reason with a full stop.
func finished(reason string) string { return strings.TrimSuffix(reason, ".") + "." }

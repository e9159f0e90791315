package service

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/vrrp/node"
)

// TestimonyDocument is what a port and its hardware say, beyond carrier.
type TestimonyDocument struct {
	Facts    []FactDocument  `json:"facts"`
	Culprit  string          `json:"culprit"`  // what is wrong with the port, in words; empty where nothing is
	Firmware string          `json:"firmware"` // of the card
	Card     string          `json:"card"`     // equal for ports that fail together, empty for a virtual port
	Label    string          `json:"label"`    // what the firmware of the mainboard calls the port
	Siblings []string        `json:"siblings"` // other ports of the card
	Reason   string          `json:"reason"`   // why there is no link, in the driver's words; empty where it does not say
	Partner  []int           `json:"partner"`  // speeds in Mbit/s that a copper partner announces
	Module   *ModuleDocument `json:"module"`   // null where the port takes none or its driver cannot read it
	// Errors counts, since the interface is there, what the kernel counts: transmit_timeouts, bus_corrected, bus_nonfatal, bus_fatal.
	Errors map[string]uint64 `json:"errors"`
	// Unanswered is for how many seconds the kernel has not answered a question about the port, by the question.
	Unanswered map[string]float64 `json:"unanswered"`
}

// FactDocument is something that is known of a port.
type FactDocument struct {
	Fact   string `json:"fact"`
	Proves string `json:"proves"` // local-fault, partner-powered or nothing
	Text   string `json:"text"`
}

// ModuleDocument is the module in a port. What it does not measure is null.
type ModuleDocument struct {
	Kind    string         `json:"kind"` // SFP, QSFP, CMIS, unknown
	Vendor  string         `json:"vendor"`
	Part    string         `json:"part"`
	Serial  string         `json:"serial"`
	Celsius *float64       `json:"celsius"`
	Lanes   []LaneDocument `json:"lanes"`
}

// LaneDocument is one light path of a module.
type LaneDocument struct {
	Light         *bool    `json:"light"` // something is received
	TransmitFault *bool    `json:"transmit_fault"`
	TransmitOff   *bool    `json:"transmit_off"`
	Sent          *float64 `json:"sent"` // mW
	Received      *float64 `json:"received"`
}

func testimonyDocument(p node.PortStatus, h Hardware, now time.Duration) TestimonyDocument {
	d := TestimonyDocument{
		Facts: []FactDocument{}, Culprit: p.Culprit, Firmware: h.Firmware, Card: h.Card, Label: h.Label, Siblings: []string{},
		Reason: h.Reason, Partner: append([]int{}, h.Partner...), Module: moduleDocument(h.Module),
		Errors: map[string]uint64{}, Unanswered: map[string]float64{},
	}
	for f := range p.Facts.All() {
		d.Facts = append(d.Facts, FactDocument{Fact: f.String(), Proves: f.Proves().String(), Text: f.Text()})
	}
	for _, s := range h.Siblings {
		d.Siblings = append(d.Siblings, string(s))
	}
	for name, c := range map[string]port.Count{
		"transmit_timeouts": h.Timeouts, "bus_corrected": h.Corrected, "bus_nonfatal": h.Nonfatal, "bus_fatal": h.Fatal,
	} {
		if c.Known {
			d.Errors[name] = c.N
		}
	}
	for question, since := range h.Unanswered {
		d.Unanswered[question] = math.Round((now - since).Seconds())
	}
	return d
}

func moduleDocument(m ethtool.Module) *ModuleDocument {
	if m.Vendor == "" && m.Part == "" && m.Identifier == 0 {
		return nil
	}
	d := &ModuleDocument{Kind: m.Kind.String(), Vendor: m.Vendor, Part: m.Part, Serial: m.Serial, Celsius: known(m.Celsius), Lanes: []LaneDocument{}}
	for _, l := range m.Lanes {
		light := l.LightLost
		light.V = !light.V
		d.Lanes = append(d.Lanes, LaneDocument{
			Light: known(light), TransmitFault: known(l.TransmitFault), TransmitOff: known(l.TransmitOff),
			Sent: known(l.SentMilliwatt), Received: known(l.GotMilliwatt),
		})
	}
	return d
}

// known is the value, or nil.
func known[T any](m ethtool.Maybe[T]) *T {
	if !m.Known {
		return nil
	}
	return &m.V
}

// broken completes a sentence about a port that does not work; empty if all that is known is that it has no link.
func (p PortDocument) broken() string {
	what := strings.TrimPrefix(p.Culprit, p.Name+": ")
	if what == "" || what == "no carrier" || what == "administratively down" || what == "interface does not exist" {
		return ""
	}
	return ": " + what
}

// remarks are what an operator should see beside a port.
func (d TestimonyDocument) remarks() []string {
	var all []string
	for _, f := range d.Facts {
		all = append(all, f.Text)
	}
	for _, question := range slices.Sorted(maps.Keys(d.Unanswered)) {
		all = append(all, fmt.Sprintf("%s unanswered for %.0f s", question, d.Unanswered[question]))
	}
	if d.Card != "" && len(d.Siblings) > 0 {
		all = append(all, "one card with "+strings.Join(d.Siblings, " "))
	}
	return all
}

package service

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/vrrp"
	"standfast/vrrp/node"
	"standfast/vrrp/verdict"
)

// testified is a port with everything that hardware can say.
func testified() (node.PortStatus, Hardware) {
	milliwatt := ethtool.Maybe[float64]{Known: true, V: 0.41}
	return node.PortStatus{
			Port: "p4p1", Roles: []node.Role{node.RoleHeartbeat}, Present: true, AdminUp: true, Carrier: node.CarrierUp, Driver: "ixgbe",
			Facts: verdict.Facts(0).With(verdict.FactCardSilent, verdict.FactErrorsCorrected), Culprit: "p4p1: card 0000:03:00 silent on the PCI bus with p4p1 p4p2",
		}, Hardware{
			Driver: "ixgbe", Firmware: "0x800009fa", Bus: "0000:03:00.0", Card: "0000:03:00", Label: "NIC 1", Siblings: []node.Port{"p4p2"},
			SpeedMbit: 10000, Duplex: "full", Reason: "no cable", Partner: []int{10, 100},
			Module: ethtool.Module{Kind: ethtool.KindSFP, Identifier: 3, Vendor: "FINISAR", Part: "FTLX8571", Serial: "X1",
				Lanes: []ethtool.Lane{{LightLost: maybe(true), TransmitFault: maybe(false), SentMilliwatt: milliwatt}}},
			Timeouts: count(1), Corrected: count(4), Fatal: port.Count{N: 9},
			Unanswered: map[string]time.Duration{"module": time.Hour - 12*time.Second},
		}
}

func TestTestimonyDocument(t *testing.T) {
	p, h := testified()
	text, err := json.Marshal(portDocument(p, h, vrrp.Instant(time.Hour)).TestimonyDocument)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"facts":[{"fact":"card-silent","proves":"local-fault","text":"its card does not answer on the PCI bus"},` +
		`{"fact":"errors-corrected","proves":"nothing","text":"the PCI bus corrected errors"}],` +
		`"culprit":"p4p1: card 0000:03:00 silent on the PCI bus with p4p1 p4p2","firmware":"0x800009fa","card":"0000:03:00","label":"NIC 1","siblings":["p4p2"],` +
		`"reason":"no cable","partner":[10,100],"module":{"kind":"SFP","vendor":"FINISAR","part":"FTLX8571","serial":"X1","celsius":null,` +
		`"lanes":[{"light":false,"transmit_fault":false,"transmit_off":null,"sent":0.41,"received":null}]},` +
		`"errors":{"bus_corrected":4,"transmit_timeouts":1},"unanswered":{"module":12}}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err = json.Marshal(portDocument(node.PortStatus{}, Hardware{}, 0).TestimonyDocument)
	if err != nil {
		t.Fatal(err)
	}
	want = `{"facts":[],"culprit":"","firmware":"","card":"","label":"","siblings":[],"reason":"","partner":[],"module":null,"errors":{},"unanswered":{}}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("of a port without hardware (-want +got):\n%s", diff)
	}
}

// TestPortProblems words what is wrong with a port once, and not what its state says already.
func TestPortProblems(t *testing.T) {
	p, h := testified()
	for _, c := range []struct {
		change func(p *node.PortStatus)
		want   string
	}{
		{func(*node.PortStatus) {}, "port p4p1 (heartbeat) does not work: card 0000:03:00 silent on the PCI bus with p4p1 p4p2"},
		{func(p *node.PortStatus) { p.Culprit = "" }, ""},
		{func(p *node.PortStatus) { p.Carrier, p.Culprit = node.CarrierDown, "p4p1: cage empty" }, "port p4p1 (heartbeat) is down: cage empty"},
		{func(p *node.PortStatus) { p.Carrier, p.Culprit = node.CarrierDown, "p4p1: no carrier" }, "port p4p1 (heartbeat) is down"},
		{func(p *node.PortStatus) { p.AdminUp, p.Culprit = false, "p4p1: administratively down" }, "port p4p1 (heartbeat) is admin-down"},
		{func(p *node.PortStatus) { p.Present, p.Culprit = false, "p4p1: interface does not exist" }, "port p4p1 (heartbeat) is missing"},
		{func(p *node.PortStatus) {
			p.Present, p.Culprit = false, "p4p1: card 0000:03:00 gone with p4p1 p4p2"
		}, "port p4p1 (heartbeat) is missing: card 0000:03:00 gone with p4p1 p4p2"},
	} {
		is := p
		c.change(&is)
		got := strings.Join(problems(StatusDocument{Ports: []PortDocument{portDocument(is, h, vrrp.Instant(time.Hour))}}), "; ")
		if got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	want := "its card does not answer on the PCI bus, the PCI bus corrected errors, module unanswered for 12 s, one card with p4p2"
	if got := portDocument(p, h, vrrp.Instant(time.Hour)).remarks(); got != want {
		t.Errorf("remarks %q, want %q", got, want)
	}
}

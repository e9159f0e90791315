package service

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"standfast/configfs"
	"standfast/vrrp"
	"standfast/vrrp/node"
)

// monologue is a connection whose other end says something, in pieces of a size, and then no more; what it is told is kept.
type monologue struct {
	net.Conn
	says   *bytes.Reader
	piece  int
	told   bytes.Buffer
	closed int
}

func say(text []byte, piece uint8) *monologue {
	return &monologue{says: bytes.NewReader(text), piece: 1 + int(piece)}
}

func (m *monologue) Read(b []byte) (int, error)       { return m.says.Read(b[:min(len(b), m.piece)]) }
func (m *monologue) Write(b []byte) (int, error)      { return m.told.Write(b) }
func (m *monologue) Close() error                     { m.closed++; return nil }
func (m *monologue) SetReadDeadline(time.Time) error  { return nil }
func (m *monologue) SetWriteDeadline(time.Time) error { return nil }

// FuzzControl lets a client of the control socket say anything. It gets one document on one line, not much longer than what
// it said, and the end of the connection; and a refusal unless it asked for status or why and for nothing that is not known.
func FuzzControl(f *testing.F) {
	for _, s := range []string{
		`{"verb":"status"}`, `{"verb":"why"}`, `{"verb":"why","instance":"VI_0"}`, "hello\n", `{"verb":"status","force":true}`, `{"verb":"reboot"}`, "{}",
		"[1]", "null", "", `{"verb":"why"}{"verb":"status"}`, strings.Repeat("[", 5000), `{"verb":"` + strings.Repeat("x", controlRequest) + `"}`,
	} {
		f.Add([]byte(s), uint8(255))
		f.Add([]byte(s), uint8(0))
	}
	nothing := answerer(func(context.Context) (Snapshot, error) { return Snapshot{}, nil }, noReload)
	f.Fuzz(func(t *testing.T, request []byte, piece uint8) {
		conn := say(request, piece)
		newController(nothing, controlPatience).client(t.Context(), conn)
		answer := conn.told.Bytes()
		var document map[string]json.RawMessage
		if !bytes.HasSuffix(answer, []byte("\n")) || bytes.Count(answer, []byte("\n")) != 1 || json.Unmarshal(answer, &document) != nil || conn.closed != 1 {
			t.Fatalf("%q is answered with %q, and %d times the end", request, answer, conn.closed)
		}
		if len(answer) > 2000+12*len(request) || conn.says.Size()-int64(conn.says.Len()) > controlRequest {
			t.Fatalf("%d bytes of a request of %d were read, and answered with %d", conn.says.Size()-int64(conn.says.Len()), len(request), len(answer))
		}
		var asked map[string]any
		known := json.NewDecoder(bytes.NewReader(request)).Decode(&asked) == nil && len(request) <= controlRequest
		verb := ""
		for field, value := range asked {
			known = known && (strings.EqualFold(field, "verb") || strings.EqualFold(field, "instance"))
			if text, ok := value.(string); ok && strings.EqualFold(field, "verb") {
				verb = text
			}
		}
		if _, refused := document["error"]; !refused && (!known || verb != "status" && verb != "why") {
			t.Fatalf("%q is answered with %q", request, answer)
		}
	})
}

// FuzzConfigure: what the reader of configurations finds no error in can be run: the protocol accepts it, no two instances are
// one, and a brain made of it wakes up, reads its ports, reloads and stops without a word about itself.
func FuzzConfigure(f *testing.F) {
	f.Add(string(configfs.Story("A", 100)))
	f.Add("vrrp_instance a {\n interface e0\n virtual_router_id 1\n version 3\n advert_int 0.1\n virtual_ipaddress {\n fe80::1/64\n 2001:db8::1/64 dev e1\n }\n" +
		" track_interface {\n e2\n }\n virtual_routes {\n default via 2001:db8::2 dev e3\n }\n}\nvrrp_instance b {\n interface e0\n virtual_router_id 1\n priority 255\n nopreempt\n" +
		" virtual_ipaddress {\n 10.0.0.1/8\n }\n virtual_ipaddress_excluded {\n 10.0.0.2 dev e9 label e9:1 brd +\n }\n fault_witness 10.0.0.9\n fault_probe 10 0.5\n vip_lease 2\n}\n" +
		"vrrp_sync_group g {\n group {\n a\n b\n }\n}\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, _, err := load(fstest.MapFS{"etc/x.conf": &fstest.MapFile{Data: []byte(text), Mode: 0o644}}, "/etc/x.conf")
		if err != nil {
			return
		}
		if len(p.tables) != len(p.node.Instances) || len(p.node.Instances) == 0 {
			t.Fatalf("%d tables for %d instances", len(p.tables), len(p.node.Instances))
		}
		for _, i := range p.node.Instances {
			if err := i.VRRP.Validate(); err != nil {
				t.Fatalf("the protocol does not accept %+v: %v", i.VRRP, err)
			}
			if t := p.tables[i.Key()]; t.name != i.Name || len(t.vips) != len(i.VIPs) {
				panic("the table of another instance")
			}
		}
		for _, g := range p.node.Groups {
			for _, k := range g.Members {
				if _, there := p.tables[k]; !there {
					t.Fatalf("group %s has the member %v", g.Name, k)
				}
			}
		}
		live(p)
	})
}

// live lets a brain live through a minute.
func live(p plan) {
	now := vrrp.Instant(time.Hour)
	n := node.New(now, p.node)
	var read node.PortsRead
	for _, name := range p.ports() {
		read.Ports = append(read.Ports, node.PortState{Port: name, Present: true, AdminUp: true, Carrier: node.CarrierUp, MAC: node.MAC{2}})
	}
	n.Step(now, read)
	for range 50 {
		if at, ok := n.Deadline(); ok {
			now = at
		}
		n.Step(now, node.Expired{})
	}
	n.Step(now, node.Reload{Config: p.node})
	n.Step(now, node.Stop{})
	n.Status()
}

package segment

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"standfast/vrrp"
)

// TestHostAnswers has a machine ask for a host, ping it, and do what a host has no answer for.
func TestHostAnswers(t *testing.T) {
	client := addr("192.168.10.100")
	other := addr("192.168.10.2")
	question := func(target netip.Addr) []byte {
		return arp{op: arpRequest, mac: macA, sender: other, target: target}.frame(broadcast())
	}
	request := func(dst netip.Addr, to MAC) []byte {
		p := ipv4{ttl: ipv4TTL, protocol: protocolICMP, src: other, dst: dst, payload: echo{kind: icmpEcho, id: 7, sequence: 9, data: []byte("data")}.bytes()}
		return pad(append(appendEther(nil, to, macA, etherIPv4), p.bytes()...))
	}
	tests := []struct {
		name   string
		frames [][]byte
		want   []string
	}{
		{"who has it", [][]byte{question(client)}, []string{"192.168.10.100 is at " + macHO.String()}},
		{"who has another", [][]byte{question(vip)}, nil},
		{"a claim of its address", [][]byte{arp{op: arpRequest, mac: macA, sender: client, target: client}.frame(broadcast())}, nil},
		{"ping", [][]byte{request(client, macHO)}, []string{"pong 7 9 data"}},
		{"ping to another address", [][]byte{request(vip, macHO)}, nil},
		{"ping to another station", [][]byte{request(client, macB)}, nil},
		{"a frame of another kind", [][]byte{frame(macHO, macA, 1, 2, 3)}, nil},
		{"an answer that nobody waits for", [][]byte{pad(append(appendEther(nil, macHO, macA, etherIPv4),
			ipv4{ttl: 64, protocol: protocolICMP, src: other, dst: client, payload: echo{id: 7}.bytes()}.bytes()...))}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSegment("LAN", time.Now(), "A")
				a := plug(s, "A", macA, other)
				h := s.Host("client", macHO, netip.PrefixFrom(client, 24), netip.Addr{})
				if h.Name() != "client" || h.MAC() != macHO || h.Addr() != client || h.Dropped() != 0 {
					t.Errorf("host %s %v %v", h.Name(), h.MAC(), h.Addr())
				}
				for _, f := range tt.frames {
					a.send(f)
				}
				synctest.Wait()
				if diff := cmp.Diff(tt.want, answersOf(a)); diff != "" {
					t.Errorf("answers (-want +got):\n%s", diff)
				}
				s.Close()
				a.task.Wait()
			})
		})
	}
}

// answersOf describes the answers that a machine got.
func answersOf(m *machine) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var got []string
	for _, f := range m.heard {
		if r, ok := decodeARP(f); ok && r.op == arpReply && r.targetMAC == m.mac {
			got = append(got, fmt.Sprintf("%v is at %v", r.sender, r.mac))
		}
		if p, ok := decodeIPv4(f); ok {
			if e, ok := decodeEcho(p); ok && e.kind == icmpEchoReply {
				got = append(got, fmt.Sprintf("pong %d %d %s", e.id, e.sequence, e.data))
			}
		}
	}
	return got
}

// TestGateway has the host ask for its gateway again when that is silent, and learn of another that says nothing by itself.
func TestGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSegment("LAN", time.Now(), "A", "B")
		a, b := plug(s, "A", macA, vip), plug(s, "B", macB)
		var questions []time.Duration
		s.Tap(func(f Frame) {
			if m, ok := decodeARP(f.Data); ok && m.op == arpRequest {
				questions = append(questions, f.At)
			}
		})
		h := s.Host("client", macHO, prefix("192.168.10.100/24"), vip)
		if mac, ok := h.Gateway(); ok {
			t.Errorf("the gateway is %v before anybody asked", mac)
		}
		p := h.Ping(addr("203.0.113.100"), 100*ms)
		synctest.Wait()
		if mac, _ := h.Gateway(); mac != macA {
			t.Errorf("the gateway is %v, want A", mac)
		}
		time.Sleep(550 * ms)
		a.off()
		time.Sleep(2 * time.Second)
		if mac, _ := h.Gateway(); mac != macA {
			t.Errorf("the gateway is %v, want still A, which nobody has replaced", mac)
		}
		b.serve(vip, true)
		time.Sleep(time.Second)
		if mac, _ := h.Gateway(); mac != macB {
			t.Errorf("the gateway is %v, want B", mac)
		}
		p.Stop()
		time.Sleep(5 * time.Second)
		// B answers for its address but forwards nothing, so the host asks on; who sends nothing does not ask.
		if diff := cmp.Diff([]time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}, questions); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		s.Close()
		b.task.Wait()
	})
}

func TestNeighbours(t *testing.T) {
	host := addr("192.168.10.100")
	reply := arp{op: arpReply, mac: macA, sender: vip, target: host, targetMAC: macHO}
	from := func(m arp, mac MAC) arp { m.mac = mac; return m }
	claim := arp{op: arpRequest, mac: macB, sender: vip, target: vip}
	question := arp{op: arpRequest, mac: macB, sender: vip, target: host}
	elsewhere := arp{op: arpRequest, mac: macB, sender: vip, target: addr("192.168.10.7")}
	type message struct {
		at time.Duration
		m  arp
	}
	tests := []struct {
		name  string
		sends bool // before the messages
		heard []message
		want  MAC
	}{
		{"answer", true, []message{{ms, reply}}, macA},
		{"answer, never asked", false, []message{{ms, reply}}, MAC{}},
		{"claim", true, []message{{ms, claim}}, macB},
		{"claim, never sent to", false, []message{{ms, claim}}, MAC{}},
		{"question to the host", true, []message{{ms, question}}, macB},
		{"question to another", true, []message{{ms, elsewhere}}, MAC{}},
		{"the first of two answers has it", true, []message{{ms, reply}, {2 * ms, from(reply, macB)}}, macA},
		{"another answers later", true, []message{{ms, reply}, {ms + locktime, from(reply, macB)}}, macB},
		{"confirmed, then another answers", true, []message{{ms, reply}, {locktime, reply}, {ms + locktime, from(reply, macB)}}, macA},
		{"a claim moves it at once", true, []message{{ms, reply}, {2 * ms, claim}}, macB},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := neighbours{}
			if tt.sends {
				if _, found, ask := n.send(0, vip, ipv4{}); found || !ask {
					t.Errorf("first packet: found %v, ask %v", found, ask)
				}
			}
			for i, x := range tt.heard {
				waiting := n.learn(x.at, x.m, host)
				if want := i == 0 && tt.want != (MAC{}); len(waiting) == 1 != want {
					t.Errorf("%d packets waited for message %d", len(waiting), i)
				}
			}
			to, found, _ := n.send(2*locktime, vip, ipv4{})
			if to != tt.want || found != (tt.want != MAC{}) {
				t.Errorf("the gateway is %v, %v; want %v", to, found, tt.want)
			}
		})
	}
}

// TestNeighboursBounded has packets go to unknown neighbours without end.
func TestNeighboursBounded(t *testing.T) {
	n := neighbours{}
	a := addr("10.0.0.0")
	for range 2 * maxNeighbours {
		a = a.Next()
		n.send(0, a, ipv4{})
	}
	if len(n) != maxNeighbours {
		t.Errorf("%d neighbours, want %d", len(n), maxNeighbours)
	}
	for range 2 * maxWaiting {
		n.send(0, addr("10.0.0.1"), ipv4{})
	}
	reply := arp{op: arpReply, mac: macA, sender: addr("10.0.0.1"), target: vip}
	if got := n.learn(0, reply, vip); len(got) != maxWaiting {
		t.Errorf("%d packets waited, want %d", len(got), maxWaiting)
	}
}

// TestHostOverrun has more frames come than a host takes in time.
func TestHostOverrun(t *testing.T) {
	h := &Host{inbox: make(chan []byte, 2)}
	for range 5 {
		h.deliver(nil)
	}
	if h.Dropped() != 3 {
		t.Errorf("dropped %d, want 3", h.Dropped())
	}
}

// TestAdverts has two machines speak on a crossover cable.
func TestAdverts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSegment("crossover", time.Now(), "A", "B")
		a, b := plug(s, "A", macA), plug(s, "B", macB)
		adverts := s.Adverts()
		srcA, srcB := addr("10.255.0.1"), addr("10.255.0.2")
		say := func(m *machine, src netip.Addr, priority uint8) {
			m.send(advert(t, m.mac, src, vrrp.Advert{Version: vrrp.V2, VRID: 51, Priority: priority, Interval: time.Second, Addresses: []netip.Addr{vip}}))
			synctest.Wait()
		}
		say(a, srcA, 100)
		time.Sleep(time.Second)
		say(a, srcA, 0)
		b.send(ping())
		time.Sleep(100 * ms)
		say(b, srcB, 50)
		time.Sleep(time.Second)
		want := []Advert{
			{At: 0, Machine: "A", MAC: macA, Source: srcA, Version: vrrp.V2, VRID: 51, Priority: 100},
			{At: time.Second, Machine: "A", MAC: macA, Source: srcA, Version: vrrp.V2, VRID: 51},
			{At: 1100 * ms, Machine: "B", MAC: macB, Source: srcB, Version: vrrp.V2, VRID: 51, Priority: 50},
		}
		if diff := cmp.Diff(want, adverts.Between(0, time.Hour), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("adverts (-want +got):\n%s", diff)
		}
		if got := adverts.Between(time.Second, 1100*ms); !slices.Equal(got, want[1:2]) {
			t.Errorf("a part: %v", got)
		}
		if got, ok := adverts.Last("A", 51); !ok || got != want[1] {
			t.Errorf("the last of A: %v, %v", got, ok)
		}
		if got, ok := adverts.Last("A", 52); ok {
			t.Errorf("the last for another router: %v", got)
		}
		if got, want := adverts.Service(51, 1500*ms).String(), "A 1s, nobody 100ms, B 1s"; got != want {
			t.Errorf("spoke: %s; want %s", got, want)
		}
		adverts.Stop()
		say(b, srcB, 50)
		if got := adverts.Between(0, time.Hour); len(got) != 3 {
			t.Errorf("%d adverts after the end", len(got))
		}
		s.Close()
		a.task.Wait()
		b.task.Wait()
	})
}

// TestClaims has an asker note gratuitous ARP, which is no answer.
func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSegment("LAN", time.Now(), "A")
		a := plug(s, "A", macA)
		asker := s.Host("asker", macAsk, prefix("192.168.10.101/24"), netip.Addr{}).Ask(AskInterval, vip)
		time.Sleep(25 * ms)
		a.claim(vip)
		a.claim(addr("192.168.10.9"))
		a.send(arp{op: arpReply, mac: macA, sender: vip, target: addr("192.168.10.100"), targetMAC: macHO}.frame(macHO)) // of another's question
		synctest.Wait()
		r := asker.Record(vip)
		if diff := cmp.Diff([]Answer{{At: 25 * ms, Machine: "A", MAC: macA}}, r.Claims); diff != "" || len(r.Answers) != 0 {
			t.Errorf("answers %v, claims (-want +got):\n%s", r.Answers, diff)
		}
		if got := asker.Record(addr("192.168.10.9")); len(got.Claims)+len(got.Questions) != 0 {
			t.Errorf("a record of what is not asked for: %+v", got)
		}
		s.Close()
	})
}

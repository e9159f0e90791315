package segment

import (
	"net/netip"
	"sync"
	"time"
)

// A Host is a station of the laboratory on a segment. It answers ARP requests for its address and ICMP echo requests, and sends
// what is for elsewhere to its gateway.
//
// Where the gateway is it learns as real hosts do: by asking, when it first has something to send; by gratuitous ARP; and, when the
// gateway has been silent for a second although packets go there, by asking again, once a second, until somebody answers.
type Host struct {
	segment *Segment
	name    string
	mac     MAC
	addr    netip.Prefix
	gateway netip.Addr
	inbox   chan []byte
	done    chan struct{}
	once    sync.Once

	mu         sync.Mutex
	neighbours neighbours
	pingers    map[uint16]*Pinger
	dropped    uint64
}

// Host adds a host to the segment. The address is its own, with the length of the segment's prefix; the gateway may be invalid. The
// host ends with the segment.
func (s *Segment) Host(name string, mac MAC, addr netip.Prefix, gateway netip.Addr) *Host {
	h := &Host{segment: s, name: name, mac: mac, addr: addr, gateway: gateway,
		inbox: make(chan []byte, queueLimit), done: make(chan struct{}),
		neighbours: neighbours{}, pingers: map[uint16]*Pinger{}}
	s.mu.Lock()
	s.stations = append(s.stations, h)
	s.mu.Unlock()
	s.tasks.Go(h.live)
	return h
}

// Name returns the name that the host was given.
func (h *Host) Name() string { return h.name }

// MAC returns the host's hardware address.
func (h *Host) MAC() MAC { return h.mac }

// Addr returns the host's address.
func (h *Host) Addr() netip.Addr { return h.addr.Addr() }

// Gateway returns the hardware address to which the host sends what is for its gateway; ok is false while it has none.
func (h *Host) Gateway() (mac MAC, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.neighbours[h.gateway]; n != nil {
		return n.mac, n.known
	}
	return MAC{}, false
}

// Dropped returns how many frames the host did not take in time: it shares its machine with the virtual ones.
func (h *Host) Dropped() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dropped
}

func (h *Host) label() string { return h.name }

func (h *Host) deliver(frame []byte) {
	select {
	case h.inbox <- frame:
	default:
		h.mu.Lock()
		h.dropped++
		h.mu.Unlock()
	}
}

func (h *Host) stop() { h.once.Do(func() { close(h.done) }) }

func (h *Host) live() {
	for {
		select {
		case <-h.done:
			return
		case frame := <-h.inbox:
			h.hear(frame)
		}
	}
}

// hear handles one frame.
func (h *Host) hear(frame []byte) {
	if m, ok := decodeARP(frame); ok {
		h.hearARP(m)
		return
	}
	p, ok := decodeIPv4(frame)
	if !ok || MAC(frame[0:6]) != h.mac || p.dst != h.Addr() {
		return
	}
	h.mu.Lock()
	h.neighbours.confirm(h.segment.Now(), MAC(frame[6:12]))
	h.mu.Unlock()
	e, ok := decodeEcho(p)
	switch {
	case !ok:
	case e.kind == icmpEcho:
		e.kind = icmpEchoReply
		h.send(p.src, e)
	default:
		h.mu.Lock()
		pinger := h.pingers[e.id]
		h.mu.Unlock()
		if pinger != nil {
			pinger.hear(p.src, e)
		}
	}
}

func (h *Host) hearARP(m arp) {
	h.mu.Lock()
	waiting := h.neighbours.learn(h.segment.Now(), m, h.Addr())
	h.mu.Unlock()
	for _, p := range waiting {
		h.transmit(m.mac, p)
	}
	if m.op == arpRequest && m.target == h.Addr() && !m.gratuitous() {
		answer := arp{op: arpReply, mac: h.mac, sender: h.Addr(), target: m.sender, targetMAC: m.mac}
		h.segment.forward(h, answer.frame(m.mac))
	}
}

// send sends an echo request or reply, by the gateway if the destination is not on the segment.
func (h *Host) send(dst netip.Addr, e echo) {
	hop := dst
	if !h.addr.Contains(dst) {
		hop = h.gateway
	}
	if !hop.Is4() {
		return
	}
	p := ipv4{ttl: ipv4TTL, protocol: protocolICMP, src: h.Addr(), dst: dst, payload: e.bytes()}
	h.mu.Lock()
	to, found, ask := h.neighbours.send(h.segment.Now(), hop, p)
	h.mu.Unlock()
	if found {
		h.transmit(to, p)
	}
	if ask {
		h.ask(hop)
	}
}

// transmit puts a packet onto the wire.
func (h *Host) transmit(to MAC, p ipv4) {
	frame := appendEther(make([]byte, 0, etherMin), to, h.mac, etherIPv4)
	h.segment.forward(h, pad(append(frame, p.bytes()...)))
}

// ask broadcasts who has an address, from the host's own: routers take whoever asks from 0.0.0.0 for one of theirs.
func (h *Host) ask(target netip.Addr) {
	h.segment.forward(h, arp{op: arpRequest, mac: h.mac, sender: h.Addr(), target: target}.frame(broadcast()))
}

// every calls do in each interval until stop is closed or the segment ends.
func (h *Host) every(interval time.Duration, stop <-chan struct{}, do func()) {
	h.segment.tasks.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			do()
			select {
			case <-stop:
				return
			case <-h.done:
				return
			case <-tick.C:
			}
		}
	})
}

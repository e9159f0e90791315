package segment

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestQEMU boots a machine that has nothing but an adapter with iPXE in its ROM, which asks for an address by DHCP. The test leases it one
// and a server to boot from; while it asks that in vain for a file, it answers ARP and ping.
func TestQEMU(t *testing.T) {
	program, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("needs a machine emulator:", err)
	}
	if backends, err := exec.Command(program, "-netdev", "help").Output(); err != nil || !bytes.Contains(backends, []byte("\nstream\n")) {
		t.Skip("needs an emulator with the stream backend, QEMU 7.2 or later:", err)
	}
	socket := filepath.Join(t.TempDir(), "lan")
	s, err := Listen("LAN", time.Now(), Plug{Machine: "A", Socket: socket})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server := s.Host("server", macHO, prefix("192.168.10.100/24"), netip.Addr{})
	lease(s, server, macA, vip)
	var log bytes.Buffer
	qemu := exec.Command(program, "-accel", "tcg", "-m", "32", "-nodefaults", "-no-user-config", "-display", "none", "-boot", "n",
		"-netdev", "stream,id=lan,server=off,addr.type=unix,addr.path="+socket, "-device", "e1000,netdev=lan,mac="+macA.String())
	qemu.Stdout, qemu.Stderr = &log, &log
	if err := qemu.Start(); err != nil {
		t.Fatal(err)
	}
	pings, asker := server.Ping(vip, 50*time.Millisecond), server.Ask(50*time.Millisecond, vip)
	deadline := time.Now().Add(time.Minute)
	for done := false; !done && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		done = len(asker.Record(vip).Answers) > 0 && heard(pings.Pings()) > 0
	}
	if !s.Port("A").Connected() {
		t.Errorf("the machine is not connected: %s", log.String())
	}
	qemu.Process.Kill()
	qemu.Wait()
	for time.Now().Before(deadline) && s.Port("A").Connected() {
		time.Sleep(time.Millisecond)
	}
	record := asker.Record(vip)
	if len(record.Answers) == 0 || record.Answers[0].Machine != "A" || record.Answers[0].MAC != macA || heard(pings.Pings()) == 0 {
		t.Errorf("the machine with %v did not answer ARP or ping: %+v, %+v", macA, record.Answers, s.Port("A").Counters())
	}
	if s.Port("A").Connected() {
		t.Error("a machine that was killed is connected")
	}
}

// heard counts the answers to pings.
func heard(p Pings) int {
	n := 0
	for _, e := range p.Echoes {
		if e.Answered {
			n++
		}
	}
	return n
}

// lease answers DHCP by a server that leases one address to one machine.
func lease(s *Segment, server *Host, mac MAC, client netip.Addr) {
	const (
		bootp                            = 236 // octets of the fixed part, without the magic number
		discover, offer, request, acknow = 1, 2, 3, 5
	)
	questions := make(chan []byte, 16)
	s.Tap(func(f Frame) {
		p, ok := decodeIPv4(f.Data)
		if !ok || p.protocol != 17 || len(p.payload) < 8+bootp+4+3 || binary.BigEndian.Uint16(p.payload[2:]) != 67 {
			return
		}
		select {
		case questions <- p.payload[8:]:
		default:
		}
	})
	s.tasks.Go(func() {
		for {
			var q []byte
			select {
			case <-server.done:
				return
			case q = <-questions:
			}
			kind := map[byte]byte{discover: offer, request: acknow}[q[bootp+4+2]] // iPXE sends the type first
			a := bytes.Clone(q[:bootp+4])
			a[0] = 2
			copy(a[16:], client.AsSlice())
			copy(a[20:], server.Addr().AsSlice())
			copy(a[108:], "nothing")
			a = append(a, 53, 1, kind, 1, 4, 255, 255, 255, 0, 51, 4, 0, 0, 255, 255, 54, 4)
			a = append(append(a, server.Addr().AsSlice()...), 255)
			udp := binary.BigEndian.AppendUint32(nil, 67<<16|68)
			udp = append(binary.BigEndian.AppendUint32(udp, uint32(8+len(a))<<16), a...)
			packet := ipv4{ttl: ipv4TTL, protocol: 17, src: server.Addr(), dst: netip.AddrFrom4([4]byte{255, 255, 255, 255}), payload: udp}
			s.forward(server, append(appendEther(nil, broadcast(), server.MAC(), etherIPv4), packet.bytes()...))
		}
	})
}

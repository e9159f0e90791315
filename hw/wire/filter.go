package wire

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// fromNetwork is added to an offset to count it from the IP header wherever the socket's data begins: a raw IPv6 socket's
// begins behind it. Such loads see only the linear part of a buffer, which is certain to hold the header once the IP layer
// has been through it, and not before. So a packet socket, whose data begins at the IP header anyway, counts from 0.
const fromNetwork = 0xfff00000 // SKF_NET_OFF of linux/filter.h

// filter returns the classic BPF program that lets through whole packets of protocol 112 to group that were meant for this
// station. base is 0 or fromNetwork.
//
// Frames to other stations (a port in promiscuous mode, a VLAN this host does not have) and our own outgoing ones stop here.
func filter(group netip.Addr, base uint32) ([]bpf.RawInstruction, error) {
	conditions := []condition{{load: bpf.LoadExtension{Num: bpf.ExtType}, jump: bpf.JumpIf{Cond: bpf.JumpLessThan, Val: unix.PACKET_OTHERHOST}}}
	at, want := base+24, group.AsSlice()
	if group.Is4() {
		at = base + 16
		conditions = append(conditions,
			condition{bpf.LoadAbsolute{Off: base + 9, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocol}},
			condition{bpf.LoadAbsolute{Off: base + 6, Size: 2}, bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0x3fff}})
	} else {
		conditions = append(conditions,
			condition{bpf.LoadAbsolute{Off: base + 6, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocol}})
	}
	for i := 0; i < len(want); i += 4 {
		conditions = append(conditions, condition{
			bpf.LoadAbsolute{Off: at + uint32(i), Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(want[i:])},
		})
	}
	return bpf.Assemble(all(conditions))
}

// condition is one load and the test that its result must pass.
type condition struct {
	load bpf.Instruction
	jump bpf.JumpIf
}

// all is a program that accepts a packet for which every condition holds.
func all(conditions []condition) []bpf.Instruction {
	var program []bpf.Instruction
	for i, c := range conditions {
		left := len(conditions) - i - 1
		c.jump.SkipFalse = uint8(2*left + 1) // over the conditions left and the acceptance
		program = append(program, c.load, c.jump)
	}
	return append(program, bpf.RetConstant{Val: maxPacket}, bpf.RetConstant{Val: 0})
}

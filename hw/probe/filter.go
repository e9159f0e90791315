package probe

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// maxFrame is as much of a frame as is read: an IPv6 header and a neighbour message with more options than anybody sends.
const maxFrame = 512

// arpFilter accepts every frame that is for this station or for everybody. Frames to other stations (a port in promiscuous
// mode, a VLAN this host does not have) say nothing about this segment.
func arpFilter() ([]bpf.RawInstruction, error) {
	return bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: unix.PACKET_OTHERHOST, SkipFalse: 1},
		bpf.RetConstant{Val: maxFrame},
		bpf.RetConstant{Val: 0},
	})
}

// ndFilter accepts of those the neighbour solicitations and advertisements. It matches ICMPv6 directly behind the IPv6
// header: RFC 6980 forbids to fragment these, and other extension headers are not used.
func ndFilter() ([]bpf.RawInstruction, error) {
	return bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: unix.PACKET_OTHERHOST, SkipFalse: 6},
		bpf.LoadAbsolute{Off: 6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_ICMPV6, SkipFalse: 4},
		bpf.LoadAbsolute{Off: headerLen6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: solicitation, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: advertisement, SkipFalse: 1},
		bpf.RetConstant{Val: maxFrame},
		bpf.RetConstant{Val: 0},
	})
}

package ethtool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"
)

// Pair is one of the four pairs of a twisted-pair cable, from 0 (A) to 3 (D).
type Pair uint8

// String returns "A" to "D", or the number of what is none of them.
func (p Pair) String() string { return word(int(p), "A", "B", "C", "D") }

// CableCode is what a test found on one pair (ETHTOOL_A_CABLE_RESULT_CODE_…).
type CableCode uint8

// The results.
const (
	CableUnknown    CableCode = iota
	CableOK                   // a terminated pair: most likely, but not surely, a partner with power
	CableOpen                 // nothing at the end, or the end was cut or pulled
	CableShort                // short within the pair
	CableCrossShort           // short to another pair
	CableImpedance            // the impedance jumps (Linux 6.10)
	CableNoise                // too much noise to measure (Linux 6.10)
	CableUnresolved           // the PHY cannot resolve it (Linux 6.10)
)

// String returns lower-case words.
func (c CableCode) String() string {
	return word(int(c), "unknown", "ok", "open", "short", "short to another pair", "impedance mismatch", "noise", "not resolvable")
}

// PairReport is what a test found on a pair.
type PairReport struct {
	Pair Pair
	Code CableCode
	// Centimetres to the fault, as the PHY estimates it; one at the very beginning is in this router's own plug.
	Centimetres Maybe[uint32]
}

// CableReport is the result of a cable test, in the order of the pairs.
type CableReport []PairReport

// TestCable measures the cable of a port by time-domain reflectometry, which takes CAP_NET_ADMIN, a PHY that can (few embedded ones;
// no common server card, which [IsUnsupported] says) and one to six seconds.
//
// It is for an operator who asks for it, on a port that is not in use, and for nobody else. The kernel takes the link down first,
// and while the test runs the link cannot come up, so a partner that returns goes unnoticed. If the PHY refuses to begin, the kernel
// (6.12 and 7.x) reports a carrier that is not there, on a port that may be dark. The result settles little: a partner without power
// reads as ok, as open or as an impedance mismatch, depending on its make.
//
// The context bounds the wait for the result. It does not end the test, which runs in the PHY. TestCable opens connections of its
// own, so it delays no question of a [Client].
func TestCable(ctx context.Context, index int) (CableReport, error) {
	report, err := testCable(ctx, index, dial)
	if err != nil {
		return nil, fmt.Errorf("cable test of port %d: %w", index, err)
	}
	return report, nil
}

func testCable(ctx context.Context, index int, dial func() (*family, error)) (CableReport, error) {
	results, err := dial()
	if err != nil {
		return nil, err
	}
	defer func() { _ = results.conn.Close() }()
	if results.monitor == 0 {
		return nil, errOld
	}
	// Listening begins before the test does, and on a connection of its own, because the result may overtake the acknowledgement.
	if err := results.conn.JoinGroup(results.monitor); err != nil {
		return nil, err
	}
	requests, err := dial()
	if err != nil {
		return nil, err
	}
	defer func() { _ = requests.conn.Close() }()
	if err := requests.act(question{command: unix.ETHTOOL_MSG_CABLE_TEST_ACT, index: index}); err != nil {
		return nil, err
	}
	return awaitCable(ctx, results.conn, index)
}

// awaitCable waits for the result of a port's test.
func awaitCable(ctx context.Context, conn *genetlink.Conn, index int) (CableReport, error) {
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	for {
		messages, _, err := conn.Receive()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			if m.Header.Command != unix.ETHTOOL_MSG_CABLE_TEST_NTF {
				continue
			}
			n := decodeCable(m.Data)
			if n.index != uint32(index) || n.status != unix.ETHTOOL_A_CABLE_TEST_NTF_STATUS_COMPLETED {
				continue
			}
			if len(n.report) == 0 {
				return nil, errors.New("the test ended without a result")
			}
			return n.report, nil
		}
	}
}

// cableNews is a notification about a cable test.
type cableNews struct {
	index  uint32
	status uint8
	report CableReport
}

// decodeCable reads a CABLE_TEST_NTF: results and lengths in any order, of which a pair may have several, one per method.
func decodeCable(b []byte) (n cableNews) {
	for kind, v := range attributes(b) {
		switch kind {
		case unix.ETHTOOL_A_CABLE_TEST_NTF_HEADER:
			n.index = headerIndex(v)
		case unix.ETHTOOL_A_CABLE_TEST_NTF_STATUS:
			n.status = number[uint8](v).V
		case unix.ETHTOOL_A_CABLE_TEST_NTF_NEST:
			for kind, v := range attributes(v) {
				n.report = n.report.with(kind, v)
			}
		}
	}
	slices.SortFunc(n.report, func(a, b PairReport) int { return cmp.Compare(a.Pair, b.Pair) })
	return n
}

// with takes in a result or a length. The worst result of a pair counts, and the shortest way to a fault.
func (r CableReport) with(kind uint16, nest []byte) CableReport {
	var pair Maybe[uint8]
	var second Maybe[uint32]
	for kind, v := range attributes(nest) {
		switch kind {
		case unix.ETHTOOL_A_CABLE_RESULT_PAIR: // a length has its pair and its value under the same numbers
			pair = number[uint8](v)
		case unix.ETHTOOL_A_CABLE_RESULT_CODE:
			second = number[uint32](v)
		}
	}
	if !pair.Known || !second.Known || pair.V > unix.ETHTOOL_A_CABLE_PAIR_D {
		return r
	}
	i := slices.IndexFunc(r, func(p PairReport) bool { return p.Pair == Pair(pair.V) })
	if i < 0 {
		i, r = len(r), append(r, PairReport{Pair: Pair(pair.V)})
	}
	switch kind {
	case unix.ETHTOOL_A_CABLE_NEST_RESULT:
		r[i].Code = max(r[i].Code, CableCode(min(second.V, 255)))
	case unix.ETHTOOL_A_CABLE_NEST_FAULT_LENGTH:
		if !r[i].Centimetres.Known || second.V < r[i].Centimetres.V {
			r[i].Centimetres = second
		}
	}
	return r
}

// headerIndex reads the index of the port that a message is about.
func headerIndex(b []byte) (index uint32) {
	for kind, v := range attributes(b) {
		if kind == unix.ETHTOOL_A_HEADER_DEV_INDEX {
			index = number[uint32](v).V
		}
	}
	return index
}

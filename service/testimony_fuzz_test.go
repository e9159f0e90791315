package service

import (
	"errors"
	"testing"
	"time"

	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/vrrp/verdict"
)

// FuzzRecord lets anything happen to a port in any order, two bytes for each: what and how. Whatever it was, a fact holds only of a
// port to which it can happen, and nobody blames a port that its operator switched off.
func FuzzRecord(f *testing.F) {
	f.Add([]byte{0, 1, 1, 4, 4, 1, 0, 2, 5, 0, 5, 0})
	f.Add([]byte{2, 0, 2, 0, 3, 1, 3, 1, 6, 1, 7, 2, 8, 200, 8, 0, 8, 0})
	f.Fuzz(func(t *testing.T, happened []byte) {
		r, sibling := liveRecord(), liveRecord()
		now := r.since
		for ; len(happened) >= 2; happened = happened[2:] {
			now += time.Duration(happened[1]%16) * time.Second
			happen(r, now, happened[0], happened[1])
			r.forgive(now)
			facts := r.reading(now, !r.state.Present).facts()
			holds(t, r, facts)
			culprit := r.culprit(facts, []*record{r, sibling}, func(*record) verdict.Facts { return facts })
			if culprit != "" && r.state.Present && !r.state.AdminUp {
				t.Fatalf("switched off, and blamed: %q", culprit)
			}
			r.describe()
		}
	})
}

// holds checks that each fact is one that the port in its present state can have.
func holds(t *testing.T, r *record, facts verdict.Facts) {
	t.Helper()
	up := r.state.Present && r.state.AdminUp && r.state.Carrier == port.CarrierUp
	for fact := range facts.All() {
		can := true
		switch fact {
		case verdict.FactProtoDown, verdict.FactTesting, verdict.FactDetached:
			can = r.state.Present
		case verdict.FactCardGone:
			can = !r.state.Present
		case verdict.FactTransmitStalled, verdict.FactPartnerAsleep:
			can = up
		case verdict.FactCageEmpty, verdict.FactCableUnsupported, verdict.FactCalibrationFailed, verdict.FactPowerExceeded,
			verdict.FactOverheated, verdict.FactClockLost, verdict.FactRefused, verdict.FactRemoteFault, verdict.FactPartnerSpeaks,
			verdict.FactPartnerAbilities, verdict.FactSignalBad, verdict.FactNoPartner, verdict.FactModuleMissing:
			can = r.dark()
		case verdict.FactModuleTransmit, verdict.FactNoLight, verdict.FactModuleFault:
			can = r.state.Present && r.state.AdminUp
		default:
		}
		if !can {
			t.Fatalf("%v of a port that is present %v, up %v, carrier %v", fact, r.state.Present, r.state.AdminUp, r.state.Carrier)
		}
	}
}

// happen is one thing that happens to a port.
func happen(r *record, now time.Duration, what, how byte) {
	bit := func(n int) bool { return how>>n&1 == 1 }
	truth := port.Truth(how % 3)
	var err error
	if bit(7) {
		err = []error{errors.New("no"), ethtool.ErrDetached, ethtool.ErrModuleSilent, ethtool.ErrGone}[how%4]
	}
	switch what % 9 {
	case 0:
		s := r.state
		s.Present, s.AdminUp, s.Carrier = !bit(4), !bit(5), port.Carrier(how%3)
		r.see(s, now)
	case 1:
		link := downFor(ethtool.ExtState(how % 16))
		link.Substate = ethtool.Maybe[uint8]{Known: bit(6), V: how % 7}
		r.takeLink(now, link, err)
	case 2:
		r.takeBus(truth)
	case 3:
		n := uint64(how)
		r.takeSignals(now, port.Signals{Plugged: truth, Bound: port.Truth(how / 3 % 3), ProtoDown: truth, Testing: truth,
			Timeouts: port.Count{N: n, Known: bit(4)}, Corrected: port.Count{N: n, Known: bit(5)}})
	case 4:
		mode := ethtool.Mode{SpeedMbit: int(how % 4 * 100)}
		mode.Partner[0] = uint32(how % 3)
		r.takeMode(now, mode, err)
	case 5:
		r.takeMII(now, ethtool.MII{PageReceived: ethtool.Maybe[bool]{Known: bit(0), V: bit(1)}}, err)
	case 6:
		r.takeModule(now, oneLane(ethtool.Lane{LightLost: maybe(bit(0)), TransmitOff: maybe(bit(1))}), err)
	case 7:
		r.takeRecovery(now, port.Recovery(how%4))
	default:
		r.sent.handed += uint64(how)
		r.heard = max(r.heard, now-time.Duration(how)*time.Second)
		r.takeSent(now, r.sent.handed, port.Count{N: uint64(how / 64), Known: how != 0})
	}
}

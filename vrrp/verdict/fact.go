package verdict

import "iter"

// Fact is something that a port's own hardware, driver or kernel says about it, beyond its carrier. What a fact is worth stands in
// one table, in [Fact.Proves]; most of what hardware can say proves nothing about the peer, and the table says so too.
type Fact uint8

// The facts. An edge that cannot tell reports none: the absence of a fact is never evidence.
const (
	FactNone Fact = iota

	// This router's own side is at fault.
	FactProtoDown         // another protocol of this host holds the port down (IFLA_PROTO_DOWN)
	FactTesting           // a cable or self test runs (IF_OPER_TESTING)
	FactUnbound           // no driver is bound to the device (sysfs device/driver)
	FactDetached          // the interface is there and its device is not: ENODEV from the driver
	FactCardSilent        // the PCI device answers configuration reads with all ones
	FactCardGone          // every port of the card went at once
	FactRecovering        // PCIe error recovery has begun and has not ended (uevent ERROR_EVENT=BEGIN_RECOVERY)
	FactRecoveryFailed    // PCIe error recovery has failed (uevent ERROR_EVENT=FAILED_RECOVERY)
	FactTransmitHung      // a transmit queue timed out lately (sysfs queues/tx-*/tx_timeout)
	FactTransmitStalled   // adverts are handed to the port, and its transmit counters do not move
	FactCageEmpty         // nothing is plugged into this port (ETHTOOL_LINK_EXT_STATE_NO_CABLE)
	FactCableUnsupported  // the cable or module is of a kind that this port does not take (…_CABLE_ISSUE)
	FactModuleMissing     // a module that could be read is no longer there
	FactModuleFault       // the module says that it is broken (…_MODULE, …_EEPROM_ISSUE)
	FactModuleTransmit    // the module's transmitter is off or broken (SFF-8472 TX_FAULT, TX_DISABLE)
	FactCalibrationFailed // the port could not calibrate itself (…_CALIBRATION_FAILURE)
	FactPowerExceeded     // the module wants more power than the port gives (…_POWER_BUDGET_EXCEEDED)
	FactOverheated        // too hot (…_OVERHEAT)
	FactClockLost         // the port lost its own reference clock (…_BSI_SERDES_REFERENCE_CLOCK_LOST)
	FactRefused           // the port or the board's controller forbids the link (…_OTP_SPEED_VIOLATION, …_BMC_REQUEST_DOWN)

	// The partner's port has power.
	FactRemoteFault      // the partner says that it does not hear us (…_LT_REMOTE_FAULT)
	FactPartnerSpeaks    // the partner negotiates, and the link does not come up (…_AN_ACK_NOT_RECEIVED and its like)
	FactPartnerAbilities // the partner announces its abilities while the link is down (ETHTOOL_A_LINKMODES_PEER, MII register 5)
	FactSignalBad        // a signal arrives that makes no sense (…_BAD_SIGNAL_INTEGRITY, …_LINK_LOGICAL_MISMATCH)
	FactPartnerAsleep    // the link came back at the speed of wake-on-LAN, and nobody speaks

	// Nothing is proved.
	FactNoPartner       // this port is well and hears nobody (…_AN_NO_PARTNER_DETECTED): the far end is off, or its plug is out, or the cable is cut
	FactNoLight         // the module receives no light (SFF-8472 RX_LOS): the far end is off, or the fibre is cut
	FactErrorsCorrected // the PCIe bus corrected errors lately (aer_dev_correctable)
	numFacts
)

// Proof is what a fact proves.
type Proof uint8

// The classes of facts.
const (
	ProvesNothing Proof = iota
	ProvesLocal         // something is wrong with this router's port, card, module or with what its operator did
	ProvesPowered       // the port at the other end has power, which says nothing about the router behind it
)

// String returns a lower-case word for logs and status.
func (p Proof) String() string { return name(p, "nothing", "local-fault", "partner-powered") }

// factRow is a row of the table of facts.
type factRow struct {
	word   string
	proves Proof
	// broken says that no frame leaves the port whatever its carrier says: a dead card may keep its carrier for ever.
	broken bool
	text   string // completes "p4p1: …"
}

// facts is the table: what each fact is called, what it proves, and what it says to an operator.
var facts = [numFacts]factRow{
	FactNone: {"none", ProvesNothing, false, "nothing is known"},

	FactProtoDown:         {"proto-down", ProvesLocal, true, "held down by another protocol of this host"},
	FactTesting:           {"testing", ProvesLocal, true, "a cable or self test is running"},
	FactUnbound:           {"unbound", ProvesLocal, true, "no driver is bound to its device"},
	FactDetached:          {"detached", ProvesLocal, true, "its driver has lost the device"},
	FactCardSilent:        {"card-silent", ProvesLocal, true, "its card does not answer on the PCI bus"},
	FactCardGone:          {"card-gone", ProvesLocal, true, "its card is gone"},
	FactRecovering:        {"recovering", ProvesLocal, true, "its card is recovering from a PCIe error"},
	FactRecoveryFailed:    {"recovery-failed", ProvesLocal, true, "its card has not recovered from a PCIe error"},
	FactTransmitHung:      {"transmit-hung", ProvesLocal, false, "a transmit queue has timed out"},
	FactTransmitStalled:   {"transmit-stalled", ProvesLocal, true, "adverts are handed to it and do not leave"},
	FactCageEmpty:         {"cage-empty", ProvesLocal, false, "cage empty"},
	FactCableUnsupported:  {"cable-unsupported", ProvesLocal, false, "the cable is of a kind that the port does not take"},
	FactModuleMissing:     {"module-missing", ProvesLocal, false, "module missing"},
	FactModuleFault:       {"module-fault", ProvesLocal, false, "module broken"},
	FactModuleTransmit:    {"module-transmit", ProvesLocal, false, "the module's transmitter is off or broken"},
	FactCalibrationFailed: {"calibration-failed", ProvesLocal, false, "the port could not calibrate itself"},
	FactPowerExceeded:     {"power-exceeded", ProvesLocal, false, "the module wants more power than the port gives"},
	FactOverheated:        {"overheated", ProvesLocal, false, "overheated"},
	FactClockLost:         {"clock-lost", ProvesLocal, false, "the port has lost its reference clock"},
	FactRefused:           {"refused", ProvesLocal, false, "the port or the board's controller forbids the link"},

	FactRemoteFault:      {"remote-fault", ProvesPowered, false, "the partner has power and does not hear this port"},
	FactPartnerSpeaks:    {"partner-speaks", ProvesPowered, false, "the partner negotiates and the link does not come up"},
	FactPartnerAbilities: {"partner-abilities", ProvesPowered, false, "the partner announces its abilities and the link does not come up"},
	FactSignalBad:        {"signal-bad", ProvesPowered, false, "a signal arrives that makes no sense"},
	FactPartnerAsleep:    {"partner-asleep", ProvesPowered, false, "the link came back at the speed of wake-on-LAN and nobody speaks: the partner was shut down"},

	FactNoPartner:       {"no-partner", ProvesNothing, false, "the port is well and hears nobody"},
	FactNoLight:         {"no-light", ProvesNothing, false, "the module receives no light"},
	FactErrorsCorrected: {"errors-corrected", ProvesNothing, false, "the PCI bus corrected errors"},
}

// String returns a stable lower-case word for logs, status and recordings.
func (f Fact) String() string {
	if f >= numFacts {
		return name(f)
	}
	return facts[f].word
}

// Proves says what the fact is worth.
func (f Fact) Proves() Proof {
	if f >= numFacts {
		return ProvesNothing
	}
	return facts[f].proves
}

// Breaks says that no frame leaves the port, whatever its carrier says.
func (f Fact) Breaks() bool { return f < numFacts && facts[f].broken }

// Text says the fact to an operator; it completes "p4p1: …".
func (f Fact) Text() string {
	if f >= numFacts {
		return f.String()
	}
	return facts[f].text
}

// EveryFact yields all facts but FactNone, in the order of the table.
func EveryFact() iter.Seq[Fact] {
	return func(yield func(Fact) bool) {
		for f := FactNone + 1; f < numFacts; f++ {
			if !yield(f) {
				return
			}
		}
	}
}

// Facts is the set of what holds of one port. It is comparable with ==, and its zero value is the empty set.
type Facts uint64

// With returns the set with further facts in it.
func (s Facts) With(more ...Fact) Facts {
	for _, f := range more {
		if f != FactNone && f < numFacts {
			s |= 1 << f
		}
	}
	return s
}

// Has says whether a fact is in the set.
func (s Facts) Has(f Fact) bool { return f < numFacts && s&(1<<f) != 0 }

// All yields the facts of the set in the order of the table.
func (s Facts) All() iter.Seq[Fact] {
	return func(yield func(Fact) bool) {
		for f := range EveryFact() {
			if s.Has(f) && !yield(f) {
				return
			}
		}
	}
}

// First is the first fact of the set that proves p, or FactNone.
func (s Facts) First(p Proof) Fact {
	for f := range s.All() {
		if f.Proves() == p {
			return f
		}
	}
	return FactNone
}

// Broken is the first fact of the set that keeps every frame from leaving, or FactNone.
func (s Facts) Broken() Fact {
	for f := range s.All() {
		if f.Breaks() {
			return f
		}
	}
	return FactNone
}

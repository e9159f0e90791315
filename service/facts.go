package service

import (
	"slices"

	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/vrrp/verdict"
)

// This file is the only one that says which of the kernel's values are which fact. What a fact is worth
// stands in package verdict.

// reading is what is known of a port at one moment, in the kernel's words. What holds only of a port
// without a link, or only of a link of its present life, has been sorted out before.
type reading struct {
	present   bool
	held      bool // another protocol of this host holds it down
	testing   bool
	unplugged bool // with every other port of its card
	unbound   bool
	detached  bool
	mute      bool // its card answered the bus with all ones, twice in a row
	recovery  port.Recovery

	hung      bool // a transmit queue timed out lately
	stalled   bool // what was handed to it did not leave
	corrected bool // the bus corrected errors lately

	// Of a port that is switched on and has no link:
	reason   ethtool.Reason // why, if reasoned
	reasoned bool
	partner  bool // announces its abilities
	page     bool // of the partner's negotiation arrived lately

	missing  bool // the module, which was there before
	module   ethtool.Module
	slowdown bool // the link came back slower than it was when adverts passed, and nobody speaks
}

// source is where a fact comes from.
type source struct {
	fact verdict.Fact
	// signals are what the port's driver has to have, one of them; none for what the kernel knows of every port.
	signals []Signal
	// from names it in the kernel's words.
	from  string
	holds func(r reading) bool
}

// sources is the table of facts and their sources. Those that are a driver's reason for a missing link
// stand in the table of reasons.
var sources = [...]source{
	{verdict.FactProtoDown, nil, "IFLA_PROTO_DOWN, /sys/class/net/*/proto_down", func(r reading) bool { return r.held }},
	{verdict.FactTesting, nil, "IF_OPER_TESTING, /sys/class/net/*/operstate", func(r reading) bool { return r.testing }},
	{verdict.FactUnbound, []Signal{SignalBus}, "/sys/…/driver", func(r reading) bool { return r.unbound }},
	{verdict.FactDetached, []Signal{SignalDetach}, "ENODEV from ETHTOOL_MSG_LINKSTATE_GET", func(r reading) bool { return r.detached }},
	{verdict.FactCardSilent, []Signal{SignalBus}, "/sys/bus/pci/devices/*/config", func(r reading) bool { return r.mute }},
	{verdict.FactCardGone, []Signal{SignalBus}, "/sys/bus/pci/devices", func(r reading) bool { return r.unplugged }},
	{verdict.FactRecovering, []Signal{SignalBus}, "ERROR_EVENT=BEGIN_RECOVERY", func(r reading) bool { return r.recovery == port.RecoveryBegun }},
	{verdict.FactRecoveryFailed, []Signal{SignalBus}, "ERROR_EVENT=FAILED_RECOVERY", func(r reading) bool { return r.recovery == port.RecoveryFailed }},
	{verdict.FactErrorsCorrected, []Signal{SignalBus}, "/sys/bus/pci/devices/*/aer_dev_correctable", func(r reading) bool { return r.corrected }},
	{verdict.FactTransmitHung, []Signal{SignalHang}, "/sys/class/net/*/queues/tx-*/tx_timeout", func(r reading) bool { return r.hung }},
	{verdict.FactTransmitStalled, []Signal{SignalTransmit}, "/sys/class/net/*/statistics/tx_packets", func(r reading) bool { return r.stalled }},
	{verdict.FactPartnerAsleep, []Signal{SignalSpeed}, "ETHTOOL_A_LINKMODES_SPEED", func(r reading) bool { return r.slowdown }},
	{verdict.FactPartnerAbilities, []Signal{SignalAbilities}, "ETHTOOL_A_LINKMODES_PEER", func(r reading) bool { return r.partner }},
	{verdict.FactPartnerSpeaks, []Signal{SignalMII, SignalLinkState}, "MII register 6, page received", func(r reading) bool { return r.page }},
	{verdict.FactModuleMissing, []Signal{SignalModule}, "ETHTOOL_MSG_MODULE_EEPROM_GET", func(r reading) bool { return r.missing }},
	{verdict.FactModuleFault, []Signal{SignalModule, SignalLinkState}, "CMIS module state", func(r reading) bool { return is(r.module.Fault) }},
	{verdict.FactModuleTransmit, []Signal{SignalModule}, "SFF-8472 A2h byte 110 bit 2 and 7, SFF-8636 byte 4",
		func(r reading) bool { return is(r.module.TransmitFault()) || is(r.module.TransmitOff()) }},
	{verdict.FactNoLight, []Signal{SignalModule}, "SFF-8472 A2h byte 110 bit 1, SFF-8636 byte 3", func(r reading) bool { return is(r.module.LightLost()) }},
}

func is(m ethtool.Maybe[bool]) bool { return m.Known && m.V }

// anySub matches every substate that no row above it names.
const anySub = 0xff

// reasons is the table of what drivers say of a link that is down (ETHTOOL_A_LINKSTATE_EXT_STATE and
// …_EXT_SUBSTATE), first match wins. What it does not have is no evidence: an attribute that a driver
// sets for want of an opinion, or one that may mean either side.
var reasons = [...]struct {
	state ethtool.ExtState
	sub   uint8
	fact  verdict.Fact
	from  string // ETHTOOL_LINK_EXT_STATE_…, and drivers that are known to say so
}{
	{ethtool.ExtNoCable, anySub, verdict.FactCageEmpty, "NO_CABLE: mlx5 1024, hns3, bnxt"},
	{ethtool.ExtCableIssue, ethtool.CableIssueTestFailed, verdict.FactNone, "CABLE_ISSUE, CI_CABLE_TEST_FAILURE: of either end"},
	{ethtool.ExtCableIssue, anySub, verdict.FactCableUnsupported, "CABLE_ISSUE: mlx5"},
	{ethtool.ExtEEPROMIssue, anySub, verdict.FactModuleFault, "EEPROM_ISSUE: mlx5"},
	{ethtool.ExtModule, anySub, verdict.FactModuleFault, "MODULE: mlxsw"},
	{ethtool.ExtCalibrationFailure, anySub, verdict.FactCalibrationFailed, "CALIBRATION_FAILURE: mlx5"},
	{ethtool.ExtPowerBudgetExceeded, anySub, verdict.FactPowerExceeded, "POWER_BUDGET_EXCEEDED: mlx5"},
	{ethtool.ExtOverheat, anySub, verdict.FactOverheated, "OVERHEAT: mlx5"},
	{ethtool.ExtOTPSpeedViolation, anySub, verdict.FactRefused, "OTP_SPEED_VIOLATION: bnxt"},
	{ethtool.ExtBMCRequestDown, anySub, verdict.FactRefused, "BMC_REQUEST_DOWN: bnxt"},
	{ethtool.ExtBadSignal, ethtool.SignalClock, verdict.FactClockLost, "BAD_SIGNAL_INTEGRITY, BSI_SERDES_REFERENCE_CLOCK_LOST: hns3"},
	{ethtool.ExtBadSignal, ethtool.SignalNoEnergy, verdict.FactNoPartner, "BAD_SIGNAL_INTEGRITY, BSI_SERDES_ALOS: hns3"},
	{ethtool.ExtBadSignal, anySub, verdict.FactSignalBad, "BAD_SIGNAL_INTEGRITY: mlx5"},
	{ethtool.ExtLogicalMismatch, anySub, verdict.FactSignalBad, "LINK_LOGICAL_MISMATCH: mlx5"},
	{ethtool.ExtTrainingFailure, ethtool.TrainingRemoteFault, verdict.FactRemoteFault, "LT_REMOTE_FAULT: mlx5 14, hns3, bnxt"},
	{ethtool.ExtTrainingFailure, ethtool.TrainingPartnerNotReady, verdict.FactPartnerSpeaks, "LT_KR_LINK_PARTNER_NOT_SET_RECEIVER_READY: mlx5"},
	{ethtool.ExtAutoneg, ethtool.AutonegNoPartner, verdict.FactNoPartner, "AN_NO_PARTNER_DETECTED: mlx5 2"},
	{ethtool.ExtAutoneg, ethtool.AutonegNoPartnerForced, verdict.FactNoPartner, "AN_NO_PARTNER_DETECTED_FORCE_MODE: mlx5 36"},
	{ethtool.ExtAutoneg, ethtool.AutonegNoAck, verdict.FactPartnerSpeaks, "AN_ACK_NOT_RECEIVED: mlx5"},
	{ethtool.ExtAutoneg, ethtool.AutonegNextPage, verdict.FactPartnerSpeaks, "AN_NEXT_PAGE_EXCHANGE_FAILED: mlx5"},
	{ethtool.ExtAutoneg, ethtool.AutonegFECMismatch, verdict.FactPartnerSpeaks, "AN_FEC_MISMATCH_DURING_OVERRIDE: mlx5"},
	{ethtool.ExtAutoneg, ethtool.AutonegNoCommonMode, verdict.FactPartnerSpeaks, "AN_NO_HCD: mlx5"},
}

// reasonFact is the fact that a driver's reason is, or FactNone.
func reasonFact(r ethtool.Reason) verdict.Fact {
	for _, row := range reasons {
		if row.state == r.State && (row.sub == r.Sub || row.sub == anySub) {
			return row.fact
		}
	}
	return verdict.FactNone
}

// facts are all that a reading proves or disproves.
func (r reading) facts() verdict.Facts {
	var facts verdict.Facts
	for _, s := range sources {
		if s.holds(r) {
			facts = facts.With(s.fact)
		}
	}
	if r.reasoned {
		facts = facts.With(reasonFact(r.reason))
	}
	return facts
}

// signalsOf are the signals of which a fact needs one; none for what the kernel knows of every port.
func signalsOf(f verdict.Fact) []Signal {
	var all []Signal
	for _, s := range sources {
		if s.fact == f {
			all = append(all, s.signals...)
		}
	}
	for _, row := range reasons {
		if row.fact == f && !slices.Contains(all, SignalLinkState) {
			all = append(all, SignalLinkState)
		}
	}
	return all
}

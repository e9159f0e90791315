package vrrp

import (
	"net/netip"
	"time"
)

// Event is something that happened to a [Machine]. The set is closed: Start, Stop,
// Heard, Expired, Ruled, Failed, Repaired, Reprioritized, Reconfigured, Addressed.
type Event interface{ event() }

// Start begins the protocol on a machine in INITIALIZE. In FAULT it only gives the
// source address, since a router may fail before it starts.
type Start struct {
	// Source is the primary address that adverts are sent from, which breaks ties;
	// the zero address if there is none yet.
	Source netip.Addr
}

// Stop ends the protocol: a MASTER says goodbye, and the machine is in INITIALIZE.
type Stop struct{}

// Heard is an advert that [Receive] accepted for this virtual router.
type Heard struct {
	Advert Advert
	From   netip.Addr // source address of the packet
}

// Expired says that the moment of [Machine.Deadline] has come. Before that moment
// it changes nothing.
type Expired struct{}

// Ruled is the judge's word, asked for by [Consult] or unasked.
type Ruled struct {
	Ruling Ruling
	// For is how long a BACKUP waits after Hold or StepDown before the silence is
	// looked at again; 0 or less means one master-down interval.
	For time.Duration
}

// Failed says that this router cannot do the job: it goes to FAULT, a MASTER with
// a goodbye.
type Failed struct{}

// Repaired ends FAULT: the router becomes a BACKUP for a full master-down interval.
type Repaired struct{}

// Reprioritized changes the effective priority, 1 to 254; 255 only for a router
// whose configured priority it is (else 254 is meant), and 0 changes nothing. The
// running timer of a BACKUP moves by the difference of the skews.
type Reprioritized struct{ Priority uint8 }

// Reconfigured replaces the settings, which must have passed [Params.Validate],
// without moving the state. The effective priority follows only if the configured
// one changed. A BACKUP whose master-down interval changed waits for a full new one,
// so that a reload is never taken for silence; the next advert of a MASTER is never
// later than it was.
type Reconfigured struct{ Params Params }

// Addressed gives the new primary address; the zero address if there is none.
type Addressed struct{ Source netip.Addr }

func (Start) event()         {}
func (Stop) event()          {}
func (Heard) event()         {}
func (Expired) event()       {}
func (Ruled) event()         {}
func (Failed) event()        {}
func (Repaired) event()      {}
func (Reprioritized) event() {}
func (Reconfigured) event()  {}
func (Addressed) event()     {}

// Ruling is what a judge of silence and faults may say.
type Ruling uint8

// The rulings.
const (
	// NoRuling changes nothing.
	NoRuling Ruling = iota
	// TakeOver makes a BACKUP, or an owner that asked, the MASTER at once, asked or not.
	TakeOver
	// Hold keeps a BACKUP where it is and re-arms its timer; an owner that asked
	// becomes a BACKUP.
	Hold
	// StepDown makes a MASTER a BACKUP without a goodbye.
	StepDown
)

// String returns the ruling in words.
func (r Ruling) String() string {
	switch r {
	case NoRuling:
		return "none"
	case TakeOver:
		return "take-over"
	case Hold:
		return "hold"
	case StepDown:
		return "step-down"
	}
	return "unknown"
}

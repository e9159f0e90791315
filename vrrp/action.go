package vrrp

// Action is something that a [Machine] wants done. The set is closed: Send, Enter,
// Consult, Reannounce.
type Action interface{ action() }

// Send asks for one advert with that priority, now; 0 is the goodbye. [Params.Advert]
// has the rest of it.
type Send struct{ Priority uint8 }

// Enter says that the state has changed: addresses are to be served on entering
// MASTER and released on leaving it.
type Enter struct {
	From, To State
	Cause    Cause
}

// Consult asks the judge before the machine becomes MASTER. The answer is a [Ruled]
// event; without one the machine becomes MASTER at Until.
type Consult struct {
	Why   Why
	Until Instant
}

// Reannounce asks a MASTER to tell the segments again where the virtual addresses
// live: a second MASTER was heard and has lost, so that switches may have learned
// the wrong port.
type Reannounce struct{}

func (Send) action()       {}
func (Enter) action()      {}
func (Consult) action()    {}
func (Reannounce) action() {}

// Why says what a machine that consults is about to act on.
type Why uint8

// The occasions of a [Consult].
const (
	WhyNone    Why = iota // not consulting
	WhySilence            // no advert to obey for a master-down interval
	WhyPreempt            // a MASTER of lower priority speaks, and our timer ran out
	WhyGoodbye            // the MASTER left with priority 0
	WhyOwner              // the owner of the addresses starts
)

// String returns the occasion in one word.
func (w Why) String() string {
	switch w {
	case WhyNone:
		return "none"
	case WhySilence:
		return "silence"
	case WhyPreempt:
		return "preempt"
	case WhyGoodbye:
		return "goodbye"
	case WhyOwner:
		return "owner"
	}
	return "unknown"
}

// cause returns the cause of a transition that no ruling decided.
func (w Why) cause() Cause {
	switch w {
	case WhyNone:
	case WhySilence:
		return CauseSilence
	case WhyPreempt:
		return CausePreempt
	case WhyGoodbye:
		return CauseGoodbye
	case WhyOwner:
		return CauseOwner
	}
	return CauseNone
}

// Cause says why a state was entered.
type Cause uint8

// The causes of a transition.
const (
	CauseNone      Cause = iota
	CauseStarted         // Start: INITIALIZE to BACKUP
	CauseOwner           // the owner of the addresses started: INITIALIZE to MASTER
	CauseSilence         // the MASTER fell silent: BACKUP to MASTER
	CausePreempt         // the MASTER has a lower priority: BACKUP to MASTER
	CauseGoodbye         // the MASTER said goodbye: BACKUP to MASTER
	CauseOutranked       // a better MASTER was heard: MASTER to BACKUP
	CauseRuling          // the judge ruled
	CauseFailed          // Failed: to FAULT
	CauseRepaired        // Repaired: FAULT to BACKUP
	CauseStopped         // Stop: to INITIALIZE
)

// String returns the cause in one word.
func (c Cause) String() string {
	switch c {
	case CauseNone:
		return "none"
	case CauseStarted:
		return "started"
	case CauseOwner:
		return "owner"
	case CauseSilence:
		return "silence"
	case CausePreempt:
		return "preempt"
	case CauseGoodbye:
		return "goodbye"
	case CauseOutranked:
		return "outranked"
	case CauseRuling:
		return "ruling"
	case CauseFailed:
		return "failed"
	case CauseRepaired:
		return "repaired"
	case CauseStopped:
		return "stopped"
	}
	return "unknown"
}

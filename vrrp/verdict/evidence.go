package verdict

import "fmt"

// Evidence is what a BACKUP knows of its peer since the doubt began, as facts out of a small and finite space.
type Evidence struct {
	Voice     Voice   // what the peer itself said
	Self      Self    // whether we could have heard it
	VIP       Reply   // the strongest answer for the virtual address, over all ports
	Serving   Serving // carrier on the serving ports
	Silence   Silence // what the silence of the virtual address is worth
	Crowd     Crowd   // whether other routers than the peer may be behind the doubt
	Heartbeat Link    // the port that carries the adverts
	Storage   Storage // what this router runs from
}

// String lists the facts as key=value, for logs and recordings.
func (e Evidence) String() string {
	return fmt.Sprintf("voice=%v self=%v vip=%v serving=%v silence=%v crowd=%v heartbeat=%v storage=%v",
		e.Voice, e.Self, e.VIP, e.Serving, e.Silence, e.Crowd, e.Heartbeat, e.Storage)
}

// Voice is what the peer said since the doubt began.
type Voice uint8

// What a peer may have said, the strongest last.
const (
	VoiceUnknown Voice = iota // nothing is in doubt, so nothing was waited for
	VoiceSilent               // nothing
	VoicePowered              // the port at the other end of the dark cable has power; of the router behind it nothing is known
	VoiceLives                // its box lives; whether it serves is not said
	VoiceServes               // it serves this instance
	numVoices
)

// String returns a lower-case word for logs and status.
func (v Voice) String() string { return name(v, "unknown", "silent", "powered", "lives", "serves") }

// Self is whether this router was awake enough to trust a silence.
type Self uint8

// The states of our own loop.
const (
	SelfUnknown Self = iota
	SelfOnTime       // never late by more than the doubt window, or has listened since
	SelfLate         // late by more than the doubt window, and has not listened since
	numSelves
)

// String returns a lower-case word for logs and status.
func (s Self) String() string { return name(s, "unknown", "on-time", "late") }

// Serving is the carrier of the serving ports taken together.
type Serving uint8

// How many serving ports have carrier.
const (
	ServingUnknown Serving = iota // there is no serving port, or those without carrier are not known to be without
	ServingNone                   // no serving port has carrier
	ServingSome                   // at least one has, another has not or is not known
	ServingAll                    // each of them has
	numServings
)

// String returns a lower-case word for logs and status.
func (s Serving) String() string { return name(s, "unknown", "none", "some", "all") }

// Silence is what the silence of the virtual address is worth.
type Silence uint8

// The worth of a silence.
const (
	SilenceUnknown      Silence = iota // no serving port was silent when asked
	SilenceUncalibrated                // silent, but nothing shows that an answer would have been heard
	SilenceCalibrated                  // silent on a serving port where it answered lately and where a witness answers
	numSilences
)

// String returns a lower-case word for logs and status.
func (s Silence) String() string { return name(s, "unknown", "uncalibrated", "calibrated") }

// Crowd is whether the doubt may be about another router than the peer.
type Crowd uint8

// The company on the heartbeat port.
const (
	CrowdUnknown Crowd = iota
	CrowdAlone         // at most one other router was ever heard there, or the doubt began with a silence, which skew puts in order
	CrowdSeveral       // carrier was lost on a port on which several other routers were heard
	numCrowds
)

// String returns a lower-case word for logs and status.
func (c Crowd) String() string { return name(c, "unknown", "alone", "several") }

// Storage is whether this router's own storage would let it go on.
type Storage uint8

// The states of storage. What is only slow is sound.
const (
	StorageUnknown Storage = iota // not watched, or nothing can be said: no fault
	StorageSound
	StorageFailed // what is not in memory is lost: another router is the better one
	numStorages
)

// String returns a lower-case word for logs and status.
func (s Storage) String() string { return name(s, "unknown", "sound", "failed") }

// name returns the word for an enum value, and says so when there is none.
func name[E ~uint8](value E, words ...string) string {
	if int(value) >= len(words) {
		return fmt.Sprintf("invalid(%d)", uint8(value))
	}
	return words[value]
}

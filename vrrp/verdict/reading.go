package verdict

import "time"

// Readings is what one instance knows while its peer is in doubt: numbers with their ages and the state of each port,
// as the edges reported them. The zero value says that nothing is in doubt and nothing is known.
type Readings struct {
	// Doubting says that the peer's service is in question: the heartbeat lost carrier or fell silent, or the
	// master-down deadline passed without either. Without a doubt there is nothing to judge.
	Doubting bool
	// Doubt is the age of the doubt; meaningless without one.
	Doubt time.Duration
	// Carrier says that the doubt began with a loss of carrier, rather than with a silence.
	Carrier bool

	// Served is the age of the last proof that the peer serves this instance: an advert that a BACKUP must obey, on any path.
	Served Age
	// Lived is the age of the last proof that the peer's box lives, whatever it serves: adverts of another
	// instance, an answer from its own address.
	Lived Age

	// Powered says that the port at the other end of the heartbeat has power although the link is down: a fact of this port that
	// [ProvesPowered]. A partner that is known to be asleep has power and does not count.
	Powered bool

	// Late is how late our own loop ran at worst since the doubt began.
	Late time.Duration
	// Listened says that in this doubt we have already listened once because of it.
	Listened bool

	// Routers counts the other routers ever heard on the heartbeat port; below zero it is not known.
	Routers int
	// Heartbeat is the link of the port that carries the adverts.
	Heartbeat Link
	// Ports are the serving ports, in any order, and the heartbeat port where the caller likes to have it judged alike.
	Ports []PortReading
	// Storage is the state of what this router runs from.
	Storage Storage
}

// Age is how long ago something happened, if it ever did.
type Age struct {
	Known bool          // false: it never happened
	D     time.Duration // zero is now
}

// PortReading is what is known of one port.
type PortReading struct {
	Link Link
	// HeartbeatOnly says that the port carries adverts and nothing the instance serves. Its silence proves nothing
	// and its carrier isolates nobody, but an answer for the virtual address counts wherever it is heard.
	HeartbeatOnly bool
	// NoVIP says that the port has no virtual address to ask for: it is tracked, or carries only routes or rules. A serving port
	// without this mark, with a link that is not known to be down, must be asked before anybody is called dead.
	NoVIP bool
	// VIP is what the last finished burst of questions for the instance's virtual address brought.
	VIP Reply
	// Calibrated says that the virtual address answered here to the same form of question within the last minute.
	Calibrated bool
	// Witness says that a third party answered the same form of question in the same burst.
	Witness bool
	// Blind says that the virtual address stayed silent here while the peer's adverts were fresh.
	Blind bool
	// Mute says that no frame of another station has arrived since carrier came up.
	Mute bool
}

// Thresholds are the times that turn readings into evidence.
type Thresholds struct {
	// Window is the doubt window of the instance, one and a half advert intervals plus skew. Our own loop is late beyond
	// it, and a proof of life is stale beyond it: a peer that serves speaks more often. It must be positive; otherwise our
	// own lateness is not known, and a proof of life does not grow stale.
	Window time.Duration
}

// Link is the state of a port as its kernel reports it.
type Link uint8

// The states of a port. What is not LinkUp carries no frame, LinkUnknown apart.
const (
	LinkUnknown   Link = iota // the kernel did not say
	LinkUp                    // administratively up, carrier present
	LinkDown                  // administratively up, no carrier: cable, far side or transceiver
	LinkAdminDown             // taken down on this router
	LinkGone                  // no such port any more: driver or card
	LinkBroken                // a fact proves a fault of this router's: no frame leaves it, or it has no carrier for a reason on this side
	numLinks
)

// String returns a lower-case word for logs and status.
func (l Link) String() string {
	return name(l, "unknown", "up", "no-carrier", "admin-down", "gone", "broken")
}

// Reply is what came back when a burst asked for the virtual address.
type Reply uint8

// The replies, weakest first: over several ports the strongest counts.
const (
	ReplyUnknown     Reply = iota // not asked, or the burst still runs
	ReplySilent                   // asked, nobody answered
	ReplyUnconfirmed              // only a broadcast was answered, as a fabric's cache does for the dead
	ReplyStranger                 // answered, confirmed, by a station never tied to the peer
	ReplyPeer                     // answered, confirmed, by the peer
	numReplies
)

// String returns a lower-case word for logs and status.
func (r Reply) String() string {
	return name(r, "unknown", "silent", "unconfirmed", "stranger", "peer")
}

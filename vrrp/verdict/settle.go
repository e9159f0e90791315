package verdict

import "fmt"

// Rivalry is what a MASTER knows of somebody else who may serve the same virtual addresses, as facts out of a small and
// finite space.
type Rivalry struct {
	Exchange   Exchange // whether adverts pass between the two
	Youth      Youth    // how long we have served before witnesses
	Rival      Rival    // who else answers for our virtual addresses
	Everywhere Tri      // the rival answers on every serving port that has a witness
	Asked      Tri      // we have announced again, waited and asked a full burst since the rival was first noticed
	Mute       Tri      // every serving port has carrier but has heard no other station
}

// String lists the facts as key=value, for logs and recordings.
func (r Rivalry) String() string {
	return fmt.Sprintf("exchange=%v youth=%v rival=%v everywhere=%v asked=%v mute=%v",
		r.Exchange, r.Youth, r.Rival, r.Everywhere, r.Asked, r.Mute)
}

// Exchange is whether the order of the protocol can settle who serves.
type Exchange uint8

// The states of an exchange of adverts.
const (
	ExchangeUnknown Exchange = iota
	ExchangeNone             // no advert of a rival is heard, or two advert intervals of them have decided nothing
	ExchangeOpen             // adverts are heard, for less than two advert intervals
	ExchangeDecided          // adverts are heard, and the order of the protocol is for us
	numExchanges
)

// String returns a lower-case word for logs and status.
func (e Exchange) String() string { return name(e, "unknown", "none", "open", "decided") }

// Youth is whether a MASTER has served long enough before others to insist.
type Youth uint8

// The ages of a MASTER.
const (
	YouthUnknown Youth = iota
	YouthYoung         // no witness has answered on that port since it took over, or first did less than a master-down interval ago
	YouthOld           // a witness has answered for longer
	numYouths
)

// String returns a lower-case word for logs and status.
func (y Youth) String() string { return name(y, "unknown", "young", "old") }

// Rival is who else answers for our virtual addresses.
type Rival uint8

// The rivals.
const (
	RivalUnknown   Rival = iota // not asked, or the burst still runs
	RivalNobody                 // asked, nobody
	RivalPeer                   // the peer
	RivalOneForTwo              // one station, never tied to the peer, for at least two virtual addresses
	RivalStranger               // a station never tied to the peer, for a single one
	numRivals
)

// String returns a lower-case word for logs and status.
func (r Rival) String() string {
	return name(r, "unknown", "nobody", "peer", "one-for-two", "stranger")
}

// Tri is a truth that may not be known.
type Tri uint8

// The three truths.
const (
	TriUnknown Tri = iota
	TriNo
	TriYes
	numTris
)

// String returns a lower-case word for logs and status.
func (t Tri) String() string { return name(t, "unknown", "no", "yes") }

// master is the table of a MASTER who may not be the only one. The last row decides whatever is left.
var master = [...]rule[Rivalry]{
	{MasterMute, PeerAlive, Obey, func(r Rivalry) bool { return r.Mute == TriYes && r.adverts() }},
	{MasterOrder, Contested, Stay, Rivalry.adverts},
	{MasterUnrivalled, None, Stay, func(r Rivalry) bool { return r.Rival == RivalUnknown || r.Rival == RivalNobody }},
	{MasterStranger, Contested, Defend, func(r Rivalry) bool { return r.Rival == RivalStranger }},
	{MasterYoung, Contested, Recant, func(r Rivalry) bool { return r.Youth == YouthYoung }},
	{MasterAsk, Contested, Ask, func(r Rivalry) bool { return r.Asked != TriYes }},
	{MasterAnswered, Contested, Recant, func(r Rivalry) bool { return r.Everywhere == TriYes }},
	{MasterDefend, Contested, Defend, nil},
}

// Settle decides for a MASTER: the first row that holds.
func Settle(r Rivalry) Verdict {
	row := first(master[:], r)
	return Verdict{Finding: row.finding, Rule: row.id, Act: row.act, Rivalry: r}
}

// adverts says that adverts of the rival are heard.
func (r Rivalry) adverts() bool {
	return r.Exchange == ExchangeOpen || r.Exchange == ExchangeDecided
}

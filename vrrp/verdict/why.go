package verdict

import "strings"

// Why says in one English sentence what was decided and on which evidence, for people who are woken by it. It ends with
// a full stop.
func (v Verdict) Why() string {
	e, r := v.Evidence, v.Rivalry
	switch v.Rule {
	case RuleNone:
		return "Nothing has been judged yet."
	case BackupNoDoubt:
		return sentence("The peer is not in doubt", e.Heartbeat.clause())
	case BackupPeerAlive:
		return sentence("The peer serves this instance: its adverts still arrive on another path", e.Heartbeat.clause())
	case BackupLate:
		return sentence("This router was too busy or suspended to have heard the peer, so it listens before it judges",
			e.Voice.clause())
	case BackupContested:
		return sentence("The peer still answers for the virtual address, confirmed, so it serves although it cannot be heard, and "+
			"fault_contested decides",
			e.Voice.clause(), e.Heartbeat.clause())
	case BackupIsolated:
		return sentence("No serving port of this router has carrier, so there is nobody whom it could serve",
			e.Voice.clause(), e.Heartbeat.clause())
	case BackupPeerDead:
		return sentence("The peer does not serve: "+proof, e.death()...)
	case BackupPeerDeadWait:
		return sentence("The peer does not serve, but "+e.caution()+
			", so the takeover waits for the master-down deadline: "+proof, e.death()...)
	case BackupStorage:
		return sentence("The peer does not serve, but this router's own storage has failed, so whoever is sound goes first and this one at "+
			"the master-down deadline: "+proof, e.death()...)
	case BackupLocalFault:
		return sentence("This router's own side of the heartbeat failed and of the peer nothing is proved, so fault_prior decides at "+
			"the master-down deadline", e.doubts()...)
	case BackupUnproven:
		return sentence("Nothing proves that the peer died and nothing that it serves, so fault_prior decides at the master-down "+
			"deadline", e.doubts()...)
	case MasterMute:
		return sentence("Every serving port has carrier but hears no other station, so this router obeys whoever adverts",
			r.Exchange.clause())
	case MasterOrder:
		return sentence("Adverts pass between the two who serve, so the order of the protocol decides", r.Exchange.clause())
	case MasterUnrivalled:
		return sentence("Nothing shows that anybody else serves", r.Rival.clause(), r.Exchange.clause())
	case MasterStranger:
		return sentence("A station never tied to the peer answers for one virtual address, as a host with a wrong address would, "+
			"so this router defends it", r.Exchange.clause(), r.Youth.clause())
	case MasterYoung:
		return sentence("Somebody else already serves, and this router has only just begun, so it gives way",
			r.Rival.clause(), r.Exchange.clause(), r.Youth.clause())
	case MasterAsk:
		return sentence("Somebody else seems to serve too, so this router announces itself, waits and asks again",
			r.Rival.clause(), r.Exchange.clause(), r.Youth.clause())
	case MasterAnswered:
		return sentence("Somebody else still serves after this router has announced itself and asked again, so it gives way",
			r.Rival.clause(), r.Everywhere.clause(), r.Exchange.clause())
	case MasterDefend:
		return sentence("Somebody else serves too, but does not hold every serving port that has a witness, so this router stays and "+
			"announces itself", r.Rival.clause(), r.Everywhere.clause(), r.Exchange.clause())
	case StorageFit, StorageKept, StorageSpent, StorageAlone, StorageResign:
		return v.Fitness.why(v.Rule)
	case FaultIsolated:
		return sentence("A fault of this router forbids it to serve, and there is nobody whom it could serve", e.Serving.clause())
	case FaultLocal:
		return sentence("A fault of this router forbids it to serve", e.Serving.clause())
	}
	return "The rule " + v.Rule.String() + " is not known to this version."
}

// why says what a MASTER does about its storage.
func (f Fitness) why(r Rule) string {
	switch {
	case r == StorageFit:
		return sentence("Nothing is known against this router's storage", f.Storage.clause())
	case r == StorageKept:
		return sentence("This router's storage has failed, and it is to serve all the same", f.clauses()...)
	case r == StorageSpent:
		return sentence("This router's storage has failed, it has resigned for that before, and nobody has served for long since",
			f.clauses()...)
	case r == StorageAlone:
		return sentence("This router's storage has failed, and no peer is known to live, so it serves on", f.clauses()...)
	}
	return sentence("This router's storage has failed and the peer lives, so this router resigns", f.clauses()...)
}

// proof is what a takeover rests on.
const proof = "the virtual address is silent on a port where it answered within the last minute and a witness answers now"

// sentence joins a conclusion and the evidence for it.
func sentence(conclusion string, evidence ...string) string {
	return conclusion + " (" + strings.Join(evidence, "; ") + ")."
}

// death is the evidence that rounds off the proof of a death.
func (e Evidence) death() []string {
	return []string{e.Voice.clause(), e.VIP.clause(), e.Serving.clause(), e.Heartbeat.clause()}
}

// doubts is the evidence that was not enough: everything but our own lateness where we were on time.
func (e Evidence) doubts() []string {
	clauses := []string{e.Voice.clause(), e.VIP.clause(), e.Silence.clause(), e.Serving.clause(), e.Heartbeat.clause()}
	if e.unfit() {
		clauses = append(clauses, e.Storage.clause())
	}
	if e.Self == SelfUnknown {
		clauses = append(clauses, "how late this router itself was is not known")
	}
	return clauses
}

// caution is why a proved death does not act at once.
func (e Evidence) caution() string {
	switch {
	case e.VIP == ReplyStranger:
		return "a stranger answers for the virtual address"
	case e.Crowd == CrowdSeveral:
		return "carrier was lost on a port where several other routers were heard"
	}
	return "it is not known how many other routers are on the heartbeat port"
}

func (v Voice) clause() string {
	switch v {
	case VoiceUnknown:
		return "nothing was waited for"
	case VoiceSilent:
		return "nothing was heard of the peer since the doubt began"
	case VoicePowered:
		return "the peer's end of the dark cable has power, so the cable or this side of it is at fault"
	case VoiceLives:
		return "the peer's box was heard since the doubt began, but not that it serves"
	case VoiceServes:
		return "the peer says that it serves"
	}
	return "voice " + v.String()
}

func (r Reply) clause() string {
	switch r {
	case ReplyUnknown:
		return "not every serving port has been asked for the virtual address"
	case ReplySilent:
		return "nobody answers for the virtual address on any port"
	case ReplyUnconfirmed:
		return "only broadcasts for the virtual address are answered, as a fabric's cache does for the dead"
	case ReplyStranger:
		return "a station never tied to the peer answers for the virtual address"
	case ReplyPeer:
		return "the peer answers for the virtual address"
	}
	return "reply " + r.String()
}

func (s Serving) clause() string {
	switch s {
	case ServingUnknown:
		return "the carrier of the serving ports is not known"
	case ServingNone:
		return "no serving port has carrier"
	case ServingSome:
		return "some serving ports have carrier"
	case ServingAll:
		return "every serving port has carrier"
	}
	return "serving " + s.String()
}

func (s Silence) clause() string {
	switch s {
	case SilenceUnknown:
		return "no serving port was silent when asked"
	case SilenceUncalibrated:
		return "where it is silent, it did not answer within the last minute or no witness answers now"
	case SilenceCalibrated:
		return "it is silent where it answered within the last minute and a witness answers now"
	}
	return "silence " + s.String()
}

// clause names the heartbeat port's state and the side that it points to.
func (l Link) clause() string {
	switch l {
	case LinkUnknown:
		return "the state of the heartbeat port is not known"
	case LinkUp:
		return "the heartbeat port has carrier"
	case LinkDown:
		return "the heartbeat port has no carrier, by its cable, its transceiver or the far side"
	case LinkAdminDown:
		return "the heartbeat port was taken down on this router"
	case LinkGone:
		return "the heartbeat port is gone from this router, with its driver or its card"
	case LinkBroken:
		return "the heartbeat port or its card is broken on this router"
	}
	return "heartbeat " + l.String()
}

func (e Exchange) clause() string {
	switch e {
	case ExchangeUnknown:
		return "whether adverts pass is not known"
	case ExchangeNone:
		return "no adverts pass that would decide"
	case ExchangeOpen:
		return "adverts have passed for less than two intervals"
	case ExchangeDecided:
		return "the order of the adverts is for this router"
	}
	return "exchange " + e.String()
}

func (y Youth) clause() string {
	switch y {
	case YouthUnknown:
		return "for how long this router has served is not known"
	case YouthYoung:
		return "this router has served before a witness for less than a master-down interval"
	case YouthOld:
		return "this router has long served before a witness"
	}
	return "youth " + y.String()
}

func (r Rival) clause() string {
	switch r {
	case RivalUnknown:
		return "who answers for the virtual addresses is not known"
	case RivalNobody:
		return "nobody else answers for the virtual addresses"
	case RivalPeer:
		return "the peer answers for a virtual address"
	case RivalOneForTwo:
		return "one station answers for several virtual addresses"
	case RivalStranger:
		return "a station never tied to the peer answers for a virtual address"
	}
	return "rival " + r.String()
}

// clause is about the rival answering everywhere.
func (t Tri) clause() string {
	switch t {
	case TriUnknown:
		return "whether it answers on every serving port is not known"
	case TriNo:
		return "it does not answer on every serving port that has a witness"
	case TriYes:
		return "it answers on every serving port that has a witness"
	}
	return "everywhere " + t.String()
}

func (s Storage) clause() string {
	switch s {
	case StorageUnknown:
		return "the state of its storage is not known"
	case StorageSound:
		return "its storage is sound"
	case StorageFailed:
		return "its storage has failed"
	}
	return "storage " + s.String()
}

// clauses is the evidence for going on, or for not.
func (f Fitness) clauses() []string {
	say := func(t Tri, no, yes, unknown string) string { return [...]string{unknown, no, yes}[min(t, TriYes)] }
	return []string{
		say(f.Peer, "no question of a peer is heard", "a peer's question for the virtual address was heard", "whether a peer lives is not known"),
		say(f.Spent, "it has not resigned for this failure", "it has resigned for this failure", "whether it has resigned for this failure is not known"),
		say(f.Keep, "storage_yield lets it resign", "it is told to stay, by storage_yield or because it owns the addresses", "whether it may resign is not known"),
	}
}

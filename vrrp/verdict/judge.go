package verdict

// Verdict is a finding with the rule that made it and the evidence that it was made from. It is comparable with ==, and
// its zero value is the verdict of nobody.
type Verdict struct {
	Finding  Finding
	Rule     Rule
	Act      Act
	Evidence Evidence // what Judge or Fail was given; zero from the others
	Rivalry  Rivalry  // what Settle was given; zero from the others
	Fitness  Fitness  // what Retire was given; zero from the others
}

// Finding is the answer to the question of the package.
type Finding uint8

// The findings.
const (
	None       Finding = iota // nothing is in doubt
	PeerDead                  // the peer does not serve, and taking over harms nobody
	PeerAlive                 // the peer serves
	LocalFault                // our own side of the heartbeat is what failed; of the peer nothing is proved
	Isolated                  // this router reaches nobody whom it could serve
	Contested                 // somebody else answers for the virtual address
	Unproven                  // none of this is proved
	numFindings
)

// String returns the finding as status and logs print it; the words are stable.
func (f Finding) String() string {
	return name(f, "none", "peer-dead", "peer-alive", "local-fault", "isolated", "contested", "unproven")
}

// Act is what a verdict asks the router to do.
type Act uint8

// The acts. Those from Recant on are for a MASTER.
const (
	ActNone     Act = iota // nothing: the timers of the protocol run as they do
	Stay                   // remain what we are
	TakeOver               // become MASTER now
	AtDeadline             // become MASTER at the master-down deadline, not before
	ByPrior                // at the master-down deadline, after a fresh burst, do what fault_prior says
	ByContested            // do what fault_contested says: hold, or take at the master-down deadline
	Listen                 // listen for one advert interval plus skew, once per doubt, and judge again
	Release                // hold no virtual address; on return listen for one master-down interval
	Recant                 // become BACKUP without a goodbye and without a claim before the wait of a recant is over
	Defend                 // remain MASTER, announce the virtual addresses again, alarm
	Obey                   // become BACKUP to whoever adverts
	Ask                    // announce again, wait, ask a full burst, settle again
	Resign                 // say goodbye and become BACKUP, so that the peer takes over
	numActs
)

// String returns a lower-case word for logs and status.
func (a Act) String() string {
	return name(a, "none", "stay", "take-over", "at-deadline", "by-prior", "by-contested", "listen", "release",
		"recant", "defend", "obey", "ask", "resign")
}

// Rule names the rule that decided. Its String is stable: recordings, metrics and runbooks refer to it.
type Rule uint8

// The rules in the order in which they are tried; the number in a name is the row of its table.
const (
	RuleNone           Rule = iota // nobody has judged
	BackupNoDoubt                  // row 0
	BackupPeerAlive                // row 1
	BackupLate                     // row 2
	BackupContested                // row 3
	BackupIsolated                 // row 4
	BackupPeerDead                 // row 5
	BackupPeerDeadWait             // row 5, where somebody else than the peer may be concerned
	BackupStorage                  // row 6
	BackupLocalFault               // row 7, with the heartbeat port out of service on this router
	BackupUnproven                 // row 7
	MasterMute                     // row 1
	MasterOrder                    // row 2
	MasterUnrivalled               // row 3
	MasterStranger                 // row 4
	MasterYoung                    // row 5
	MasterAsk                      // row 6
	MasterAnswered                 // row 7
	MasterDefend                   // row 8
	FaultIsolated                  // a router in FAULT, row 1
	FaultLocal                     // a router in FAULT, row 2
	StorageFit                     // a MASTER and its storage, row 0
	StorageKept                    // row 1
	StorageSpent                   // row 2
	StorageAlone                   // row 3
	StorageResign                  // row 4
	numRules
)

// String returns the stable identifier of the rule.
func (r Rule) String() string {
	return name(r, "none",
		"backup-0-no-doubt", "backup-1-peer-alive", "backup-2-late", "backup-3-contested", "backup-4-isolated",
		"backup-5-peer-dead", "backup-5-peer-dead-wait", "backup-6-storage", "backup-7-local-fault", "backup-7-unproven",
		"master-1-mute", "master-2-order", "master-3-unrivalled", "master-4-stranger", "master-5-young",
		"master-6-ask", "master-7-answered", "master-8-defend",
		"fault-1-isolated", "fault-2-local",
		"storage-0-fit", "storage-1-kept", "storage-2-spent", "storage-3-alone", "storage-4-resign")
}

// rule is one row of a table: what it finds and asks for when its condition holds.
type rule[E any] struct {
	id      Rule
	finding Finding
	act     Act
	holds   func(E) bool // nil in the last row
}

// backup is the table of a BACKUP. The last row decides whatever is left.
var backup = [...]rule[Evidence]{
	{BackupNoDoubt, None, ActNone, func(e Evidence) bool { return e.Voice == VoiceUnknown }},
	{BackupPeerAlive, PeerAlive, Stay, func(e Evidence) bool { return e.Voice == VoiceServes }},
	{BackupLate, Unproven, Listen, func(e Evidence) bool { return e.Self == SelfLate }},
	{BackupContested, Contested, ByContested, func(e Evidence) bool { return e.VIP == ReplyPeer }},
	{BackupIsolated, Isolated, Release, func(e Evidence) bool { return e.Serving == ServingNone }},
	{BackupPeerDead, PeerDead, TakeOver, func(e Evidence) bool { return e.provesDeath() && e.onlyPeer() && !e.unfit() }},
	{BackupPeerDeadWait, PeerDead, AtDeadline, func(e Evidence) bool { return e.provesDeath() && !e.unfit() }},
	{BackupStorage, PeerDead, AtDeadline, Evidence.provesDeath},
	{BackupLocalFault, LocalFault, ByPrior, func(e Evidence) bool { return e.Heartbeat.ours() }},
	{BackupUnproven, Unproven, ByPrior, nil},
}

// Judge decides for a BACKUP: the first row that holds.
func Judge(e Evidence) Verdict {
	r := first(backup[:], e)
	return Verdict{Finding: r.finding, Rule: r.id, Act: r.act, Evidence: e}
}

// fault is the table of a router in FAULT. The last row decides whatever is left.
var fault = [...]rule[Evidence]{
	{FaultIsolated, Isolated, Release, func(e Evidence) bool { return e.Serving == ServingNone }},
	{FaultLocal, LocalFault, Release, nil},
}

// Fail names the finding of a router that a fault of its own forbids to serve; of the evidence only Serving is looked at.
func Fail(e Evidence) Verdict {
	r := first(fault[:], e)
	return Verdict{Finding: r.finding, Rule: r.id, Act: r.act, Evidence: e}
}

// first returns the first row that holds, or the last one, which has no condition.
func first[E any](table []rule[E], e E) rule[E] {
	for _, r := range table[:len(table)-1] {
		if r.holds(e) {
			return r
		}
	}
	return table[len(table)-1]
}

// provesDeath demands every link of the proof by name, so that nothing unknown can stand in for it.
func (e Evidence) provesDeath() bool {
	unanswered := e.VIP == ReplySilent || e.VIP == ReplyUnconfirmed || e.VIP == ReplyStranger
	reachable := e.Serving == ServingSome || e.Serving == ServingAll
	return e.Voice == VoiceSilent && e.Self == SelfOnTime && unanswered && reachable && e.Silence == SilenceCalibrated
}

// onlyPeer says that nobody but the peer can be behind the doubt, so that the proof may act before the deadline.
func (e Evidence) onlyPeer() bool {
	return e.Crowd == CrowdAlone && e.VIP != ReplyStranger
}

// unfit says that another router, if there is one, is the better one.
func (e Evidence) unfit() bool { return e.Storage == StorageFailed }

// ours says that the port is out of service for a reason on this side.
func (l Link) ours() bool { return l == LinkAdminDown || l == LinkGone || l == LinkBroken }

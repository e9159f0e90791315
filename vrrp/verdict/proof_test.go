package verdict

import (
	"fmt"
	"slices"
	"testing"
)

// The theorems of the judgement, each checked on every point of its space. They are functions of the judge, so that
// TestTheoremsCanFail can try them on judges that are wrong.

// fact is one component of an evidence or a rivalry, with what its values say against each other.
type fact[E any] struct {
	name   string
	values int
	get    func(E) int
	set    func(*E, int)
	// chains order the values: a later one never speaks less for what the theorem is about than an earlier one does. A chain and its
	// reverse together say that the values speak alike; two values that share no chain are not compared.
	chains [][]int
}

func factOf[E any, V ~uint8](name string, count V, field func(*E) *V, chains ...[]V) fact[E] {
	f := fact[E]{
		name:   name,
		values: int(count),
		get:    func(e E) int { return int(*field(&e)) },
		set:    func(e *E, v int) { *field(e) = V(v) },
	}
	for _, chain := range chains {
		var values []int
		for _, v := range chain {
			values = append(values, int(v))
		}
		f.chains = append(f.chains, values)
	}
	return f
}

// claiming is the order in which the facts of a BACKUP speak for a claim. The heartbeat port speaks neither for nor against
// one, and of the serving ports it counts only that one of them is there.
func claiming() []fact[Evidence] {
	return []fact[Evidence]{
		factOf("voice", numVoices, func(e *Evidence) *Voice { return &e.Voice },
			[]Voice{VoiceServes, VoiceLives, VoicePowered, VoiceSilent}, []Voice{VoiceUnknown, VoiceSilent}),
		factOf("self", numSelves, func(e *Evidence) *Self { return &e.Self },
			[]Self{SelfLate, SelfUnknown, SelfOnTime}),
		factOf("vip", numReplies, func(e *Evidence) *Reply { return &e.VIP },
			[]Reply{ReplyPeer, ReplyUnknown, ReplyStranger, ReplyUnconfirmed, ReplySilent}, []Reply{ReplySilent, ReplyUnconfirmed}),
		factOf("serving", numServings, func(e *Evidence) *Serving { return &e.Serving },
			[]Serving{ServingNone, ServingUnknown, ServingSome, ServingAll}, []Serving{ServingAll, ServingSome}),
		factOf("silence", numSilences, func(e *Evidence) *Silence { return &e.Silence },
			[]Silence{SilenceUnknown, SilenceUncalibrated, SilenceCalibrated}, []Silence{SilenceUncalibrated, SilenceUnknown}),
		factOf("crowd", numCrowds, func(e *Evidence) *Crowd { return &e.Crowd },
			[]Crowd{CrowdSeveral, CrowdUnknown, CrowdAlone}, []Crowd{CrowdUnknown, CrowdSeveral}),
		factOf("heartbeat", numLinks, func(e *Evidence) *Link { return &e.Heartbeat },
			every(numLinks), backwards(every(numLinks))),
		factOf("storage", numStorages, func(e *Evidence) *Storage { return &e.Storage },
			[]Storage{StorageFailed, StorageUnknown, StorageSound}, []Storage{StorageSound, StorageUnknown}),
	}
}

// yielding is the order in which the facts of a MASTER speak for giving way. Whether adverts are heard decides which table
// applies, so the two halves of an exchange are not compared.
func yielding() []fact[Rivalry] {
	tri := func(name string, field func(*Rivalry) *Tri) fact[Rivalry] {
		return factOf(name, numTris, field, []Tri{TriUnknown, TriNo, TriYes}, []Tri{TriNo, TriUnknown})
	}
	return []fact[Rivalry]{
		factOf("exchange", numExchanges, func(r *Rivalry) *Exchange { return &r.Exchange },
			[]Exchange{ExchangeUnknown, ExchangeNone}, []Exchange{ExchangeNone, ExchangeUnknown},
			[]Exchange{ExchangeOpen, ExchangeDecided}, []Exchange{ExchangeDecided, ExchangeOpen}),
		factOf("youth", numYouths, func(r *Rivalry) *Youth { return &r.Youth },
			[]Youth{YouthOld, YouthUnknown, YouthYoung}, []Youth{YouthUnknown, YouthOld}),
		factOf("rival", numRivals, func(r *Rivalry) *Rival { return &r.Rival },
			[]Rival{RivalStranger, RivalUnknown, RivalNobody, RivalOneForTwo, RivalPeer},
			[]Rival{RivalNobody, RivalUnknown, RivalStranger}, []Rival{RivalPeer, RivalOneForTwo}),
		tri("everywhere", func(r *Rivalry) *Tri { return &r.Everywhere }),
		tri("asked", func(r *Rivalry) *Tri { return &r.Asked }),
		tri("mute", func(r *Rivalry) *Tri { return &r.Mute }),
	}
}

func backwards[E any](list []E) []E {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// more yields everything that differs from e in this one fact and speaks no less. The space is a full product, so what holds
// for all such steps holds for any two points that can be compared.
func (f fact[E]) more(e E) []E {
	var list []E
	for _, chain := range f.chains {
		at := slices.Index(chain, f.get(e))
		if at < 0 {
			continue
		}
		for _, v := range chain[at+1:] {
			m := e
			f.set(&m, v)
			list = append(list, m)
		}
	}
	return list
}

// judge and settler are what the theorems are about.
type (
	judge   func(Evidence) Verdict
	settler func(Rivalry) Verdict
)

// boldness is how readily a verdict lets a BACKUP claim, given what fault_prior says. fault_contested is taken for hold: take is an
// order to disregard the judgement.
func boldness(v Verdict, priorServes bool) int {
	switch v.Act {
	case TakeOver:
		return 2
	case AtDeadline:
		return 1
	case ByPrior:
		if priorServes {
			return 1
		}
	case ActNone, Stay, ByContested, Listen, Release, Recant, Defend, Obey, Ask, Resign:
	}
	return 0
}

// monotone: whatever speaks no less for a claim takes no death and no claim away. Read from its other end, no proof of a fault of
// our own, no proof of life and nothing that is not known makes a death out of none or brings a claim forward; and a longer
// silence never holds one back.
func monotone(j judge) error {
	for e := range everyEvidence() {
		v := j(e)
		for _, f := range claiming() {
			for _, more := range f.more(e) {
				w := j(more)
				if v.Finding == PeerDead && w.Finding != PeerDead {
					return fmt.Errorf("%v is %v, but with more for it in %s, %v is %v", e, v.Rule, f.name, more, w.Rule)
				}
				if boldness(v, true) > boldness(w, true) || boldness(v, false) > boldness(w, false) {
					return fmt.Errorf("%v asks for %v, but with more for it in %s, %v asks for %v", e, v.Act, f.name, more, w.Act)
				}
			}
		}
	}
	return nil
}

// unknownIsNoDeath: each fact that a death rests on is known, and so is the crowd where it acts at once.
func unknownIsNoDeath(j judge) error {
	for e := range everyEvidence() {
		v := j(e)
		unknown := e.Voice == VoiceUnknown || e.Self == SelfUnknown || e.VIP == ReplyUnknown ||
			e.Serving == ServingUnknown || e.Silence == SilenceUnknown
		if v.Finding == PeerDead && unknown {
			return fmt.Errorf("%v: peer-dead on what is not known", e)
		}
		if v.Act == TakeOver && (unknown || e.Crowd == CrowdUnknown) {
			return fmt.Errorf("%v: takes over at once on what is not known", e)
		}
	}
	return nil
}

// lifeIsNoDeath: with a proof of life, of service or of our own fault there is no death.
func lifeIsNoDeath(j judge) error {
	for e := range everyEvidence() {
		alive := e.Voice == VoicePowered || e.Voice == VoiceLives || e.Voice == VoiceServes || e.VIP == ReplyPeer
		ours := e.Self == SelfLate || e.Serving == ServingNone
		if v := j(e); v.Finding == PeerDead && (alive || ours) {
			return fmt.Errorf("%v: %v", e, v.Rule)
		}
	}
	return nil
}

// deadExactly: the one sentence that a death is, and the two sentences that let it act at once or make it wait.
func deadExactly(j judge) error {
	for e := range everyEvidence() {
		v := j(e)
		dead := e.Voice == VoiceSilent && e.Self == SelfOnTime &&
			slices.Contains([]Reply{ReplySilent, ReplyUnconfirmed, ReplyStranger}, e.VIP) &&
			slices.Contains([]Serving{ServingSome, ServingAll}, e.Serving) && e.Silence == SilenceCalibrated
		now := dead && e.Crowd == CrowdAlone && e.VIP != ReplyStranger && e.Storage != StorageFailed
		if dead != (v.Finding == PeerDead) || now != (v.Act == TakeOver) || (dead && !now) != (v.Act == AtDeadline) {
			return fmt.Errorf("%v: %v, %v", e, v.Rule, v.Act)
		}
	}
	return nil
}

// yieldsMonotone: whatever speaks no less for giving way never keeps a MASTER that would have gone.
func yieldsMonotone(s settler) error {
	for r := range everyRivalry() {
		v := s(r)
		for _, f := range yielding() {
			for _, more := range f.more(r) {
				if w := s(more); goes(v) && !goes(w) {
					return fmt.Errorf("%v: %v, but with more for it in %s, %v: %v", r, v.Act, f.name, more, w.Act)
				}
			}
		}
	}
	return nil
}

func goes(v Verdict) bool { return v.Act == Recant || v.Act == Obey }

// yieldsExactly: a mute MASTER goes to whoever adverts. Where no advert passes a MASTER goes to the peer, or to one station with
// two of its addresses: while it is young at once, else when it has asked and was answered everywhere. Nothing else ends a mastership: no
// silence, no stranger, nothing that is not known.
func yieldsExactly(s settler) error {
	for r := range everyRivalry() {
		adverts := r.Exchange == ExchangeOpen || r.Exchange == ExchangeDecided
		tied := r.Rival == RivalPeer || r.Rival == RivalOneForTwo
		answered := r.Asked == TriYes && r.Everywhere == TriYes
		want := Stay
		switch {
		case adverts && r.Mute == TriYes:
			want = Obey
		case !adverts && tied && (r.Youth == YouthYoung || answered):
			want = Recant
		}
		if v := s(r); goes(v) != (want != Stay) || goes(v) && v.Act != want {
			return fmt.Errorf("%v: %v, want %v", r, v.Act, want)
		}
	}
	return nil
}

// asksOnce: a MASTER that has asked does not ask again but decides, so that two of them cannot ask each other for ever; and it asks
// only where an answer could make it go.
func asksOnce(s settler) error {
	for r := range everyRivalry() {
		v := s(r)
		asked, answered := r, r
		asked.Asked = TriYes
		answered.Asked, answered.Everywhere = TriYes, TriYes
		if s(asked).Act == Ask || v.Act == Ask && !goes(s(answered)) {
			return fmt.Errorf("%v: %v, once it has asked %v", r, v.Act, s(asked).Act)
		}
	}
	return nil
}

// theorem is a theorem with its name; exactly one of the two is set.
type theorem struct {
	name   string
	backup func(judge) error
	master func(settler) error
}

func theorems() []theorem {
	return []theorem{
		{name: "monotone", backup: monotone},
		{name: "unknown is no death", backup: unknownIsNoDeath},
		{name: "life is no death", backup: lifeIsNoDeath},
		{name: "dead exactly", backup: deadExactly},
		{name: "yields monotone", master: yieldsMonotone},
		{name: "yields exactly", master: yieldsExactly},
		{name: "asks once", master: asksOnce},
	}
}

// TestTheorems proves them over both spaces.
func TestTheorems(t *testing.T) {
	for _, x := range theorems() {
		var err error
		if x.backup != nil {
			err = x.backup(Judge)
		} else {
			err = x.master(Settle)
		}
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// TestOrdersAreWhole says that no value of a fact is left out of its order, and how many steps the orders have.
func TestOrdersAreWhole(t *testing.T) {
	steps := wholeOrder(t, claiming(), slices.Collect(everyEvidence()))
	t.Logf("%d steps between %d evidences", steps, evidenceSize)
	steps = wholeOrder(t, yielding(), slices.Collect(everyRivalry()))
	t.Logf("%d steps between %d rivalries", steps, rivalrySize)
}

func wholeOrder[E comparable](t *testing.T, facts []fact[E], space []E) (steps int) {
	t.Helper()
	for _, f := range facts {
		for v := range f.values {
			if !slices.ContainsFunc(f.chains, func(c []int) bool { return slices.Contains(c, v) }) {
				t.Errorf("%s: value %d has no place in the order", f.name, v)
			}
		}
		for _, e := range space {
			for _, m := range f.more(e) {
				steps++
				if m == e {
					t.Fatalf("%s: %v is more than itself", f.name, e)
				}
			}
		}
	}
	return steps
}

// TestTheoremsCanFail gives every theorem judges that err in one thing, and wants each found by the theorem that is about it.
func TestTheoremsCanFail(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range []struct {
		error string
		by    string
		judge judge
		s     settler
	}{
		{"a stall of our own is forgotten", "life is no death", wrong(func(e *Evidence) {
			if e.Self == SelfLate {
				e.Self = SelfOnTime
			}
		}), nil},
		{"a proof of life counts for nothing", "life is no death", wrong(func(e *Evidence) {
			if e.Voice == VoiceLives {
				e.Voice = VoiceSilent
			}
		}), nil},
		{"a partner with power counts for nothing", "life is no death", wrong(func(e *Evidence) {
			if e.Voice == VoicePowered {
				e.Voice = VoiceSilent
			}
		}), nil},
		{"failed storage is no reason to wait", "dead exactly", wrong(func(e *Evidence) {
			if e.Storage == StorageFailed {
				e.Storage = StorageSound
			}
		}), nil},
		{"an open question is no answer", "unknown is no death", wrong(func(e *Evidence) {
			if e.VIP == ReplyUnknown {
				e.VIP = ReplySilent
			}
		}), nil},
		{"who was never counted is nobody", "unknown is no death", wrong(func(e *Evidence) {
			if e.Crowd == CrowdUnknown {
				e.Crowd = CrowdAlone
			}
		}), nil},
		{"a silence that was never calibrated is trusted", "dead exactly", wrong(func(e *Evidence) {
			if e.Silence == SilenceUncalibrated {
				e.Silence = SilenceCalibrated
			}
		}), nil},
		{"a port taken down here proves the death of the peer", "monotone", wrong(func(e *Evidence) {
			if e.Heartbeat == LinkAdminDown && e.Silence == SilenceUncalibrated {
				e.Silence = SilenceCalibrated
			}
		}), nil},
		{"a dark port that nobody can explain blocks the proof", "monotone", wrong(func(e *Evidence) {
			if e.Heartbeat == LinkUnknown {
				e.Self = SelfUnknown
			}
		}), nil},
		{"a stranger's answer is worth more than silence", "monotone", wrong(func(e *Evidence) {
			if e.VIP == ReplySilent && e.Serving == ServingSome {
				e.VIP = ReplyUnknown
			}
		}), nil},
		{"a printer ends a mastership", "yields exactly", nil, unsettled(func(r *Rivalry) {
			if r.Rival == RivalStranger {
				r.Rival = RivalPeer
			}
		})},
		{"an old MASTER goes without having asked", "yields exactly", nil, unsettled(func(r *Rivalry) {
			if r.Everywhere == TriYes {
				r.Asked = TriYes
			}
		})},
		{"a young MASTER insists and an old one goes", "yields monotone", nil, unsettled(func(r *Rivalry) {
			if r.Youth == YouthYoung && r.Everywhere == TriYes {
				r.Youth, r.Everywhere = YouthOld, TriNo
			}
		})},
		{"it asks for ever", "asks once", nil, unsettled(func(r *Rivalry) { r.Asked = TriNo })},
		{"nobody ever dies", "dead exactly", func(e Evidence) Verdict { return Verdict{Act: ByPrior, Evidence: e} }, nil},
		{"nobody ever gives way", "yields exactly", nil, func(r Rivalry) Verdict { return Verdict{Act: Defend, Rivalry: r} }},
	} {
		var err error
		for _, x := range theorems() {
			switch {
			case x.name != c.by:
			case x.backup != nil:
				err = x.backup(c.judge)
			default:
				err = x.master(c.s)
			}
		}
		if err == nil {
			t.Errorf("%s: not found by %q", c.error, c.by)
		}
		seen[c.by] = true
	}
	for _, x := range theorems() {
		if !seen[x.name] {
			t.Errorf("nothing shows that %q can fail", x.name)
		}
	}
}

// wrong and unsettled judge by something else than what is known.
func wrong(see func(*Evidence)) judge {
	return func(e Evidence) Verdict { see(&e); return Judge(e) }
}

func unsettled(see func(*Rivalry)) settler {
	return func(r Rivalry) Verdict { see(&r); return Settle(r) }
}

// TestSettleAgainstProse holds the table against the rules written a second time, as one nested condition per row.
func TestSettleAgainstProse(t *testing.T) {
	prose := func(r Rivalry) Rule {
		if r.Exchange == ExchangeOpen || r.Exchange == ExchangeDecided {
			if r.Mute == TriYes {
				return MasterMute
			}
			return MasterOrder
		}
		if r.Rival != RivalPeer && r.Rival != RivalOneForTwo {
			if r.Rival == RivalStranger {
				return MasterStranger
			}
			return MasterUnrivalled
		}
		if r.Youth == YouthYoung {
			return MasterYoung
		}
		if r.Asked != TriYes {
			return MasterAsk
		}
		if r.Everywhere != TriYes {
			return MasterDefend
		}
		return MasterAnswered
	}
	for r := range everyRivalry() {
		if got, want := Settle(r).Rule, prose(r); got != want {
			t.Fatalf("%v: %v, the prose says %v", r, got, want)
		}
	}
}

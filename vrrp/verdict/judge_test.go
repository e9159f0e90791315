package verdict

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// powerOff is the evidence of the story that the product exists for: the peer lost power and with it the cable.
func powerOff() Evidence {
	return Evidence{
		Voice:     VoiceSilent,
		Self:      SelfOnTime,
		VIP:       ReplySilent,
		Serving:   ServingAll,
		Silence:   SilenceCalibrated,
		Crowd:     CrowdAlone,
		Heartbeat: LinkDown,
	}
}

// with returns the power-off evidence with something else about it.
func with(change func(*Evidence)) Evidence {
	e := powerOff()
	change(&e)
	return e
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name     string
		evidence Evidence
		want     Verdict
	}{{
		"nothing is known",
		Evidence{},
		Verdict{Finding: None, Rule: BackupNoDoubt, Act: ActNone},
	}, {
		"no doubt, although everything else speaks for a death",
		with(func(e *Evidence) { e.Voice = VoiceUnknown }),
		Verdict{Finding: None, Rule: BackupNoDoubt, Act: ActNone},
	}, {
		"the peer lost power",
		powerOff(),
		Verdict{Finding: PeerDead, Rule: BackupPeerDead, Act: TakeOver},
	}, {
		"the peer lost power, and nobody knows anything of the dark port",
		with(func(e *Evidence) { e.Heartbeat = LinkUnknown }),
		Verdict{Finding: PeerDead, Rule: BackupPeerDead, Act: TakeOver},
	}, {
		"the peer died although our heartbeat port was taken down",
		with(func(e *Evidence) { e.Heartbeat = LinkAdminDown }),
		Verdict{Finding: PeerDead, Rule: BackupPeerDead, Act: TakeOver},
	}, {
		"the peer hangs with its carrier up",
		with(func(e *Evidence) { e.Heartbeat = LinkUp }),
		Verdict{Finding: PeerDead, Rule: BackupPeerDead, Act: TakeOver},
	}, {
		"the peer died together with some of our own ports",
		with(func(e *Evidence) { e.Serving = ServingSome }),
		Verdict{Finding: PeerDead, Rule: BackupPeerDead, Act: TakeOver},
	}, {
		"a fabric answers from its cache for the dead",
		with(func(e *Evidence) { e.VIP = ReplyUnconfirmed }),
		Verdict{Finding: PeerDead, Rule: BackupPeerDead, Act: TakeOver},
	}, {
		"a printer answers for the dead",
		with(func(e *Evidence) { e.VIP = ReplyStranger }),
		Verdict{Finding: PeerDead, Rule: BackupPeerDeadWait, Act: AtDeadline},
	}, {
		"carrier lost on a segment with several routers",
		with(func(e *Evidence) { e.Crowd = CrowdSeveral }),
		Verdict{Finding: PeerDead, Rule: BackupPeerDeadWait, Act: AtDeadline},
	}, {
		"nobody counted the routers on the segment",
		with(func(e *Evidence) { e.Crowd = CrowdUnknown }),
		Verdict{Finding: PeerDead, Rule: BackupPeerDeadWait, Act: AtDeadline},
	}, {
		"only the cable failed",
		with(func(e *Evidence) { e.VIP, e.Silence = ReplyPeer, SilenceUnknown }),
		Verdict{Finding: Contested, Rule: BackupContested, Act: ByContested},
	}, {
		"answered on one port, silent on another that would have heard it",
		with(func(e *Evidence) { e.VIP = ReplyPeer }),
		Verdict{Finding: Contested, Rule: BackupContested, Act: ByContested},
	}, {
		"answered by the peer, and our last port died since",
		with(func(e *Evidence) { e.VIP, e.Serving = ReplyPeer, ServingNone }),
		Verdict{Finding: Contested, Rule: BackupContested, Act: ByContested},
	}, {
		"adverts on another path beat every silence",
		with(func(e *Evidence) { e.Voice = VoiceServes }),
		Verdict{Finding: PeerAlive, Rule: BackupPeerAlive, Act: Stay},
	}, {
		"adverts on another path beat our own lateness",
		with(func(e *Evidence) { e.Voice, e.Self = VoiceServes, SelfLate }),
		Verdict{Finding: PeerAlive, Rule: BackupPeerAlive, Act: Stay},
	}, {
		"our own loop was late",
		with(func(e *Evidence) { e.Self = SelfLate }),
		Verdict{Finding: Unproven, Rule: BackupLate, Act: Listen},
	}, {
		"our own loop was late, and the peer was answering before",
		with(func(e *Evidence) { e.Self, e.VIP = SelfLate, ReplyPeer }),
		Verdict{Finding: Unproven, Rule: BackupLate, Act: Listen},
	}, {
		"how late we were is not known",
		with(func(e *Evidence) { e.Self = SelfUnknown }),
		Verdict{Finding: Unproven, Rule: BackupUnproven, Act: ByPrior},
	}, {
		"this router lost every serving port",
		with(func(e *Evidence) { e.Serving, e.Silence = ServingNone, SilenceUncalibrated }),
		Verdict{Finding: Isolated, Rule: BackupIsolated, Act: Release},
	}, {
		"no serving port is configured, so none can be without carrier",
		with(func(e *Evidence) { e.Serving, e.Silence, e.VIP = ServingUnknown, SilenceUnknown, ReplyUnknown }),
		Verdict{Finding: Unproven, Rule: BackupUnproven, Act: ByPrior},
	}, {
		"both booted with the cable cut: no silence was ever calibrated",
		with(func(e *Evidence) { e.Silence = SilenceUncalibrated }),
		Verdict{Finding: Unproven, Rule: BackupUnproven, Act: ByPrior},
	}, {
		"the first burst still runs",
		with(func(e *Evidence) { e.VIP, e.Silence = ReplyUnknown, SilenceUnknown }),
		Verdict{Finding: Unproven, Rule: BackupUnproven, Act: ByPrior},
	}, {
		"the peer's box lives and does not serve",
		with(func(e *Evidence) { e.Voice = VoiceLives }),
		Verdict{Finding: Unproven, Rule: BackupUnproven, Act: ByPrior},
	}, {
		"the peer's end of the cut cable has power",
		with(func(e *Evidence) { e.Voice = VoicePowered }),
		Verdict{Finding: Unproven, Rule: BackupUnproven, Act: ByPrior},
	}, {
		"the peer died, and our own storage has failed",
		with(func(e *Evidence) { e.Storage = StorageFailed }),
		Verdict{Finding: PeerDead, Rule: BackupStorage, Act: AtDeadline},
	}, {
		"a printer answers for the dead, and our own storage has failed",
		with(func(e *Evidence) { e.VIP, e.Storage = ReplyStranger, StorageFailed }),
		Verdict{Finding: PeerDead, Rule: BackupStorage, Act: AtDeadline},
	}, {
		"our own storage is sound",
		with(func(e *Evidence) { e.Storage = StorageSound }),
		Verdict{Finding: PeerDead, Rule: BackupPeerDead, Act: TakeOver},
	}, {
		"nothing is proved, and our own storage has failed",
		with(func(e *Evidence) { e.Silence, e.Storage = SilenceUncalibrated, StorageFailed }),
		Verdict{Finding: Unproven, Rule: BackupUnproven, Act: ByPrior},
	}, {
		"the card with the heartbeat port is broken, and nothing is proved",
		with(func(e *Evidence) { e.Silence, e.Heartbeat = SilenceUncalibrated, LinkBroken }),
		Verdict{Finding: LocalFault, Rule: BackupLocalFault, Act: ByPrior},
	}, {
		"the peer died although our heartbeat port is broken",
		with(func(e *Evidence) { e.Heartbeat = LinkBroken }),
		Verdict{Finding: PeerDead, Rule: BackupPeerDead, Act: TakeOver},
	}, {
		"somebody took the heartbeat port down here, and nothing is proved",
		with(func(e *Evidence) { e.Silence, e.Heartbeat = SilenceUncalibrated, LinkAdminDown }),
		Verdict{Finding: LocalFault, Rule: BackupLocalFault, Act: ByPrior},
	}, {
		"the card with the heartbeat port died, and nothing is proved",
		with(func(e *Evidence) { e.Silence, e.Heartbeat = SilenceUncalibrated, LinkGone }),
		Verdict{Finding: LocalFault, Rule: BackupLocalFault, Act: ByPrior},
	}} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Evidence = c.evidence
			if diff := cmp.Diff(c.want, Judge(c.evidence)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestJudgeTotal(t *testing.T) {
	size, decided := 0, map[Rule]int{}
	for e := range everyEvidence() {
		size++
		v := Judge(e)
		decided[v.Rule]++
		if v.Rule < BackupNoDoubt || v.Rule > BackupUnproven {
			t.Fatalf("%v: rule %v is not a rule of a BACKUP", e, v.Rule)
		}
		if v.Evidence != e || v.Rivalry != (Rivalry{}) {
			t.Fatalf("%v: the verdict carries other evidence: %+v", e, v)
		}
	}
	if size != evidenceSize {
		t.Errorf("visited %d evidences, want %d", size, evidenceSize)
	}
	for r := BackupNoDoubt; r <= BackupUnproven; r++ {
		if decided[r] == 0 {
			t.Errorf("rule %v decides nothing", r)
		}
	}
}

// TestJudgeAgainstProse holds the table against the rows of the judgement written a second time, as one nested condition per row.
func TestJudgeAgainstProse(t *testing.T) {
	prose := func(e Evidence) Rule {
		if e.Voice == VoiceUnknown {
			return BackupNoDoubt
		}
		if e.Voice == VoiceServes {
			return BackupPeerAlive
		}
		if e.Self == SelfLate {
			return BackupLate
		}
		if e.VIP == ReplyPeer {
			return BackupContested
		}
		if e.Serving == ServingNone {
			return BackupIsolated
		}
		if e.Silence == SilenceCalibrated && e.VIP != ReplyUnknown && e.Serving != ServingUnknown &&
			e.Self != SelfUnknown && e.Voice != VoiceLives && e.Voice != VoicePowered {
			if e.Storage == StorageFailed {
				return BackupStorage
			}
			if e.Crowd != CrowdAlone || e.VIP == ReplyStranger {
				return BackupPeerDeadWait
			}
			return BackupPeerDead
		}
		if e.Heartbeat == LinkGone || e.Heartbeat == LinkBroken || e.Heartbeat == LinkAdminDown {
			return BackupLocalFault
		}
		return BackupUnproven
	}
	for e := range everyEvidence() {
		if got, want := Judge(e).Rule, prose(e); got != want {
			t.Fatalf("%v: %v, the prose says %v", e, got, want)
		}
	}
}

func TestJudgeDeterministic(t *testing.T) {
	seen := make(map[Evidence]Verdict, evidenceSize)
	for e := range everyEvidence() {
		seen[e] = Judge(e)
	}
	for e, want := range seen {
		if got := Judge(e); got != want {
			t.Fatalf("%v: %+v, earlier %+v", e, got, want)
		}
	}
}

// TestJudgeClaims says which findings may lead to a claim, and how.
func TestJudgeClaims(t *testing.T) {
	allowed := map[Finding][]Act{
		None:       {ActNone},
		PeerDead:   {TakeOver, AtDeadline},
		PeerAlive:  {Stay},
		LocalFault: {ByPrior},
		Isolated:   {Release},
		Contested:  {ByContested},
		Unproven:   {ByPrior, Listen},
	}
	for e := range everyEvidence() {
		v := Judge(e)
		found := false
		for _, act := range allowed[v.Finding] {
			found = found || act == v.Act
		}
		if !found {
			t.Fatalf("%v: %v asks for %v", e, v.Finding, v.Act)
		}
		if (e.Voice == VoiceLives || e.Voice == VoicePowered) && e.VIP != ReplyPeer && e.Self != SelfLate && e.Serving != ServingNone && v.Act != ByPrior {
			t.Fatalf("%v: proof of life without proof of service asks for %v, want the policy at the deadline", e, v.Act)
		}
	}
}

// TestFail says that a router in FAULT lets go whatever else is known, and is isolated only where no port is left.
func TestFail(t *testing.T) {
	for e := range everyEvidence() {
		want := Verdict{Finding: LocalFault, Rule: FaultLocal, Act: Release, Evidence: e}
		if e.Serving == ServingNone {
			want.Finding, want.Rule = Isolated, FaultIsolated
		}
		if got := Fail(e); got != want {
			t.Fatalf("%v: got %+v, want %+v", e, got, want)
		}
	}
}

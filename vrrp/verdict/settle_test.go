package verdict

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name    string
		rivalry Rivalry
		want    Verdict
	}{{
		"nothing is known: the loss of the heartbeat alone ends nothing",
		Rivalry{},
		Verdict{Finding: None, Rule: MasterUnrivalled, Act: Stay},
	}, {
		"young, and nobody has been asked yet",
		Rivalry{Youth: YouthYoung, Exchange: ExchangeNone},
		Verdict{Finding: None, Rule: MasterUnrivalled, Act: Stay},
	}, {
		"asked, and nobody else answers",
		Rivalry{Exchange: ExchangeNone, Youth: YouthYoung, Rival: RivalNobody},
		Verdict{Finding: None, Rule: MasterUnrivalled, Act: Stay},
	}, {
		"adverts have just begun to pass",
		Rivalry{Exchange: ExchangeOpen, Youth: YouthYoung, Rival: RivalPeer},
		Verdict{Finding: Contested, Rule: MasterOrder, Act: Stay},
	}, {
		"the order of the adverts is for us, whoever still answers",
		Rivalry{Exchange: ExchangeDecided, Youth: YouthYoung, Rival: RivalPeer, Asked: TriYes, Everywhere: TriYes},
		Verdict{Finding: Contested, Rule: MasterOrder, Act: Stay},
	}, {
		"mute on every port, and an advert comes in",
		Rivalry{Exchange: ExchangeDecided, Mute: TriYes},
		Verdict{Finding: PeerAlive, Rule: MasterMute, Act: Obey},
	}, {
		"mute on every port, and nobody adverts",
		Rivalry{Exchange: ExchangeNone, Mute: TriYes, Youth: YouthYoung},
		Verdict{Finding: None, Rule: MasterUnrivalled, Act: Stay},
	}, {
		"whether the ports are mute is not known",
		Rivalry{Exchange: ExchangeOpen},
		Verdict{Finding: Contested, Rule: MasterOrder, Act: Stay},
	}, {
		"a printer with our address, while we are young",
		Rivalry{Exchange: ExchangeNone, Youth: YouthYoung, Rival: RivalStranger},
		Verdict{Finding: Contested, Rule: MasterStranger, Act: Defend},
	}, {
		"a printer with our address, everywhere, after asking",
		Rivalry{Exchange: ExchangeNone, Youth: YouthOld, Rival: RivalStranger, Asked: TriYes, Everywhere: TriYes},
		Verdict{Finding: Contested, Rule: MasterStranger, Act: Defend},
	}, {
		"took over from a peer that was only paused",
		Rivalry{Exchange: ExchangeNone, Youth: YouthYoung, Rival: RivalPeer},
		Verdict{Finding: Contested, Rule: MasterYoung, Act: Recant},
	}, {
		"young, and somebody unknown has two of our addresses",
		Rivalry{Exchange: ExchangeNone, Youth: YouthYoung, Rival: RivalOneForTwo},
		Verdict{Finding: Contested, Rule: MasterYoung, Act: Recant},
	}, {
		"an exchange that is not known does not keep a young one",
		Rivalry{Youth: YouthYoung, Rival: RivalPeer},
		Verdict{Finding: Contested, Rule: MasterYoung, Act: Recant},
	}, {
		"old, answered by the peer for the first time",
		Rivalry{Exchange: ExchangeNone, Youth: YouthOld, Rival: RivalPeer, Everywhere: TriYes},
		Verdict{Finding: Contested, Rule: MasterAsk, Act: Ask},
	}, {
		"of unknown age, answered by the peer: asks before it goes",
		Rivalry{Exchange: ExchangeNone, Rival: RivalPeer, Everywhere: TriYes, Asked: TriNo},
		Verdict{Finding: Contested, Rule: MasterAsk, Act: Ask},
	}, {
		"old, has asked, and the peer still answers everywhere",
		Rivalry{Exchange: ExchangeNone, Youth: YouthOld, Rival: RivalPeer, Everywhere: TriYes, Asked: TriYes},
		Verdict{Finding: Contested, Rule: MasterAnswered, Act: Recant},
	}, {
		"old, has asked, and one station still answers for two addresses",
		Rivalry{Exchange: ExchangeNone, Youth: YouthOld, Rival: RivalOneForTwo, Everywhere: TriYes, Asked: TriYes},
		Verdict{Finding: Contested, Rule: MasterAnswered, Act: Recant},
	}, {
		"old, has asked, and the peer answers on some ports only",
		Rivalry{Exchange: ExchangeNone, Youth: YouthOld, Rival: RivalPeer, Everywhere: TriNo, Asked: TriYes},
		Verdict{Finding: Contested, Rule: MasterDefend, Act: Defend},
	}, {
		"old, has asked, and whether everywhere is not known",
		Rivalry{Exchange: ExchangeNone, Youth: YouthOld, Rival: RivalPeer, Asked: TriYes},
		Verdict{Finding: Contested, Rule: MasterDefend, Act: Defend},
	}, {
		"old, has asked, and the rival is gone",
		Rivalry{Exchange: ExchangeNone, Youth: YouthOld, Rival: RivalNobody, Asked: TriYes},
		Verdict{Finding: None, Rule: MasterUnrivalled, Act: Stay},
	}} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Rivalry = c.rivalry
			if diff := cmp.Diff(c.want, Settle(c.rivalry)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSettleTotal(t *testing.T) {
	size, decided := 0, map[Rule]int{}
	for r := range everyRivalry() {
		size++
		v := Settle(r)
		decided[v.Rule]++
		if v.Rule < MasterMute || v.Rule > MasterDefend {
			t.Fatalf("%v: rule %v is not a rule of a MASTER", r, v.Rule)
		}
		if v.Rivalry != r || v.Evidence != (Evidence{}) {
			t.Fatalf("%v: the verdict carries another rivalry: %+v", r, v)
		}
		if again := Settle(r); again != v {
			t.Fatalf("%v: %+v, then %+v", r, v, again)
		}
	}
	if size != rivalrySize {
		t.Errorf("visited %d rivalries, want %d", size, rivalrySize)
	}
	for r := MasterMute; r <= MasterDefend; r++ {
		if decided[r] == 0 {
			t.Errorf("rule %v decides nothing", r)
		}
	}
}

// TestSettleNeverDead says that a MASTER's judgement is never about a death, and that it never claims anything.
func TestSettleNeverDead(t *testing.T) {
	for r := range everyRivalry() {
		v := Settle(r)
		if v.Finding == PeerDead {
			t.Fatalf("%v: %v", r, v.Rule)
		}
		switch v.Act {
		case Stay, Recant, Defend, Obey, Ask:
		case ActNone, TakeOver, AtDeadline, ByPrior, ByContested, Listen, Release:
			t.Fatalf("%v: a MASTER is asked to %v", r, v.Act)
		default:
			t.Fatalf("%v: no such act: %v", r, v.Act)
		}
	}
}

// TestSettleYields says what it takes to end a mastership: never silence, never a stranger, never what is unknown.
func TestSettleYields(t *testing.T) {
	for r := range everyRivalry() {
		v := Settle(r)
		tied := r.Rival == RivalPeer || r.Rival == RivalOneForTwo
		heard := r.Exchange == ExchangeOpen || r.Exchange == ExchangeDecided
		switch v.Act {
		case Recant:
			if !tied || heard {
				t.Fatalf("%v: recants without a rival that answers, or against the order of the adverts", r)
			}
			if r.Youth != YouthYoung && (r.Asked != TriYes || r.Everywhere != TriYes) {
				t.Fatalf("%v: an old MASTER goes without having asked, or without being answered everywhere", r)
			}
		case Obey:
			if r.Mute != TriYes || !heard {
				t.Fatalf("%v: obeys although it is not mute, or nobody adverts", r)
			}
		default:
			if heard && r.Mute == TriYes {
				t.Fatalf("%v: mute, hears an advert and wants to %v", r, v.Act)
			}
			if tied && !heard && r.Youth == YouthYoung {
				t.Fatalf("%v: young, somebody serves, and it wants to %v", r, v.Act)
			}
		}
	}
}

// TestSettleCannotLivelock plays two old MASTERs who hear no adverts: the one that asks first goes, the other finds nobody.
func TestSettleCannotLivelock(t *testing.T) {
	first := Rivalry{Exchange: ExchangeNone, Youth: YouthOld, Rival: RivalPeer, Everywhere: TriYes, Asked: TriNo}
	second := first
	if a, b := Settle(first).Act, Settle(second).Act; a != Ask || b != Ask {
		t.Fatalf("both must ask before either goes, got %v and %v", a, b)
	}
	first.Asked = TriYes
	if got := Settle(first).Act; got != Recant {
		t.Fatalf("the first to have asked is still answered and wants to %v", got)
	}
	second.Asked, second.Rival, second.Everywhere = TriYes, RivalNobody, TriUnknown
	if got := Settle(second).Act; got != Stay {
		t.Fatalf("the second finds nobody and wants to %v", got)
	}
}

package verdict

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestWhy(t *testing.T) {
	for _, c := range []struct {
		name    string
		verdict Verdict
		want    []string
	}{
		{"nobody judged", Verdict{}, []string{"Nothing has been judged yet."}},
		{"a rule of another version", Verdict{Rule: numRules}, []string{numRules.String(), "not known"}},
		{"no doubt", Judge(Evidence{Heartbeat: LinkUp}), []string{"not in doubt", "has carrier"}},
		{"power off", Judge(powerOff()), []string{
			"does not serve", "answered within the last minute", "a witness answers",
			"nothing was heard of the peer", "nobody answers for the virtual address", "every serving port has carrier", "no carrier"}},
		{"power off, some ports", Judge(with(func(e *Evidence) { e.Serving = ServingSome })), []string{"some serving ports have carrier"}},
		{"a fabric's cache", Judge(with(func(e *Evidence) { e.VIP = ReplyUnconfirmed })), []string{"only broadcasts", "cache"}},
		{"a stranger", Judge(with(func(e *Evidence) { e.VIP = ReplyStranger })), []string{"a stranger answers", "waits for the master-down deadline"}},
		{"a crowd", Judge(with(func(e *Evidence) { e.Crowd = CrowdSeveral })), []string{"several other routers", "waits for the master-down deadline"}},
		{"nobody counted", Judge(with(func(e *Evidence) { e.Crowd = CrowdUnknown })), []string{"not known how many other routers"}},
		{"cable cut", Judge(with(func(e *Evidence) { e.VIP = ReplyPeer })), []string{"still answers", "confirmed", "fault_contested decides", "far side"}},
		{"another path", Judge(with(func(e *Evidence) { e.Voice = VoiceServes })), []string{"adverts still arrive", "far side"}},
		{"another path, our own side", Judge(with(func(e *Evidence) { e.Voice, e.Heartbeat = VoiceServes, LinkAdminDown })),
			[]string{"adverts still arrive", "taken down on this router"}},
		{"late", Judge(with(func(e *Evidence) { e.Self = SelfLate })), []string{"too busy or suspended", "listens"}},
		{"isolated", Judge(with(func(e *Evidence) { e.Serving = ServingNone })), []string{"No serving port", "nobody whom it could serve"}},
		{"port gone", Judge(with(func(e *Evidence) { e.Silence, e.Heartbeat = SilenceUncalibrated, LinkGone })),
			[]string{"own side", "gone from this router", "did not answer within the last minute or no witness answers", "fault_prior decides"}},
		{"unproven, powered", Judge(with(func(e *Evidence) { e.Voice = VoicePowered })), []string{"Nothing proves", "has power"}},
		{"unproven, storage failed", Judge(with(func(e *Evidence) { e.Storage, e.Silence = StorageFailed, SilenceUnknown })), []string{"Nothing proves", "its storage has failed"}},
		{"storage failed", Judge(with(func(e *Evidence) { e.Storage = StorageFailed })), []string{"own storage has failed", "master-down deadline", "a witness answers"}},
		{"heartbeat broken", Judge(with(func(e *Evidence) { e.Heartbeat, e.Silence = LinkBroken, SilenceUnknown })), []string{"own side", "broken on this router"}},
		{"fit", Retire(Fitness{}), []string{"Nothing is known against", "not known"}},
		{"sound", Retire(Fitness{Storage: StorageSound}), []string{"Nothing is known against", "is sound"}},
		{"kept", Retire(Fitness{Storage: StorageFailed, Keep: TriYes}), []string{"serve all the same", "told to stay", "whether a peer lives is not known"}},
		{"spent", Retire(Fitness{Storage: StorageFailed, Spent: TriYes}), []string{"resigned for that before", "it has resigned"}},
		{"alone", Retire(Fitness{Storage: StorageFailed, Spent: TriNo, Peer: TriNo}), []string{"serves on", "no question of a peer", "has not resigned"}},
		{"resigns", Retire(Fitness{Storage: StorageFailed, Keep: TriNo, Spent: TriNo, Peer: TriYes}), []string{"resigns", "was heard", "storage_yield lets it"}},
		{"unproven, alive", Judge(with(func(e *Evidence) { e.Voice = VoiceLives })), []string{"Nothing proves", "box was heard", "silent where it answered within the last minute"}},
		{"unproven, asking", Judge(with(func(e *Evidence) { e.VIP, e.Silence = ReplyUnknown, SilenceUnknown })), []string{"not every serving port has been asked", "no serving port was silent when asked"}},
		{"unproven, lateness unknown", Judge(with(func(e *Evidence) { e.Self = SelfUnknown })), []string{"how late this router itself was is not known"}},
		{"unproven, ports unknown", Judge(with(func(e *Evidence) { e.Serving, e.Heartbeat = ServingUnknown, LinkUnknown })),
			[]string{"carrier of the serving ports is not known", "state of the heartbeat port is not known"}},
		{"mute", Settle(Rivalry{Mute: TriYes, Exchange: ExchangeDecided}), []string{"hears no other station", "obeys", "the order of the adverts is for this router"}},
		{"order", Settle(Rivalry{Exchange: ExchangeOpen}), []string{"order of the protocol decides", "less than two intervals"}},
		{"unrivalled", Settle(Rivalry{}), []string{"Nothing shows", "who answers for the virtual addresses is not known", "whether adverts pass is not known"}},
		{"a printer", Settle(Rivalry{Rival: RivalStranger}), []string{"never tied to the peer", "wrong address", "defends", "for how long this router has served is not known"}},
		{"young", Settle(Rivalry{Rival: RivalOneForTwo, Youth: YouthYoung}), []string{"only just begun", "gives way", "several virtual addresses", "less than a master-down interval"}},
		{"ask", Settle(Rivalry{Rival: RivalPeer, Youth: YouthOld}), []string{"announces itself, waits and asks again", "long served"}},
		{"answered", Settle(Rivalry{Rival: RivalPeer, Youth: YouthOld, Asked: TriYes, Everywhere: TriYes}), []string{"gives way", "on every serving port that has a witness"}},
		{"defend", Settle(Rivalry{Rival: RivalPeer, Youth: YouthOld, Asked: TriYes, Everywhere: TriNo}), []string{"stays", "does not answer on every serving port"}},
		{"in fault, isolated", Fail(Evidence{Serving: ServingNone}), []string{"forbids it to serve", "nobody whom", "no serving port has carrier"}},
		{"in fault", Fail(Evidence{Serving: ServingSome}), []string{"forbids it to serve", "some serving ports have carrier"}},
		{"defend, not known", Settle(Rivalry{Rival: RivalPeer, Youth: YouthOld, Asked: TriYes}), []string{"whether it answers on every serving port is not known"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.verdict.Why()
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q does not say %q", got, want)
				}
			}
		})
	}
}

// TestWhyEverywhere says that every verdict has one sentence, in words, without a trace of an enum without a name.
func TestWhyEverywhere(t *testing.T) {
	check := func(v Verdict) {
		t.Helper()
		s := v.Why()
		switch {
		case len(s) < 20 || len(s) > 600:
			t.Fatalf("%v: %d characters: %q", v.Rule, len(s), s)
		case s[0] < 'A' || s[0] > 'Z' || !strings.HasSuffix(s, "."):
			t.Fatalf("%v: not a sentence: %q", v.Rule, s)
		case strings.Count(s, ".") != 1:
			t.Fatalf("%v: more than one sentence: %q", v.Rule, s)
		case strings.Contains(s, "invalid(") || strings.Contains(s, "()") || strings.Contains(s, "  "):
			t.Fatalf("%v: words are missing: %q", v.Rule, s)
		}
	}
	for e := range everyEvidence() {
		check(Judge(e))
		check(Fail(e))
	}
	for r := range everyRivalry() {
		check(Settle(r))
	}
}

// words collects what an enum calls its values.
func words[E interface {
	~uint8
	fmt.Stringer
}](count E) []string {
	var all []string
	for _, v := range every(count) {
		all = append(all, v.String())
	}
	return append(all, count.String())
}

// TestNames says that each value of each enum has a name of its own, that the zero value says so, and that a value from elsewhere
// is printed rather than a panic.
func TestNames(t *testing.T) {
	for enum, names := range map[string][]string{
		"Link": words(numLinks), "Reply": words(numReplies), "Voice": words(numVoices), "Self": words(numSelves),
		"Serving": words(numServings), "Silence": words(numSilences), "Crowd": words(numCrowds),
		"Finding": words(numFindings), "Act": words(numActs), "Rule": words(numRules),
		"Exchange": words(numExchanges), "Youth": words(numYouths), "Rival": words(numRivals), "Tri": words(numTris),
		"Storage": words(numStorages),
	} {
		if names[0] != "unknown" && names[0] != "none" {
			t.Errorf("%s: the zero value is called %q", enum, names[0])
		}
		seen := map[string]bool{}
		last := len(names) - 1
		for _, n := range names[:last] {
			if seen[n] || !regexp.MustCompile(`^[a-z][a-z0-9-]*$`).MatchString(n) {
				t.Errorf("%s: %q is no name, or not its own", enum, n)
			}
			seen[n] = true
		}
		if want := fmt.Sprintf("invalid(%d)", last); names[last] != want {
			t.Errorf("%s: the first value without a meaning is called %q, want %q", enum, names[last], want)
		}
	}
}

// TestRuleNames pins the identifiers that recordings, metrics and runbooks hold on to.
func TestRuleNames(t *testing.T) {
	for rule, want := range map[Rule]string{
		RuleNone:           "none",
		BackupNoDoubt:      "backup-0-no-doubt",
		BackupPeerAlive:    "backup-1-peer-alive",
		BackupLate:         "backup-2-late",
		BackupContested:    "backup-3-contested",
		BackupIsolated:     "backup-4-isolated",
		BackupPeerDead:     "backup-5-peer-dead",
		BackupPeerDeadWait: "backup-5-peer-dead-wait",
		BackupStorage:      "backup-6-storage",
		BackupLocalFault:   "backup-7-local-fault",
		BackupUnproven:     "backup-7-unproven",
		MasterMute:         "master-1-mute",
		MasterOrder:        "master-2-order",
		MasterUnrivalled:   "master-3-unrivalled",
		MasterStranger:     "master-4-stranger",
		MasterYoung:        "master-5-young",
		MasterAsk:          "master-6-ask",
		MasterAnswered:     "master-7-answered",
		MasterDefend:       "master-8-defend",
		FaultIsolated:      "fault-1-isolated",
		FaultLocal:         "fault-2-local",
		StorageFit:         "storage-0-fit",
		StorageKept:        "storage-1-kept",
		StorageSpent:       "storage-2-spent",
		StorageAlone:       "storage-3-alone",
		StorageResign:      "storage-4-resign",
	} {
		if got := rule.String(); got != want {
			t.Errorf("rule %d is called %q, want %q", rule, got, want)
		}
	}
}

func TestEvidenceString(t *testing.T) {
	if got, want := powerOff().String(), "voice=silent self=on-time vip=silent serving=all silence=calibrated crowd=alone heartbeat=no-carrier storage=unknown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	seen := map[string]bool{}
	for e := range everyEvidence() {
		seen[e.String()] = true
	}
	if len(seen) != evidenceSize {
		t.Errorf("%d evidences have %d texts", evidenceSize, len(seen))
	}
	for r := range everyRivalry() {
		seen[r.String()] = true
	}
	if len(seen) != evidenceSize+rivalrySize {
		t.Errorf("%d evidences and rivalries have %d texts", evidenceSize+rivalrySize, len(seen))
	}
}

// TestClausesOutOfRange feeds every clause a value of no meaning, which must be printed and not be believed.
func TestClausesOutOfRange(t *testing.T) {
	for _, got := range []string{
		numVoices.clause(), numReplies.clause(), numServings.clause(), numSilences.clause(), numLinks.clause(),
		numExchanges.clause(), numYouths.clause(), numRivals.clause(), numTris.clause(), numStorages.clause(),
	} {
		if !regexp.MustCompile(`^[a-z]+ invalid\(\d+\)$`).MatchString(got) {
			t.Errorf("%q does not say that the value is invalid", got)
		}
	}
}

// clauses collects what an enum says of each of its values, and what it would say of one that has no words.
func clauses[E interface {
	~uint8
	fmt.Stringer
	clause() string
}](count E) (said []string, speechless []string) {
	kind, _, _ := strings.Cut(count.clause(), " ")
	for _, v := range every(count) {
		said = append(said, v.clause())
		speechless = append(speechless, kind+" "+v.String())
	}
	return said, speechless
}

// TestClauses says that each value of each enum has words of its own, also where no sentence of today needs them. A Reply and
// a Rival may say the same.
func TestClauses(t *testing.T) {
	everywhere := map[string]bool{}
	for enum, all := range map[string]func() ([]string, []string){
		"Voice":    func() ([]string, []string) { return clauses(numVoices) },
		"Reply":    func() ([]string, []string) { return clauses(numReplies) },
		"Silence":  func() ([]string, []string) { return clauses(numSilences) },
		"Link":     func() ([]string, []string) { return clauses(numLinks) },
		"Serving":  func() ([]string, []string) { return clauses(numServings) },
		"Exchange": func() ([]string, []string) { return clauses(numExchanges) },
		"Youth":    func() ([]string, []string) { return clauses(numYouths) },
		"Tri":      func() ([]string, []string) { return clauses(numTris) },
		"Storage":  func() ([]string, []string) { return clauses(numStorages) },
		"Rival":    func() ([]string, []string) { return clauses(numRivals) },
	} {
		seen := everywhere
		if enum == "Rival" {
			seen = map[string]bool{}
		}
		said, speechless := all()
		for k, clause := range said {
			if seen[clause] || clause == speechless[k] {
				t.Errorf("%s: %q is said twice, or says nothing", enum, clause)
			}
			seen[clause] = true
		}
	}
}

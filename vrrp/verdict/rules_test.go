package verdict

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// examples has one telling case for each rule, written by hand; the table says what is decided in it and why.
func examples() map[Rule]Verdict {
	return map[Rule]Verdict{
		BackupNoDoubt:      Judge(with(func(e *Evidence) { e.Voice, e.Heartbeat = VoiceUnknown, LinkUp })),
		BackupPeerAlive:    Judge(with(func(e *Evidence) { e.Voice = VoiceServes })),
		BackupLate:         Judge(with(func(e *Evidence) { e.Self = SelfLate })),
		BackupContested:    Judge(with(func(e *Evidence) { e.VIP, e.Silence = ReplyPeer, SilenceUnknown })),
		BackupIsolated:     Judge(with(func(e *Evidence) { e.Serving, e.Silence, e.VIP = ServingNone, SilenceUnknown, ReplyUnknown })),
		BackupPeerDead:     Judge(powerOff()),
		BackupPeerDeadWait: Judge(with(func(e *Evidence) { e.VIP = ReplyStranger })),
		BackupStorage:      Judge(with(func(e *Evidence) { e.Storage = StorageFailed })),
		BackupLocalFault:   Judge(with(func(e *Evidence) { e.Heartbeat, e.Silence = LinkGone, SilenceUncalibrated })),
		BackupUnproven:     Judge(with(func(e *Evidence) { e.Silence = SilenceUncalibrated })),
		MasterMute:         Settle(Rivalry{Exchange: ExchangeOpen, Mute: TriYes}),
		MasterOrder:        Settle(Rivalry{Exchange: ExchangeOpen, Rival: RivalPeer}),
		MasterUnrivalled:   Settle(Rivalry{Exchange: ExchangeNone, Rival: RivalNobody}),
		MasterStranger:     Settle(Rivalry{Exchange: ExchangeNone, Rival: RivalStranger, Youth: YouthOld}),
		MasterYoung:        Settle(Rivalry{Exchange: ExchangeNone, Rival: RivalPeer, Youth: YouthYoung}),
		MasterAsk:          Settle(Rivalry{Exchange: ExchangeNone, Rival: RivalPeer, Youth: YouthOld, Asked: TriNo}),
		MasterAnswered:     Settle(Rivalry{Exchange: ExchangeNone, Rival: RivalPeer, Youth: YouthOld, Asked: TriYes, Everywhere: TriYes}),
		MasterDefend:       Settle(Rivalry{Exchange: ExchangeNone, Rival: RivalPeer, Youth: YouthOld, Asked: TriYes, Everywhere: TriNo}),
		FaultIsolated:      Fail(Evidence{Serving: ServingNone}),
		FaultLocal:         Fail(Evidence{Serving: ServingSome}),
		StorageFit:         Retire(Fitness{Storage: StorageSound, Peer: TriYes}),
		StorageKept:        Retire(Fitness{Storage: StorageFailed, Keep: TriYes, Spent: TriNo, Peer: TriYes}),
		StorageSpent:       Retire(Fitness{Storage: StorageFailed, Keep: TriNo, Spent: TriYes, Peer: TriYes}),
		StorageAlone:       Retire(Fitness{Storage: StorageFailed, Keep: TriNo, Spent: TriNo, Peer: TriNo}),
		StorageResign:      Retire(Fitness{Storage: StorageFailed, Keep: TriNo, Spent: TriNo, Peer: TriYes}),
	}
}

// counts says how many evidences or rivalries each rule decides.
func counts() map[Rule]int {
	decided := map[Rule]int{}
	for e := range everyEvidence() {
		decided[Judge(e).Rule]++
		decided[Fail(e).Rule]++
	}
	for r := range everyRivalry() {
		decided[Settle(r).Rule]++
	}
	for f := range everyFitness() {
		decided[Retire(f).Rule]++
	}
	return decided
}

// writeTable appends the rows of one table, in the order in which they are tried.
func writeTable[E any](b *strings.Builder, table []rule[E]) {
	decided, cases := counts(), examples()
	for _, row := range table {
		fmt.Fprintf(b, "\n%v\n", row.id)
		fmt.Fprintf(b, "  finding %v, act %v, decides %d\n", row.finding, row.act, decided[row.id])
		example := cases[row.id]
		switch {
		case example.Rivalry != (Rivalry{}):
			fmt.Fprintf(b, "  for example %v\n", example.Rivalry)
		case example.Fitness != (Fitness{}):
			fmt.Fprintf(b, "  for example %v\n", example.Fitness)
		default:
			fmt.Fprintf(b, "  for example %v\n", example.Evidence)
		}
		fmt.Fprintf(b, "  %s\n", example.Why())
	}
}

// update makes the tests rewrite the committed tables; commit only what you understand.
var update = flag.Bool("update", false, "rewrite the tables in testdata")

// TestRuleTable holds the committed rule table against the rules as they are.
func TestRuleTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("The rules of the judgement, first match wins. Written by `go test ./vrrp/verdict -update`.\n")
	fmt.Fprintf(&b, "\n== Judge: a BACKUP, %d evidences ==\n", evidenceSize)
	writeTable(&b, backup[:])
	fmt.Fprintf(&b, "\n== Settle: a MASTER who may not be the only one, %d rivalries ==\n", rivalrySize)
	writeTable(&b, master[:])
	fmt.Fprintf(&b, "\n== Fail: a router in FAULT, %d evidences ==\n", evidenceSize)
	writeTable(&b, fault[:])

	fmt.Fprintf(&b, "\n== Retire: a MASTER and its storage, %d fitnesses ==\n", fitnessSize)
	writeTable(&b, storage[:])

	committed(t, "rules.txt", b.String())
}

// committed holds a text against the file of that name in testdata, or rewrites the file.
func committed(t *testing.T, file, now string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), now); diff != "" {
		t.Errorf("%s changed; if that is meant, go test ./vrrp/verdict -update (-committed +now)\n%s", file, diff)
	}
}

// TestExamples says that every example is decided by the rule that it is an example of, and that no rule lacks one.
func TestExamples(t *testing.T) {
	cases := examples()
	for r := BackupNoDoubt; r < numRules; r++ {
		v, ok := cases[r]
		if !ok {
			t.Errorf("rule %v has no example", r)
		}
		if v.Rule != r {
			t.Errorf("the example of %v is decided by %v", r, v.Rule)
		}
	}
}

// TestRuleOrder says that the rules of each table stand in the order of their constants, each once, so that the number in a name tells its turn.
func TestRuleOrder(t *testing.T) {
	next := BackupNoDoubt
	for _, row := range backup {
		if row.id != next {
			t.Errorf("found %v where %v belongs", row.id, next)
		}
		next++
	}
	for _, row := range master {
		if row.id != next {
			t.Errorf("found %v where %v belongs", row.id, next)
		}
		next++
	}
	for _, row := range fault {
		if row.id != next {
			t.Errorf("found %v where %v belongs", row.id, next)
		}
		next++
	}
	for _, row := range storage {
		if row.id != next {
			t.Errorf("found %v where %v belongs", row.id, next)
		}
		next++
	}
	if next != numRules {
		t.Errorf("the tables end before %v", next)
	}
}

package node

import (
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// What a BACKUP overhears is no matter of a mastership.
func TestBackupHasNoRivals(t *testing.T) {
	n := single(t, lone(50, 0))
	i := n.instances[0]
	n.takeHeard(Heard{Port: "p3p1", Op: Gratuitous, Sender: addr("192.168.10.1"), MAC: peerMAC, Target: addr("192.168.10.1")})
	if len(i.mastery.rivals) > 0 || i.mastery.rivalled.ok {
		t.Errorf("rivals %v", i.mastery.rivals)
	}
}

// When a MASTER judges whoever else serves, and when what it said of him stands.
func TestWhenARivalIsJudged(t *testing.T) {
	old := verdict.Verdict{Rule: verdict.MasterDefend, Finding: verdict.Contested}
	asked := func(n *Node, i *instance, done bool) {
		n.inquiries = nil
		n.inquire(i).burst = &burst{began: n.now, done: done}
		i.mastery.contested, i.mastery.asked, i.mastery.askAt = true, true, n.now
	}
	present := func(n *Node, i *instance) { n.rival(i, n.byName["p3p1"], addr("192.168.10.1"), peerMAC) }
	for _, c := range []struct {
		name      string
		change    func(n *Node, i *instance)
		want      verdict.Rule // MasterDefend: what was said stands
		announced int
	}{
		{"nobody, and it was said that somebody is", func(n *Node, i *instance) {}, verdict.MasterUnrivalled, 1},
		{"nobody for a while", func(n *Node, i *instance) { i.mastery.rivalled = ago(n, 3*time.Second) }, verdict.MasterDefend, 0},
		{"nobody for longer", func(n *Node, i *instance) { i.mastery.rivalled = ago(n, 3*time.Second+1) }, verdict.MasterUnrivalled, 1},
		{"somebody", func(n *Node, i *instance) {
			present(n, i)
			i.serving[0].witnessed = ago(n, time.Hour)
			n.byName["p3p1"].addPeer(peerMAC)
		}, verdict.MasterAsk, 1},
		{"somebody, in a contest", func(n *Node, i *instance) {
			present(n, i)
			i.mastery.contested, i.serving[0].witnessed = true, ago(n, time.Hour)
			n.byName["p3p1"].addPeer(peerMAC)
		}, verdict.MasterAsk, 0},
		{"nobody, in a contest", func(n *Node, i *instance) { i.mastery.contested = true }, verdict.MasterUnrivalled, 1},
		{"nobody, in a contest, a moment after an answer", func(n *Node, i *instance) {
			i.mastery.contested, i.mastery.rivalled = true, ago(n, 0)
		}, verdict.MasterUnrivalled, 1},
		{"adverts", func(n *Node, i *instance) { n.exchange(i, vrrp.Advert{Priority: 1}) }, verdict.MasterOrder, 0},
		{"adverts, a moment after an answer", func(n *Node, i *instance) {
			i.mastery.rivalled = ago(n, 0)
			n.exchange(i, vrrp.Advert{Priority: 1})
		}, verdict.MasterOrder, 0},
		{"somebody, by policy", func(n *Node, i *instance) { present(n, i); i.mastery.insists = true }, verdict.MasterDefend, 0},
		{"adverts, by policy", func(n *Node, i *instance) {
			i.mastery.insists = true
			n.exchange(i, vrrp.Advert{Priority: 1})
		}, verdict.MasterOrder, 0},
		{"the contest asks", func(n *Node, i *instance) { asked(n, i, false) }, verdict.MasterDefend, 0},
		{"the contest has asked", func(n *Node, i *instance) { asked(n, i, true) }, verdict.MasterUnrivalled, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := established(t, lone(100, 0))
			i.verdict = old
			c.change(n, i)
			n.out = nil
			n.settleRival(i)
			if i.verdict.Rule != c.want || len(announced(n.out)) != c.announced {
				t.Errorf("%v, announced %v; want %v, %d", i.verdict.Rule, announced(n.out), c.want, c.announced)
			}
			said := remarks(n.out)
			if (len(said) == 1) != (c.want != verdict.MasterDefend) || len(said) > 0 && (said[0].Level == Info) != (c.want == verdict.MasterUnrivalled) {
				t.Errorf("said %v", said)
			}
		})
	}
}

// Of who was never said to be there, nothing is said and announced when nobody is.
func TestNobodyIsNotSpokenOf(t *testing.T) {
	for _, v := range []verdict.Verdict{{}, {Rule: verdict.BackupPeerDead, Finding: verdict.PeerDead}} {
		n, i := established(t, lone(100, 0))
		i.verdict = v
		n.settleRival(i)
		if len(n.out) > 0 || i.verdict != v {
			t.Errorf("after %v: %v, %v", v.Rule, i.verdict.Rule, n.out)
		}
	}
	n, i := established(t, lone(100, 0))
	i.verdict = verdict.Verdict{Rule: verdict.BackupPeerDead, Finding: verdict.PeerDead}
	i.mastery.contested = true
	n.settleRival(i)
	if len(announced(n.out)) > 0 {
		t.Error("a rivalry that was none ends with an announcement")
	}
}

// A rivalry is told by rule, each once a minute, from the first moment of the clock on.
func TestRivalriesAreTold(t *testing.T) {
	for _, begin := range []vrrp.Instant{1, vrrp.Instant(time.Hour)} {
		n, i := established(t, lone(100, 0))
		n.now = begin
		for _, c := range []struct {
			after time.Duration
			v     verdict.Verdict
			want  bool
		}{
			{0, verdict.Verdict{Rule: verdict.MasterAsk, Finding: verdict.Contested}, true},
			{0, verdict.Verdict{Rule: verdict.MasterDefend, Finding: verdict.Contested}, true},
			{time.Minute - 1, verdict.Verdict{Rule: verdict.MasterAsk, Finding: verdict.Contested}, false},
			{1, verdict.Verdict{Rule: verdict.MasterAsk, Finding: verdict.Contested}, true},
			{1, verdict.Verdict{Rule: verdict.MasterAsk, Finding: verdict.Contested}, false},
			{0, verdict.Verdict{Rule: verdict.MasterUnrivalled, Finding: verdict.None}, true},
		} {
			n.now, n.out = n.now.Add(c.after), nil
			n.tellRivalry(i, c.v)
			said := remarks(n.out)
			if (len(said) == 1) != c.want || c.want && ((said[0].Level == Info) != (c.v.Finding == verdict.None) || (said[0].Level == Alarm) == (c.v.Finding == verdict.None) || !strings.Contains(said[0].Text, c.v.Why())) {
				t.Errorf("%v after %v: said %v", c.v.Rule, c.after, said)
			}
		}
	}
}

// A MASTER whose heartbeat went dark says once by what it serves on, when the first questions have had their time.
func TestDarkHeartbeatOfAMaster(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   bool
	}{
		{"dark", func(n *Node, i *instance) {}, true},
		{"not dark", func(n *Node, i *instance) { i.heart.state.Carrier = CarrierUp }, false},
		{"for a tenth of a second", func(n *Node, i *instance) { i.heart.lostAt = ago(n, answerWindow) }, false},
		{"for longer", func(n *Node, i *instance) { i.heart.lostAt = ago(n, answerWindow+1) }, true},
		{"since before the takeover", func(n *Node, i *instance) { i.mastery.since = i.heart.lostAt.at + 1 }, false},
		{"since the takeover", func(n *Node, i *instance) { i.mastery.since = i.heart.lostAt.at }, false},
		{"since just after the takeover", func(n *Node, i *instance) { i.mastery.since = i.heart.lostAt.at - 1 }, true},
	} {
		n, i := established(t, lone(100, 0))
		i.heart.state.Carrier, i.heart.lostAt = CarrierDown, ago(n, time.Second)
		c.change(n, i)
		n.settleDark(i)
		said := remarks(n.out)
		if (i.verdict.Rule == verdict.MasterUnrivalled) != c.want || (len(said) == 1) != c.want || c.want && said[0].Level != Info {
			t.Errorf("%s: %v, said %v", c.name, i.verdict.Rule, said)
		}
		n.out = nil
		if n.settleDark(i); len(n.out) > 0 {
			t.Errorf("%s: said again: %v", c.name, n.out)
		}
	}
}

// The burst of a contest is asked at its moment.
func TestContestAsksAtItsMoment(t *testing.T) {
	for after, want := range map[time.Duration]bool{-1: false, 0: true, 1: true} {
		n, i := established(t, lone(100, 0))
		n.rival(i, n.byName["p3p1"], addr("192.168.10.1"), strangerMAC)
		n.byName["p3p1"].addPeer(peerMAC)
		i.serving[0].witnessed = ago(n, time.Hour)
		i.mastery.contested, i.mastery.askAt = true, n.now.Add(-after)
		n.inquiries = nil
		n.settleMaster(i)
		if got := n.inquiryOf(i) != nil && n.inquiryOf(i).burst != nil; got != want {
			t.Errorf("%v after its moment: asked %v", after, got)
		}
	}
}

package node

import (
	"testing"
	"time"

	"standfast/vrrp"
)

// TestAnswerCountsForTheWeakerQuestion has both forms waiting for an answer: whichever was asked first, one answer is taken for
// the broadcast's, and what is left is the unicast.
func TestAnswerCountsForTheWeakerQuestion(t *testing.T) {
	now := vrrp.Instant(time.Hour)
	for _, test := range []struct {
		name    string
		pending []pending
		want    []form
	}{
		{"broadcast first", []pending{{form: broadcast, at: now - 2}, {form: unicast, at: now - 1}}, []form{broadcast, unicast}},
		{"a unicast to the dead first", []pending{{form: unicast, at: now - 2}, {form: broadcast, at: now - 1}}, []form{broadcast, unicast}},
		{"the oldest of a form", []pending{{form: broadcast, at: now - 2}, {form: broadcast, at: now - 1}}, []form{broadcast, broadcast}},
		{"too old", []pending{{form: broadcast, at: now.Add(-answerWindow - 1)}, {form: unicast, at: now - 1}}, []form{unicast}},
		{"nothing asked", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			peer := MAC{2}
			target := target{pending: test.pending}
			for k := range target.pending {
				if target.pending[k].form == unicast {
					target.pending[k].to = peer
				}
			}
			for k, want := range test.want {
				q, clear, ok := target.match(now, peer)
				if !ok || q.form != want {
					t.Errorf("matched %v, %v, want form %v", q, ok, want)
				}
				if last := k == len(test.want)-1; clear != last {
					t.Errorf("%d questions left, and the match is clear: %v", len(test.want)-k, clear)
				}
			}
			if q, _, ok := target.match(now, peer); ok {
				t.Errorf("matched %v, although all were answered", q)
			}
		})
	}
}

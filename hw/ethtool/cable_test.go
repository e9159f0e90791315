package ethtool

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// TestCableConversation plays the kernel's part of a test: other ports' news, the begin, the end.
func TestCableConversation(t *testing.T) {
	other := encode(func(ae *netlink.AttributeEncoder) {
		ae.Uint8(unix.ETHTOOL_A_CABLE_TEST_NTF_STATUS, unix.ETHTOOL_A_CABLE_TEST_NTF_STATUS_COMPLETED)
	})
	ended := encode(func(ae *netlink.AttributeEncoder) {
		about(ae)
		ae.Uint8(unix.ETHTOOL_A_CABLE_TEST_NTF_STATUS, unix.ETHTOOL_A_CABLE_TEST_NTF_STATUS_COMPLETED)
	})
	const news = unix.ETHTOOL_MSG_CABLE_TEST_NTF
	for _, c := range []struct {
		name   string
		answer []netlink.Message
		news   [][]byte
		want   CableReport
		err    bool
	}{
		{"a pair is open", acknowledged(), [][]byte{other, cableStarted(), cableOpen()}, CableReport{
			{Pair: 0, Code: CableOK}, {Pair: 1, Code: CableCrossShort, Centimetres: known[uint32](3100)}, {Pair: 2, Code: CableOK}, {Pair: 3, Code: CableOK},
		}, false},
		{"no result", acknowledged(), [][]byte{cableStarted(), ended}, nil, true},
		{"nothing more is heard", acknowledged(), [][]byte{cableStarted()}, nil, true},
		{"refused", refused(unix.EOPNOTSUPP, "", 0), [][]byte{cableOpen()}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var dialled []*kernel
			dial := func() (*family, error) {
				k := &kernel{answer: func(uint8, []byte) ([]netlink.Message, error) { return c.answer, nil }}
				f, err := k.dial()
				k.requests = nil // of finding the family
				if len(dialled) == 0 {
					k.news = replied(news, c.news...)
				}
				dialled = append(dialled, k)
				return f, err
			}
			got, err := testCable(context.Background(), 7, dial)
			if diff := cmp.Diff(c.want, got); diff != "" || (err != nil) != c.err {
				t.Errorf("%v\n%s", err, diff)
			}
			if diff := cmp.Diff([]uint32{monitorID}, dialled[0].joined); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]request{{Command: unix.ETHTOOL_MSG_CABLE_TEST_ACT, Index: 7}}, dialled[1].asked(t)); diff != "" {
				t.Error(diff)
			}
			for i, k := range dialled {
				if k.closed != 1 {
					t.Errorf("connection %d was closed %d times", i, k.closed)
				}
			}
		})
	}
}

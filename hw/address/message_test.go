package address

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The bytes below were recorded on Linux 6.18, little endian.
func littleEndian(t testing.TB) {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the recorded bytes are those of a little endian host")
	}
}

// bytes reads hex, in which blanks part one attribute from the next.
func bytes(t testing.TB, recorded string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(recorded, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	vip4     = VIP{Prefix: prefix("192.0.2.1/24"), Index: 3, Broadcast: addr("192.0.2.255"), Label: "p3p1:100"}
	vip6     = VIP{Prefix: prefix("2001:db8::1/64"), Index: 3}
	route4   = Route{Dst: prefix("198.51.100.0/24"), Via: addr("192.0.2.254"), Index: 3, Src: addr("192.0.2.1"), Metric: 7, Table: 70000}
	default4 = Route{Dst: prefix("0.0.0.0/0"), Via: addr("192.0.2.254"), Index: 3, Table: 50}
	route6   = Route{Dst: prefix("2001:db8:1::/48"), Via: addr("2001:db8::fe"), Index: 3, Metric: 1024, Table: 254}
)

func TestRequestBytes(t *testing.T) {
	littleEndian(t)
	const acked = netlink.Request | netlink.Acknowledge
	tests := []struct {
		name string
		got  netlink.Message
		kind netlink.HeaderType
		flag netlink.HeaderFlags
		data string
	}{
		{"address", newAddress(vip4, 3), unix.RTM_NEWADDR, acked | netlink.Create | netlink.Replace,
			"0218000003000000 08000200c0000201 08000100c0000201 08000400c00002ff 0d000300703370313a31303000000000 1400060003000000030000000000000000000000 05000b0070000000"},
		{"IPv6 address for ever", newAddress(vip6, 0), unix.RTM_NEWADDR, acked | netlink.Create | netlink.Replace,
			"0a40020003000000 1400020020010db8000000000000000000000001 1400010020010db8000000000000000000000001 14000600ffffffffffffffff0000000000000000 05000b0070000000"},
		{"address away", deleteAddress(vip4), unix.RTM_DELADDR, acked,
			"0218000003000000 08000200c0000201 08000100c0000201"},
		{"route", newRoute(route4), unix.RTM_NEWROUTE, acked | netlink.Create,
			"021800000070000100000000 08000100c6336400 08000500c00002fe 0800040003000000 08000700c0000201 0800060007000000 08000f0070110100"},
		{"IPv6 route", newRoute(route6), unix.RTM_NEWROUTE, acked | netlink.Create,
			"0a300000fe70000100000000 1400010020010db8000100000000000000000000 1400050020010db80000000000000000000000fe 0800040003000000 0800060000040000 08000f00fe000000"},
		{"default route away", deleteRoute(default4), unix.RTM_DELROUTE, acked,
			"020000003270ff0000000000 08000500c00002fe 0800040003000000 08000f0032000000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := netlink.Message{Header: netlink.Header{Type: tt.kind, Flags: tt.flag}, Data: bytes(t, tt.data)}
			if diff := cmp.Diff(want, tt.got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

const (
	recorded4 = "0218000003000000 08000100c0000201 08000200c0000201 08000400c00002ff 0d000300703370313a31303000000000 05000b0070000000 0800080000000000 1400060003000000030000009544020095440200"
	recorded6 = "0a40820003000000 1400010020010db8000000000000000000000001 14000600ffffffffffffffff9544020095440200 0800080082000000 05000b0070000000"
	// As kernels before 5.18 (no IFA_PROTO) and 3.14 (no IFA_FLAGS either) have it.
	recordedOld = "0218000003000000 08000100c0000201 08000200c0000201 08000400c00002ff 0d000300703370313a31303000000000 1400060003000000030000009544020095440200"
	// A point-to-point address: IFA_ADDRESS is the far end.
	recordedPeer = "0220800003000000 08000100c0000202 08000200c0000201 0b0003007033703100000000"

	recordedRoute4   = "02180000fc70000100000000 08000f0070110100 08000100c6336400 0800060007000000 08000700c0000201 08000500c00002fe 0800040003000000"
	recordedDefault4 = "020000003270000100000000 08000f0032000000 08000500c00002fe 0800040003000000"
	recordedRoute6   = "0a300000fe70000100000000 08000f00fe000000 1400010020010db8000100000000000000000000 0800060000040000 1400050020010db80000000000000000000000fe 0800040003000000 24000c00" +
		"0000000000000000000000000000000000000000000000000000000000000000 0500140000000000"
)

func TestParseAddress(t *testing.T) {
	littleEndian(t)
	tests := []struct {
		name, recorded string
		want           found
		holding        Holding
	}{
		{"ours", recorded4, found{vip: vip4, protocol: Protocol, lifetime: 3}, Ours},
		{"ours for ever", recorded6, found{vip: vip6, protocol: Protocol, lifetime: forever}, Ours},
		{"old kernel, leased", recordedOld, found{vip: vip4, lifetime: 3}, Leased},
		{"point to point, no lifetime told", recordedPeer, found{vip: VIP{Prefix: prefix("192.0.2.1/32"), Index: 3, Label: "p3p1"}, lifetime: forever}, Permanent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseAddress(bytes(t, tt.recorded))
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got.holding() != tt.holding {
				t.Errorf("it is %v, want %v", got.holding(), tt.holding)
			}
		})
	}
}

func TestParseRoute(t *testing.T) {
	littleEndian(t)
	for _, tt := range []struct {
		recorded string
		want     Route
	}{{recordedRoute4, route4}, {recordedDefault4, default4}, {recordedRoute6, route6}} {
		got, protocol, err := parseRoute(bytes(t, tt.recorded))
		if err != nil || protocol != Protocol || got != tt.want {
			t.Errorf("got %+v protocol %d, %v; want %+v", got, protocol, err, tt.want)
		}
		if got.Normal() != got {
			t.Errorf("%+v is not normal: %+v", got, got.Normal())
		}
	}
}

// Whatever is cut short or makes no sense is an error, and never a panic.
func TestParseNonsense(t *testing.T) {
	littleEndian(t)
	for _, recorded := range []string{recorded4, recorded6, recordedOld, recordedPeer, recordedRoute4, recordedDefault4, recordedRoute6} {
		whole := bytes(t, recorded)
		for n := range whole {
			if f, err := parseAddress(whole[:n]); err == nil && !f.vip.Prefix.IsValid() {
				t.Errorf("address cut to %d bytes is taken for %+v", n, f)
			}
			if r, _, err := parseRoute(whole[:n]); err == nil && !r.Dst.IsValid() {
				t.Errorf("route cut to %d bytes is taken for %+v", n, r)
			}
		}
	}
	for name, b := range map[string]string{
		"no address":          "0218000003000000",
		"prefix beyond IPv4":  "0221000003000000 08000100c0000201",
		"address of 3 bytes":  "0218000003000000 07000100c0000200",
		"protocol of 2 bytes": "0218000003000000 08000100c0000201 06000b0070000000",
		"attribute too long":  "0218000003000000 ff000100c0000201",
		"header cut":          "02180000",
	} {
		if f, err := parseAddress(bytes(t, b)); err == nil {
			t.Errorf("%s: taken for %+v", name, f)
		}
	}
	for name, b := range map[string]string{
		"prefix beyond IPv4":     "022100003270000100000000 08000100c6336400",
		"destination of 3 bytes": "021800003270000100000000 07000100c6336400",
		"port of 2 bytes":        "020000003270000100000000 0600040003000000",
		"attribute too long":     "020000003270000100000000 ff00040003000000",
		"header cut":             "02000000",
	} {
		if r, _, err := parseRoute(bytes(t, b)); err == nil {
			t.Errorf("%s: taken for %+v", name, r)
		}
	}
}

func TestNormal(t *testing.T) {
	tests := []struct {
		name     string
		in, want Route
	}{
		{"gateway", Route{Dst: prefix("198.51.100.7/24"), Via: addr("192.0.2.254")}, Route{Dst: prefix("198.51.100.0/24"), Via: addr("192.0.2.254"), Table: 254}},
		{"attached", Route{Dst: prefix("198.51.100.0/24"), Table: 50}, Route{Dst: prefix("198.51.100.0/24"), Table: 50, Scope: 253}},
		{"scope asked for", Route{Dst: prefix("198.51.100.0/24"), Scope: 200}, Route{Dst: prefix("198.51.100.0/24"), Table: 254, Scope: 200}},
		{"IPv6", Route{Dst: prefix("2001:db8:1::/48"), Scope: 253}, Route{Dst: prefix("2001:db8:1::/48"), Table: 254, Metric: 1024}},
		{"IPv6 metric", Route{Dst: prefix("2001:db8:1::/48"), Metric: 1}, Route{Dst: prefix("2001:db8:1::/48"), Table: 254, Metric: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.in.Normal(), values); diff != "" {
				t.Errorf("normal (-want +got):\n%s", diff)
			}
			if again := tt.in.Normal().Normal(); again != tt.in.Normal() {
				t.Errorf("normal of normal differs: %+v", again)
			}
		})
	}
}

func TestWholeSeconds(t *testing.T) {
	tests := []struct {
		lease time.Duration
		want  uint32
		ok    bool
	}{
		{0, 0, true}, {1, 1, true}, {time.Second, 1, true}, {time.Second + 1, 2, true},
		{2999 * time.Millisecond, 3, true}, {3 * time.Second, 3, true}, {13*time.Second + 1, 14, true},
		{MaxLease, 14, true}, {MaxLease + 1, 0, false}, {-1, 0, false}, {-time.Hour, 0, false},
	}
	for _, tt := range tests {
		if got, err := wholeSeconds(tt.lease); got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%v: %d, %v; want %d, accepted %v", tt.lease, got, err, tt.want, tt.ok)
		}
	}
}

func TestHoldingWords(t *testing.T) {
	want := []string{"unknown", "absent", "ours", "leased", "permanent", "holding 5"}
	var got []string
	for h := range Holding(len(want)) {
		got = append(got, h.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

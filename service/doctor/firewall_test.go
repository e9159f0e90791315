package doctor

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recorded is what a tool printed once: nft 1.0.6 and iptables 1.8.9 of Debian 12
// in a throw-away network namespace. nft.json has a cut-down firewalld and a table
// of its own, the other two are the same four rules of iptables-nft.
func recorded(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func advertIn(name, from string) packet {
	return packet{family: 4, in: name, src: netip.MustParsePrefix(from), dst: netip.MustParseAddr("224.0.0.18"), protocol: protocolVRRP}
}

func advertOut(name string) packet {
	return packet{family: 4, out: name, src: netip.MustParsePrefix("10.255.0.0/30"), dst: netip.MustParseAddr("224.0.0.18"), protocol: protocolVRRP}
}

// TestNftRecorded: a zone that trusts the port, one that lets vrrp in, and a table
// behind them whose policy is drop but which lets the group in.
func TestNftRecorded(t *testing.T) {
	rules, err := parseNft(recorded(t, "nft.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !rules.usesFirewalld() {
		t.Error("firewalld is not recognized")
	}
	for _, test := range []struct {
		name string
		k    packet
		want string // the table that drops it
	}{
		{"trusted port", advertIn("p4p1", "10.255.0.0/30"), ""},
		{"public port", advertIn("p3p1", "192.168.10.0/24"), ""},
		{"surely from a bad source", advertIn("p4p1", "10.9.1.0/24"), "own"},
		{"perhaps from a bad source", advertIn("p4p1", "10.0.0.0/8"), ""},
		{"another group on a port that drops those", packet{family: 4, in: "p3p1", dst: netip.MustParseAddr("239.0.0.1"), protocol: 17}, "firewalld"},
		{"another group on a trusted port", packet{family: 4, in: "p4p1", dst: netip.MustParseAddr("239.0.0.1"), protocol: 17}, "own"},
		{"another group, within a limit", packet{family: 4, in: "p1p1", dst: netip.MustParseAddr("239.0.0.1"), protocol: 112}, ""},
		{"out", advertOut("p4p1"), ""},
		{"question of IPv6", packet{family: 6, in: "p3p1", dst: netip.MustParseAddr("ff02::1:ff00:1"), protocol: protocolICMPv6, icmp: ndSolicit}, ""},
		{"other messages of IPv6", packet{family: 6, in: "p3p1", dst: netip.MustParseAddr("ff02::1"), protocol: 17}, "firewalld"},
	} {
		chain, dropped := rules.drop(test.k)
		if dropped != (test.want != "") || chain.Table != test.want {
			t.Errorf("%s: dropped %v by %q, want %q", test.name, dropped, chain.Table, test.want)
		}
	}
}

// TestTranslated: rules of iptables are judged from iptables-save alone, where they are whole.
func TestTranslated(t *testing.T) {
	rules, err := parseNft(recorded(t, "nft-of-iptables.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, dropped := rules.drop(advertIn("p3p1", "192.168.10.0/24")); dropped {
		t.Error("judged by rules that nft cannot show")
	}
	f := firewall{nft: rules, tables: map[uint8]iptablesRules{4: parseIptables(recorded(t, "iptables-save.txt"))}}
	if where, _, dropped := f.dropped(advertIn("p4p1", "10.255.0.0/30")); dropped {
		t.Errorf("p4p1 is let in, and %s drops it", where)
	}
	where, remedy, dropped := f.dropped(advertIn("p3p1", "192.168.10.0/24"))
	if !dropped || where != "chain INPUT of table filter" || !strings.HasPrefix(remedy, "iptables -t filter -I INPUT -i p3p1 -p 112 -j ACCEPT") {
		t.Errorf("dropped %v by %q, remedy %q", dropped, where, remedy)
	}
	if _, err := parseNft("Error: Operation not permitted"); err == nil {
		t.Error("a complaint of nft was taken for rules")
	}
}

// TestIptables goes through what rules can ask for.
func TestIptables(t *testing.T) {
	in := advertIn("p4p1", "10.255.0.0/30")
	for _, test := range []struct {
		rules string // of INPUT, policy ACCEPT, one to a line
		drops bool
	}{
		{"-j DROP", true},
		{"-p vrrp -j DROP", true},
		{"-p 112 -j REJECT --reject-with icmp-port-unreachable", true},
		{"! -p tcp -j DROP", true},
		{"! -p 112 -j DROP", false},
		{"-i p4+ -j DROP", true},
		{"-i p4p10 -j DROP", false},
		{"! -i lo -j DROP", true},
		{"-o p4p1 -j DROP", false},
		{"-s 10.0.0.0/8 -j DROP", true},
		{"-s 10.255.0.2/32 -j DROP", false},
		{"-s 172.16.0.0/12 -j DROP", false},
		{"-d 224.0.0.0/4 -j DROP", true},
		{"-d 10.255.0.1/32 -j DROP", false},
		{"-m pkttype --pkt-type multicast -j DROP", true},
		{"-m addrtype --dst-type LOCAL -j DROP", false},
		{"-m addrtype --dst-type MULTICAST -j DROP", true},
		{"-m conntrack --ctstate INVALID -j DROP", false},
		{"-m conntrack --ctstate NEW -j DROP", true},
		{"-m state --state NEW,UNTRACKED -j DROP", true},
		{"-m limit --limit 5/min -j ACCEPT\n-A INPUT -j DROP", false},
		{"-m statistic --mode random -j DROP", false},
		{"-m comment --comment \"no -j ACCEPT here\" -j DROP", true},
		{"-j LOG --log-prefix \"x: \"\n-A INPUT -j DROP", true},
		{"-j own\n-A own -j RETURN", false},
		{"-j own\n-A own -p vrrp -j DROP", true},
		{"-g own\n-A INPUT -j DROP", false},
		{"-j own\n-A INPUT -j DROP", true},
		{"-j NFQUEUE --queue-num 1", false},
		{"-j INPUT", false}, // a circle, which the kernel refuses
	} {
		r := parseIptables("*filter\n:INPUT ACCEPT [0:0]\n:own - [0:0]\n-A INPUT " + test.rules + "\nCOMMIT\n")
		if key, drops := r.drop(in); drops != test.drops {
			t.Errorf("%q: dropped %v (%v), want %v", test.rules, drops, key, test.drops)
		}
	}
	raw := parseIptables("*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p vrrp -j DROP\nCOMMIT\n*nat\n:PREROUTING DROP [0:0]\nCOMMIT\n")
	if key, drops := raw.drop(in); !drops || key != (tableChain{"raw", "PREROUTING"}) {
		t.Errorf("raw: dropped %v by %v", drops, key)
	}
	if _, drops := raw.drop(advertOut("p4p1")); drops {
		t.Error("what leaves was dropped on the way in")
	}
}

// FuzzFirewall: whatever tools print, it is read without a panic and without end.
func FuzzFirewall(f *testing.F) {
	for _, file := range []string{"nft.json", "nft-of-iptables.json", "iptables-save.txt"} {
		text, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		k := advertIn("p4p1", "10.255.0.0/30")
		parseIptables(text).drop(k)
		if rules, err := parseNft(text); err == nil {
			rules.drop(k)
		}
	})
}

// TestParsers: files that make no sense are left out.
func TestParsers(t *testing.T) {
	if got := listening("header\n 0: 0100007F:0016 00000000:0000 0A\n 1: 0100007F:0017 0:0 01\n 2: xyz:1 0 0A\n 3: short\n", true); !slices.Equal(got,
		[]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:22")}) {
		t.Errorf("listening: %v", got)
	}
	for text, want := range map[string]int{"": -1, "1 (x) S": -1, "1 (a) b) S " + strings.Repeat("0 ", 37) + "2 0": 2, "1 (x) S " + strings.Repeat("0 ", 37) + "x": -1} {
		if got := schedulingPolicy(text); got != want {
			t.Errorf("policy of %q: %d, want %d", text, got, want)
		}
	}
	if a := solicited(netip.MustParseAddr("2001:db8::12:3456")); a != netip.MustParseAddr("ff02::1:ff12:3456") {
		t.Errorf("solicited: %v", a)
	}
	for text, want := range map[string][3]int{"5.14.0-503.el9": {5, 14, 1}, "6.18.44-fc": {6, 18, 1}, "linux": {0, 0, 0}} {
		major, minor, known := kernelRelease(text)
		if major != want[0] || minor != want[1] || known != (want[2] == 1) {
			t.Errorf("release of %q: %d.%d %v", text, major, minor, known)
		}
	}
}

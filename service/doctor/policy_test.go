package doctor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUndecided: each policy is said for what it does, with its time and its word.
func TestUndecided(t *testing.T) {
	for _, test := range []struct {
		name  string
		edit  []string // pairs of what is replaced in the story
		sow   func(h *sickbed)
		wants []string // each is in one of the sentences
		lacks string
	}{
		{"as it is", nil, nil, []string{
			"p4p1 falls silent and nobody answers on p3p1, p3p2, p1p1", "serves after 3.6 s, and if the peer lives both serve until one of the paths is back (fault_prior serve)",
			"stays and raises the alarm for as long as it is answered", "(fault_contested hold)", "hands over once to a peer of its own kind",
		}, "blind"},
		{"yield", []string{"advert_int 1", "advert_int 1\n    fault_prior yield"}, nil, []string{"nobody serves until somebody comes (fault_prior yield)"}, "(fault_prior serve)"},
		{"incumbent", []string{"advert_int 1", "advert_int 1\n    fault_prior incumbent"}, nil,
			[]string{"serves after 3.6 s only if it was the last to serve", "(fault_prior incumbent)"}, "(fault_prior serve)"},
		{"take", []string{"advert_int 1", "advert_int 1\n    fault_contested take"}, nil,
			[]string{"serves after 3.6 s, beside the peer if that one really serves (fault_contested take)"}, "(fault_contested hold)"},
		{"no lease", []string{"advert_int 1", "advert_int 1\n    vip_lease off"}, nil, []string{"dies or freezes", "(vip_lease off)"}, ""},
		{"version 3", []string{"advert_int 1", "version 3\n    advert_int 0.1"}, nil, []string{"serves after 0.4 s"}, "3.6 s"},
		{"storage keeps", []string{"vrrp_instance", "global_defs {\n    storage_yield off\n}\nvrrp_instance"}, nil, []string{"(storage_yield off)"}, "hands over once"},
		{"storage unwatched", []string{"vrrp_instance", "global_defs {\n    storage_watch off\n}\nvrrp_instance"}, nil, []string{"storage_watch is off"}, "hands over once"},
		{"blind", nil, func(h *sickbed) { h.told("p3p2").Blind = true }, []string{"p3p2 hears no answer even in peacetime (blind)"}, ""},
		{"on the LAN", []string{" dev p3p1", "", " dev p3p2", "", " dev p1p1", "", "192.168.20.1/24", "192.168.10.3/24", "203.0.113.1/24", "192.168.10.4/24"}, nil,
			[]string{"no virtual address lives on another port, so nobody can be asked elsewhere", "a lost carrier is FAULT here"}, "nobody answers on"},
		{"one LAN", []string{"        192.168.20.1/24 dev p3p2\n        203.0.113.1/24 dev p1p1\n", ""}, nil, []string{"the cable and the switch behind p3p1 failed together"}, "all switches"},
	} {
		h := healthy()
		h.set(configFile[1:], strings.NewReplacer(test.edit...).Replace(config4))
		if test.sow != nil {
			test.sow(h)
		}
		var all strings.Builder
		for _, u := range h.host(Options{}).examine(t.Context()).Undecided {
			all.WriteString(u.When + "\n" + u.Then + "\n")
		}
		for _, want := range test.wants {
			if !strings.Contains(all.String(), want) {
				t.Errorf("%s: no %q in\n%s", test.name, want, all.String())
			}
		}
		if test.lacks != "" && strings.Contains(all.String(), test.lacks) {
			t.Errorf("%s: %q in\n%s", test.name, test.lacks, all.String())
		}
	}
}

// TestUndecidedTogether: what holds of several instances is said once.
func TestUndecidedTogether(t *testing.T) {
	h := healthy()
	other := strings.NewReplacer("VI_0", "VI_1", "router_id 50", "router_id 51", "192.168.10.1/24 dev p3p1", "192.168.10.9/24 dev p3p1",
		"192.168.20.1", "192.168.20.9", "203.0.113.1", "203.0.113.9", "advert_int 1", "advert_int 1\n    fault_contested take").Replace(config4)
	h.set(configFile[1:], config4+other)
	var got []string
	for _, u := range h.host(Options{}).examine(t.Context()).Undecided {
		got = append(got, strings.Join(u.Instances, "+"))
	}
	if diff := cmp.Diff([]string{"VI_0", "VI_0+VI_1", "VI_1", "", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

package hwtest_test

import (
	"net/netip"
	"os"
	"testing"

	"standfast/hw/hwtest"
)

func TestMain(m *testing.M) { os.Exit(hwtest.Main(m.Run)) }

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestSmoke(t *testing.T) {
	lab := hwtest.New(t)
	a, err := lab.Router("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := lab.Router("b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Cable(a, "p4p1", b, "p4p1"); err != nil {
		t.Fatal(err)
	}
	s, err := lab.Switch("lan")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddGateway(netip.MustParsePrefix("192.168.10.254/24")); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*hwtest.Router{a, b} {
		if _, err := s.Connect(r, "p3p1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Host("client", netip.MustParsePrefix("192.168.10.100/24")); err != nil {
		t.Fatal(err)
	}
	if err := a.Port("p4p1").AddAddress(netip.MustParsePrefix("10.255.0.1/30")); err != nil {
		t.Fatal(err)
	}
	if err := b.Port("p4p1").AddAddress(netip.MustParsePrefix("10.255.0.2/30")); err != nil {
		t.Fatal(err)
	}
	if _, err := a.PowerOff(nil); err != nil {
		t.Fatal(err)
	}
	if err := a.PowerOn(); err != nil {
		t.Fatal(err)
	}
}

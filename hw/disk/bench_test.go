package disk

import "testing"

// BenchmarkSensor is what a look at the signals of this host's root costs.
func BenchmarkSensor(b *testing.B) {
	volumes, _, err := Find([]string{"/"})
	if err != nil || len(volumes) != 1 {
		b.Skip("the root of this host has no disk: ", volumes, err)
	}
	s, err := OpenSensor(volumes[0])
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		s.Read()
	}
}

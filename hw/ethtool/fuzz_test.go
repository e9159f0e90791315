package ethtool

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// seeds are the bytes of the recordings for a decoder.
func seeds(f *testing.F, kinds ...string) {
	f.Helper()
	for _, kind := range kinds {
		for _, prefix := range []string{"", "constructed-", "machine-"} {
			text, err := os.ReadFile(filepath.Join("testdata", prefix+kind+".txt"))
			if err != nil {
				continue // not every decoder has all
			}
			for _, b := range bytesOf(f, string(text)) {
				f.Add(b)
			}
		}
	}
}

// byTheBook walks along attributes a second time, with numbers instead of slices: where each value begins and ends.
func byTheBook(b []byte) (all map[uint16][]byte) {
	all = map[uint16][]byte{}
	for at := 0; at+4 <= len(b); {
		length := int(b[at]) | int(b[at+1])<<8
		kind := uint16(b[at+2]) | uint16(b[at+3])<<8
		if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
			length, kind = int(b[at])<<8|int(b[at+1]), uint16(b[at+2])<<8|uint16(b[at+3])
		}
		if length < 4 || at+length > len(b) {
			break
		}
		all[kind&0x3fff] = b[at+4 : at+length]
		at += (length + 3) / 4 * 4
	}
	return all
}

// numberByTheBook reads a number of 1, 2, 4 or 8 bytes that fits into so many bits.
func numberByTheBook(b []byte, bits int) (uint64, bool) {
	if !slices.Contains([]int{1, 2, 4, 8}, len(b)) {
		return 0, false
	}
	padded := make([]byte, 8)
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		copy(padded, b)
	} else {
		copy(padded[8-len(b):], b)
	}
	v := binary.NativeEndian.Uint64(padded)
	return v, bits == 64 || v < 1<<bits
}

// FuzzLink lets a kernel answer with any bytes. Nothing may be made up, and the answer must be repeatable.
func FuzzLink(f *testing.F) {
	seeds(f, "link")
	f.Fuzz(func(t *testing.T, b []byte) {
		got := decodeLink(b)
		all := byTheBook(b)
		link, is := numberByTheBook(all[unix.ETHTOOL_A_LINKSTATE_LINK], 32)
		want := Unknown
		switch {
		case is && link != 0:
			want = Up
		case is:
			want = Down
		}
		state, known := numberByTheBook(all[unix.ETHTOOL_A_LINKSTATE_EXT_STATE], 8)
		if got.Carrier != want || got.State.Known != known || known && uint64(got.State.V) != state {
			t.Fatalf("%x: %+v; by the book %v, %d %t", b, got, want, state, known)
		}
		if downs, known := numberByTheBook(all[unix.ETHTOOL_A_LINKSTATE_EXT_DOWN_CNT], 32); got.Downs.Known != known || known && uint64(got.Downs.V) != downs {
			t.Fatalf("%x: %+v; by the book %d %t", b, got.Downs, downs, known)
		}
		if r, why := got.Reason(); why && (got.Carrier == Up || !got.State.Known || r.String() == "") {
			t.Fatalf("%+v is down because of %v", got, r)
		}
		if again := decodeLink(b); again != got {
			t.Fatalf("%+v, then %+v", got, again)
		}
	})
}

// FuzzMode is FuzzLink for modes, through both ways by which they come.
func FuzzMode(f *testing.F) {
	seeds(f, "mode", "settings", "command")
	f.Fuzz(func(t *testing.T, b []byte) {
		got := decodeMode(b)
		all := byTheBook(b)
		if v, is := numberByTheBook(all[unix.ETHTOOL_A_LINKMODES_SPEED], 32); is && v <= 10_000_000 && uint64(got.SpeedMbit) != v || (!is || v > 10_000_000) && got.SpeedMbit != 0 {
			t.Fatalf("%x: %d Mbit/s", b, got.SpeedMbit)
		}
		nest := byTheBook(all[unix.ETHTOOL_A_LINKMODES_PEER])
		bits, _ := numberByTheBook(nest[unix.ETHTOOL_A_BITSET_SIZE], 32)
		if bits > math.MaxUint32 {
			bits = 0
		}
		values := nest[unix.ETHTOOL_A_BITSET_VALUE]
		for i := range maxModes {
			word, want := i/32*4, false
			if uint64(i) < bits && word+4 <= len(values) {
				want = binary.NativeEndian.Uint32(values[word:])>>(i%32)&1 == 1
			}
			if got.Partner.Has(i) != want {
				t.Fatalf("%x: mode %d of the partner: %t, by the book %t", b, i, got.Partner.Has(i), want)
			}
		}
		if len(b) >= settingsSize {
			decodeSettings(b)
		}
		if len(b) >= commandSize {
			decodeCommand(b)
		}
	})
}

// FuzzRest lets everything else decode any bytes.
func FuzzRest(f *testing.F) {
	seeds(f, "cable", "page", "driver", "oldlink")
	f.Fuzz(func(t *testing.T, b []byte) {
		if page := decodePage(b); len(page) > len(b) {
			t.Fatalf("%d bytes of a module in %d", len(page), len(b))
		}
		if n := decodeCable(b); len(n.report) > 4 {
			t.Fatalf("%d pairs in a cable", len(n.report))
		}
		if len(b) >= sizeofDrvinfo {
			for _, text := range []string{decodeDriver(b).Name, decodeDriver(b).Firmware} {
				if len(text) > 32 || slices.ContainsFunc([]byte(text), func(c byte) bool { return c < ' ' || c > '~' }) {
					t.Fatalf("text %q", text)
				}
			}
		}
	})
}

// FuzzRefusal lets a kernel answer a question with any message. No message may be taken for a lost card but one that refuses with ENODEV,
// names no attribute and has no text.
func FuzzRefusal(f *testing.F) {
	seeds(f, "refusal")
	f.Fuzz(func(t *testing.T, b []byte) {
		var m netlink.Message
		if m.UnmarshalBinary(b) != nil {
			return
		}
		err, _ := decodeRefusal(b).(error)
		if IsDetached(err) && (m.Header.Type != netlink.Error || int32(binary.NativeEndian.Uint32(m.Data)) != -int32(unix.ENODEV)) {
			t.Fatalf("%x: %v", b, err)
		}
	})
}

// FuzzModule lets a module have any memory. Only lanes that a kind has may come of it, and no measurement that is no number.
func FuzzModule(f *testing.F) {
	f.Add(flat(sfp()), flat(measured()), byte(0))
	f.Add(flat(with(sfp(), map[int]byte{92: 0x50})), flat(with(measured(), map[int]byte{56: 0x7f, 57: 0xc0})), byte(0))
	f.Add(flat(map[int]byte{0: 0x11, 3: 0xf}), flat(map[int]byte{195 - half: 0x18}), byte(0))
	f.Add(flat(map[int]byte{0: 0x18, 3: 6}), flat(map[int]byte{155 - half: 0xff, 160 - half: 0x1f}), byte(3))
	f.Add([]byte{3}, []byte{}, byte(1))
	f.Fuzz(func(t *testing.T, one, two []byte, silent byte) {
		read := func(at place) ([]byte, error) {
			switch {
			case silent>>(at.page&7)&1 != 0:
				return nil, unix.EIO
			case at == a0:
				return one, nil
			}
			return two, nil
		}
		m, err := readModule(read)
		most := map[Kind]int{KindSFP: 1, KindQSFP: 4, KindCMIS: 8}[m.Kind]
		if err == nil && len(m.Lanes) > most {
			t.Fatalf("%d lanes of %v", len(m.Lanes), m.Kind)
		}
		values := []Maybe[float64]{m.Celsius, m.Volt}
		for _, l := range m.Lanes {
			values = append(values, l.BiasMilliamp, l.SentMilliwatt, l.GotMilliwatt)
		}
		for _, v := range values {
			if math.IsNaN(v.V) || math.IsInf(v.V, 0) {
				t.Fatalf("%+v", m)
			}
		}
		m.LightLost()
		if again, _ := readModule(read); !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v, then %+v", m, again)
		}
	})
}

// flat is the first half of a page with bytes set.
func flat(m map[int]byte) []byte {
	b := make([]byte, half)
	for i, v := range m {
		b[i] = v
	}
	return b
}

// TestDecodeAllocations: what a message claims costs nothing, however long the message is and whatever it claims.
func TestDecodeAllocations(t *testing.T) {
	unwanted := encode(func(ae *netlink.AttributeEncoder) { ae.Bytes(1000, make([]byte, 60)) })
	huge := encode(bitset(unix.ETHTOOL_A_LINKMODES_PEER, math.MaxUint32, []uint32{1}, nil))
	long := append(slices.Repeat(unwanted, 1000), huge...)
	if n := testing.AllocsPerRun(100, func() { decodeMode(long); decodeLink(long) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

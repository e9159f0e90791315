package ethtool

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// settingsOf fills in a struct ethtool_link_settings as a kernel with that many words of link modes does: a question with another
// count gets the right one, negated.
func settingsOf(words int, fill func(b []byte)) func(uint32, []byte) error {
	return func(command uint32, b []byte) error {
		if command != unix.ETHTOOL_GLINKSETTINGS {
			return unix.EOPNOTSUPP
		}
		if int(int8(b[settingsWords])) != words {
			b[settingsWords] = uint8(-words)
			return nil
		}
		fill(b)
		return nil
	}
}

// gigabitSettings is a gigabit port whose partner announces 10 and 100 Mbit/s and nothing else.
func gigabitSettings(words int) func(b []byte) {
	return func(b []byte) {
		binary.NativeEndian.PutUint32(b[settingsSpeed:], 1000)
		b[settingsDuplex] = 1
		for i, modes := range []uint32{0x60ff, 0x202f, 0x000f} {
			binary.NativeEndian.PutUint32(b[settingsSize+4*words*i:], modes)
		}
	}
}

func TestSettings(t *testing.T) {
	want := Mode{
		SpeedMbit: 1000, Duplex: DuplexFull,
		Supported: Modes{0x60ff}, Announced: Modes{0x202f}, Partner: Modes{0xf},
	}
	for _, words := range []int{1, 4, 127} {
		client := &Client{old: true, host: ioctls{fill: settingsOf(words, gigabitSettings(words))}}
		got, err := client.Mode(7)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%d words: %v\n%s", words, err, diff)
		}
	}
	if diff := cmp.Diff([]int{10, 100}, want.Partner.Copper()); diff != "" || want.Partner.IsEmpty() || !(Modes{}).IsEmpty() {
		t.Error(diff)
	}
	// A kernel that counts in a way of its own is asked in the older way.
	client := &Client{old: true, host: ioctls{fill: func(command uint32, b []byte) error {
		if command == unix.ETHTOOL_GSET {
			binary.NativeEndian.PutUint16(b[12:], 100)
		}
		return nil
	}}}
	if got, err := client.Mode(7); err != nil || got.SpeedMbit != 100 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestWordsOfLinkModes: a count that is none, or does not fit what there is, leaves the sets empty and the rest as it is.
func TestWordsOfLinkModes(t *testing.T) {
	for _, words := range []int8{-128, -4, -1, 0, 1, 2, 127} {
		b := make([]byte, settingsSize+3*4)
		binary.NativeEndian.PutUint32(b[settingsSpeed:], 100)
		for i := range b[settingsSize:] {
			b[settingsSize+i] = 0xff
		}
		b[settingsWords] = uint8(words)
		want := Mode{SpeedMbit: 100, Duplex: DuplexHalf}
		if words == 1 {
			want.Supported, want.Announced, want.Partner = Modes{0xffffffff}, Modes{0xffffffff}, Modes{0xffffffff}
		}
		if diff := cmp.Diff(want, decodeSettings(b)); diff != "" {
			t.Errorf("%d words:\n%s", words, diff)
		}
	}
	most := &Client{old: true, host: ioctls{fill: func(command uint32, b []byte) error {
		if command == unix.ETHTOOL_GLINKSETTINGS {
			b[settingsWords] = 0x80 // 128 words, which a signed byte cannot ask for
		}
		return nil
	}}}
	if got, err := most.Mode(7); err != nil || got != decodeCommand(make([]byte, commandSize)) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestModes reads bitmaps of any length with any number of bits, bit by bit.
func TestModes(t *testing.T) {
	ones := make([]byte, 44)
	for i := range ones {
		ones[i] = 0xff
	}
	for length := range len(ones) + 1 {
		for bits := range 300 {
			m := modes(ones[:length], bits)
			for i := -1; i < 300; i++ {
				want := i >= 0 && i < bits && i < length/4*32 && i < maxModes
				if m.Has(i) != want {
					t.Fatalf("%d bits in %d bytes: mode %d: %t", bits, length, i, m.Has(i))
				}
			}
		}
	}
}

func TestCommand(t *testing.T) {
	for _, c := range []struct {
		low, high uint16
		want      int
	}{
		{1000, 0, 1000},
		{0x86a0, 1, 100000},
		{0xffff, 0xffff, 0},
		{0xffff, 0, 0},
		{0, 0, 0},
	} {
		client := &Client{old: true, host: ioctls{fill: func(command uint32, b []byte) error {
			if command != unix.ETHTOOL_GSET {
				return unix.EOPNOTSUPP
			}
			if len(b) != commandSize {
				t.Errorf("a struct ethtool_cmd of %d bytes", len(b))
			}
			binary.NativeEndian.PutUint32(b[4:], 0x2f)
			binary.NativeEndian.PutUint32(b[8:], 0x20)
			binary.NativeEndian.PutUint16(b[12:], c.low)
			b[18] = 1
			binary.NativeEndian.PutUint16(b[28:], c.high)
			binary.NativeEndian.PutUint32(b[32:], 0x0f)
			return nil
		}}}
		want := Mode{SpeedMbit: c.want, Duplex: DuplexHalf, Supported: Modes{0x2f}, Announced: Modes{0x20}, Partner: Modes{0x0f}}
		got, err := client.Mode(7)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

// TestOldErrors: an ioctl that asks for the carrier says ENODEV for a device that is not present; one that asks for the mode may mean less.
func TestOldErrors(t *testing.T) {
	for _, c := range []struct {
		index                             int
		errno                             unix.Errno
		linkDetached, gone, modeSupported bool
	}{
		{7, unix.ENODEV, true, false, true},
		{7, unix.EOPNOTSUPP, false, false, false},
		{8, 0, false, true, true},
	} {
		client := &Client{old: true, host: ioctls{fill: func(uint32, []byte) error { return c.errno }}}
		if _, err := client.Link(c.index); IsDetached(err) != c.linkDetached || errors.Is(err, ErrGone) != c.gone {
			t.Errorf("link: %v", err)
		}
		if _, err := client.Mode(c.index); IsDetached(err) || errors.Is(err, ErrGone) != c.gone || IsUnsupported(err) == c.modeSupported {
			t.Errorf("mode: %v", err)
		}
		if _, err := client.Driver(c.index); IsDetached(err) != c.linkDetached || errors.Is(err, ErrGone) != c.gone {
			t.Errorf("driver: %v", err)
		}
	}
}

func TestMII(t *testing.T) {
	type registers = map[uint16]uint16
	for _, c := range []struct {
		name      string
		registers registers
		missing   error
		want      MII
		err       error
	}{
		{"a page arrived", registers{6: 0x000f}, nil, MII{known(true)}, nil},
		{"none since", registers{6: 0x000d}, nil, MII{known(false)}, nil},
		{"dark", registers{6: 4}, nil, MII{known(false)}, nil},
		{"nobody drives the bus", registers{6: 0xffff}, nil, MII{}, nil},
		{"a driver that has others", registers{5: 0x0021}, unix.EIO, MII{}, unix.EIO},
		{"a driver that has none", registers{}, unix.EIO, MII{}, unix.EIO},
		{"no PHY", nil, nil, MII{}, unix.EOPNOTSUPP},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := &Client{host: ioctls{registers: c.registers, missing: c.missing}}
			got, err := client.MII(7)
			if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
	client := &Client{host: ioctls{}}
	if _, err := client.MII(8); !errors.Is(err, ErrGone) {
		t.Errorf("got %v", err)
	}
}

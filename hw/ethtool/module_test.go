package ethtool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// pages is the memory of a module. A place that was read n times gives its n-th content, and then the last.
type pages map[place][][]byte

// at has contents of one place: the same half with the bytes set that are given by their number in the page.
func at(p place, contents ...map[int]byte) pages {
	var all [][]byte
	for _, c := range contents {
		b := make([]byte, half)
		for i, v := range c {
			b[i-int(p.offset())] = v
		}
		all = append(all, b)
	}
	return pages{p: all}
}

// and adds what it has not.
func (p pages) and(more ...pages) pages {
	all := pages{}
	for _, m := range append(more, p) {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

func (p pages) read(at place) ([]byte, error) {
	contents := p[at]
	if len(contents) == 0 {
		return nil, unix.EIO
	}
	if len(contents) > 1 {
		p[at] = contents[1:]
	}
	return contents[0], nil
}

// with sets further bytes.
func with(m map[int]byte, more map[int]byte) map[int]byte {
	all := map[int]byte{}
	for _, from := range []map[int]byte{m, more} {
		for k, v := range from {
			all[k] = v
		}
	}
	return all
}

// text is bytes of a text from a place on, padded as vendors do.
func text(at int, s string, length int) map[int]byte {
	all := map[int]byte{}
	for i := range length {
		all[at+i] = ' '
		if i < len(s) {
			all[at+i] = s[i]
		}
	}
	return all
}

// Places of modules.
var (
	a0     = place{i2c: deviceA0}
	a0high = place{i2c: deviceA0, high: true}
	a2     = place{i2c: deviceA2}
	page1  = place{i2c: deviceA0, page: 1, high: true}
	page10 = place{i2c: deviceA0, page: 0x10, high: true}
	page11 = place{i2c: deviceA0, page: 0x11, high: true}
)

// sfp is a short-range module that monitors, calibrates itself and has all flags.
func sfp() map[int]byte {
	m := map[int]byte{0: 0x03, 92: 0x60, 93: 0x70, 94: 0x08}
	m = with(m, text(20, "FINISAR CORP.", 16))
	m = with(m, text(40, "FTLX8571D3BCL", 16))
	return with(m, text(68, "AQ70C8D", 16))
}

// measured are measurements of the second device: 36.5 °C, 3.2955 V, 8.016 mA, 0.5735 mW out and 0.2116 mW in.
func measured() map[int]byte {
	return map[int]byte{96: 0x24, 97: 0x80, 98: 0x80, 99: 0xbb, 100: 0x0f, 101: 0xa8, 102: 0x16, 103: 0x67, 104: 0x08, 105: 0x44}
}

func TestSFP(t *testing.T) {
	named := Module{Kind: KindSFP, Identifier: 3, Vendor: "FINISAR CORP.", Part: "FTLX8571D3BCL", Serial: "AQ70C8D", Monitored: known(true)}
	values := Lane{BiasMilliamp: known(8.016), SentMilliwatt: known(0.5735), GotMilliwatt: known(0.2116)}
	flags := func(l Lane, lost, fault, off bool) Lane {
		l.LightLost, l.TransmitFault, l.TransmitOff = known(lost), known(fault), known(off)
		return l
	}
	lanes := func(l Lane) Module {
		m := named
		m.Celsius, m.Volt, m.Lanes = known(36.5), known(3.2955), []Lane{l}
		return m
	}
	unmonitored := named
	unmonitored.Monitored = known(false)
	unmeasured := named
	unmeasured.Lanes = []Lane{flags(Lane{}, false, false, false)}
	for _, c := range []struct {
		name   string
		memory pages
		want   Module
	}{
		{"light in and out", at(a0, sfp()).and(at(a2, measured())), lanes(flags(values, false, false, false))},
		{"no light in", at(a0, sfp()).and(at(a2, with(measured(), map[int]byte{110: 0x02, 104: 0, 105: 0}))),
			lanes(flags(Lane{BiasMilliamp: known(8.016), SentMilliwatt: known(0.5735), GotMilliwatt: known(0.0)}, true, false, false))},
		{"the transmitter is broken", at(a0, sfp()).and(at(a2, with(measured(), map[int]byte{110: 0x04}))), lanes(flags(values, false, true, false))},
		{"the transmitter is off", at(a0, sfp()).and(at(a2, with(measured(), map[int]byte{110: 0x80}))), lanes(flags(values, false, false, true))},
		{"flags that it does not have", at(a0, with(sfp(), map[int]byte{93: 0x10})).and(at(a2, with(measured(), map[int]byte{110: 0x86}))),
			lanes(Lane{LightLost: known(true), BiasMilliamp: values.BiasMilliamp, SentMilliwatt: values.SentMilliwatt, GotMilliwatt: values.GotMilliwatt})},
		{"nothing measured yet", at(a0, sfp()).and(at(a2, with(measured(), map[int]byte{110: 0x01}))), unmeasured},
		{"uncalibrated, and no word of how", at(a0, with(sfp(), map[int]byte{92: 0x40})).and(at(a2, measured())), unmeasured},
		{"the second device does not answer", at(a0, sfp()), named},
		{"no diagnostics", at(a0, with(sfp(), map[int]byte{92: 0})).and(at(a2, sfp())), unmonitored},
		{"diagnostics of no standard", at(a0, with(sfp(), map[int]byte{94: 0})).and(at(a2, sfp())), unmonitored},
		{"the second device has to be asked for", at(a0, with(sfp(), map[int]byte{92: 0x64})).and(at(a2, sfp())), named},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readModule(c.memory.read)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// TestExternalCalibration applies constants: slope 2 and offset 256 for the temperature, 1 for the rest, and for the received power a polynomial
// whose float coefficients are 0.5·x + 100.
func TestExternalCalibration(t *testing.T) {
	float := func(at int, v float32) map[int]byte {
		b := binary.BigEndian.AppendUint32(nil, math.Float32bits(v))
		return map[int]byte{at: b[0], at + 1: b[1], at + 2: b[2], at + 3: b[3]}
	}
	constants := map[int]byte{76: 1, 80: 1, 84: 2, 86: 1, 88: 1}
	memory := with(with(with(measured(), constants), float(68, 0.5)), float(72, 100))
	external := with(sfp(), map[int]byte{92: 0x50})
	got, err := readModule(at(a0, external).and(at(a2, memory)).read)
	ok(t, err)
	if got.Celsius != known(74.0) || got.Volt != known(3.2955) || len(got.Lanes) != 1 {
		t.Fatalf("got %+v", got)
	}
	l := got.Lanes[0]
	if l.BiasMilliamp != known(8.016) || l.SentMilliwatt != known(0.5735) || l.GotMilliwatt != known(0.1158) {
		t.Errorf("got %+v", l)
	}
	got, err = readModule(at(a0, external).and(at(a2, with(memory, float(72, float32(math.NaN()))))).read)
	if err != nil || len(got.Lanes) != 1 || got.Lanes[0].GotMilliwatt.Known || got.Celsius != known(74.0) {
		t.Errorf("a constant that is no number: %+v, %v", got, err)
	}
}

// qsfp is an optical module with all flags.
func qsfp() map[int]byte {
	return with(with(with(map[int]byte{147: 0x00, 195: 0x18, 220: 0x04}, text(148, "Mellanox", 16)), text(168, "MMA1B00-C100D", 16)), text(196, "MT1832FT", 16))
}

func TestQSFP(t *testing.T) {
	lower := map[int]byte{0: 0x11, 22: 0x20, 26: 0x80, 34: 0x10, 42: 0x0f, 43: 0xa0, 50: 0x20}
	lane := func(lost Maybe[bool], i int) Lane {
		l := Lane{LightLost: lost, TransmitFault: known(false), TransmitOff: known(i == 3),
			BiasMilliamp: known(0.0), SentMilliwatt: known(0.0), GotMilliwatt: known(0.0)}
		if i == 0 {
			l.BiasMilliamp, l.SentMilliwatt, l.GotMilliwatt = known(8.0), known(0.8192), known(0.4096)
		}
		return l
	}
	base := Module{Kind: KindQSFP, Identifier: 0x11, Vendor: "Mellanox", Part: "MMA1B00-C100D", Serial: "MT1832FT", Monitored: known(true)}
	lanes := func(lost ...Maybe[bool]) Module {
		m := base
		m.Celsius, m.Volt = known(32.0), known(3.2768)
		for i, l := range lost {
			m.Lanes = append(m.Lanes, lane(l, i))
		}
		return m
	}
	yes, no, unclear := known(true), known(false), Maybe[bool]{}
	flags := func(lost byte) map[int]byte { return with(lower, map[int]byte{3: lost, 86: 0x08}) }
	copper := Module{Kind: KindQSFP, Identifier: 0x11, Monitored: known(false)}
	silent := Module{Kind: KindQSFP, Identifier: 0x11}
	for _, c := range []struct {
		name   string
		memory pages
		want   Module
		lost   Maybe[bool]
	}{
		// The first reading is that of the identifier.
		{"light on all lanes", at(a0, lower, flags(0), flags(0)).and(at(a0high, qsfp())), lanes(no, no, no, no), no},
		{"no light on any", at(a0, lower, flags(0xf), flags(0xf)).and(at(a0high, qsfp())), lanes(yes, yes, yes, yes), yes},
		{"no light on one", at(a0, lower, flags(4), flags(4)).and(at(a0high, qsfp())), lanes(no, no, yes, no), unclear},
		{"what was has passed", at(a0, lower, flags(0xf), flags(0)).and(at(a0high, qsfp())), lanes(unclear, unclear, unclear, unclear), unclear},
		{"it begins now", at(a0, lower, flags(0), flags(0xf)).and(at(a0high, qsfp())), lanes(yes, yes, yes, yes), yes},
		{"not ready", at(a0, lower, with(flags(0xf), map[int]byte{2: 1})).and(at(a0high, qsfp())), base, unclear},
		{"copper", at(a0, lower).and(at(a0high, map[int]byte{147: 0xa0})), copper, unclear},
		{"only half of it answers", at(a0, lower), silent, unclear},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readModule(c.memory.read)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
			if len(got.Lanes) > 0 && (got.TransmitFault() != no || got.TransmitOff().Known) {
				t.Errorf("fault %+v, off %+v: only lane 4 is off", got.TransmitFault(), got.TransmitOff())
			}
			if got.LightLost() != c.lost {
				t.Errorf("light lost: %+v, want %+v", got.LightLost(), c.lost)
			}
		})
	}
}

func TestCMIS(t *testing.T) {
	lower := map[int]byte{0: 0x18, 3: 3 << 1, 14: 0x20, 16: 0x80}
	names := with(with(with(map[int]byte{210: 0xfc}, text(129, "Vendor", 16)), text(148, "Part", 16)), text(166, "Serial", 16))
	abilities := map[int]byte{155: 0x02, 157: 0x01, 158: 0x02, 160: 0x0f} // bias counts double
	status := func(lost, fault byte) map[int]byte {
		return map[int]byte{135: fault, 147: lost, 154: 0x20, 170: 0x0f, 171: 0xa0, 186: 0x10}
	}
	base := Module{Kind: KindCMIS, Identifier: 0x18, Vendor: "Vendor", Part: "Part", Serial: "Serial", Monitored: known(true),
		Fault: known(false), Celsius: known(32.0), Volt: known(3.2768)}
	all := at(a0, lower).and(at(a0high, names), at(page1, abilities), at(page10, map[int]byte{130: 0x02}), at(page11, status(3, 1), status(3, 1)))
	zero := known(0.0)
	both := base
	both.Lanes = []Lane{
		{known(true), known(true), known(false), known(16.0), known(0.8192), known(0.4096)},
		{known(true), known(false), known(true), zero, zero, zero},
	}
	bare := base
	bare.Lanes = []Lane{{}, {}}
	faulty := base
	faulty.Fault = known(true)
	flat := base
	flat.Monitored, flat.Fault, flat.Celsius, flat.Volt = known(false), Maybe[bool]{}, Maybe[float64]{}, Maybe[float64]{}
	for _, c := range []struct {
		name   string
		memory pages
		want   Module
	}{
		{"two lanes", all, both},
		{"nothing implemented", at(page1, map[int]byte{}).and(all), bare},
		{"faulty", at(a0, with(lower, map[int]byte{3: 5 << 1})).and(all), faulty},
		{"flat memory", at(a0, with(lower, map[int]byte{2: 0x80})).and(at(a0high, names)), flat},
		{"no page 1", at(a0, lower).and(at(a0high, names)), base},
		{"copper", at(a0, lower).and(at(a0high, with(names, map[int]byte{212: 0x0a}))), flat},
		{"no names", at(a0, lower), Module{Kind: KindCMIS, Identifier: 0x18}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readModule(c.memory.read)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// TestLanes: each ability of a CMIS module brings forth one value per lane, and no other.
func TestLanes(t *testing.T) {
	var status latch
	status.now = make([]byte, half)
	control := make([]byte, half)
	for i := range 8 {
		for _, values := range []int{154, 170, 186} { // sent, bias, got, in words
			status.now[values-half+2*i], status.now[values-half+2*i+1] = byte(values), byte(i)
		}
	}
	status.now[135-half], status.now[147-half], control[130-half] = 0x11, 0x22, 0x44
	status.before = status.now
	word := func(first byte, i int) float64 { return float64(int(first)<<8 + i) }
	for _, c := range []struct {
		name string
		at   int
		bits byte
		want func(i int) Lane
	}{
		{"nothing", 155, 0, func(int) Lane { return Lane{} }},
		{"light", 158, 1 << 1, func(i int) Lane { return Lane{LightLost: known(i == 1 || i == 5)} }},
		{"fault", 157, 1 << 0, func(i int) Lane { return Lane{TransmitFault: known(i == 0 || i == 4)} }},
		{"off", 155, 1 << 1, func(i int) Lane { return Lane{TransmitOff: known(i == 2 || i == 6)} }},
		{"bias", 160, 1 << 0, func(i int) Lane { return Lane{BiasMilliamp: known(word(170, i) / 500)} }},
		{"bias, twice", 160, 1<<0 | 1<<3, func(i int) Lane { return Lane{BiasMilliamp: known(2 * word(170, i) / 500)} }},
		{"bias, four times", 160, 1<<0 | 2<<3, func(i int) Lane { return Lane{BiasMilliamp: known(4 * word(170, i) / 500)} }},
		{"bias, times what no standard says", 160, 1<<0 | 3<<3, func(i int) Lane { return Lane{BiasMilliamp: known(4 * word(170, i) / 500)} }},
		{"sent", 160, 1 << 1, func(i int) Lane { return Lane{SentMilliwatt: known(word(154, i) / 10_000)} }},
		{"got", 160, 1 << 2, func(i int) Lane { return Lane{GotMilliwatt: known(word(186, i) / 10_000)} }},
	} {
		abilities := make([]byte, half)
		abilities[c.at-half] = c.bits
		for _, missing := range []byte{0, 0x0a, 0xff} {
			var want []Lane
			for i := range 8 {
				if missing>>i&1 == 0 {
					want = append(want, c.want(i))
				}
			}
			if diff := cmp.Diff(want, decodeLanes(abilities, control, status, missing)); diff != "" {
				t.Errorf("%s, without %08b:\n%s", c.name, missing, diff)
			}
		}
	}
	everything := bytes.Repeat([]byte{0xff}, half)
	for _, l := range decodeLanes(everything, nil, status, 0) {
		if l.TransmitOff.Known || !l.TransmitFault.Known {
			t.Errorf("without page 10h: %+v", l)
		}
	}
}

// TestQSFPLanes is TestLanes for SFF-8636.
func TestQSFPLanes(t *testing.T) {
	lower := map[int]byte{0: 0x11, 3: 0xf1, 4: 0xf2, 86: 0x04, 22: 0xff, 23: 0x80}
	for i := range 4 {
		for _, values := range []int{34, 42, 50} {
			lower[values+2*i], lower[values+2*i+1] = byte(values), byte(i)
		}
	}
	word := func(first byte, i int) float64 { return float64(int(first)<<8 + i) }
	for _, c := range []struct {
		name  string
		names map[int]byte
		want  func(l *Lane, i int)
	}{
		{"fault", map[int]byte{195: 1 << 3}, func(l *Lane, i int) { l.TransmitFault = known(i == 1) }},
		{"off", map[int]byte{195: 1 << 4}, func(l *Lane, i int) { l.TransmitOff = known(i == 2) }},
		{"sent", map[int]byte{220: 1 << 2}, func(l *Lane, i int) { l.SentMilliwatt = known(word(50, i) / 10_000) }},
	} {
		want := Module{Kind: KindQSFP, Identifier: 0x11, Monitored: known(true), Celsius: known(-0.5)}
		for i := range 4 {
			l := Lane{LightLost: known(i == 0), BiasMilliamp: known(word(42, i) / 500), GotMilliwatt: known(word(34, i) / 10_000)}
			c.want(&l, i)
			want.Lanes = append(want.Lanes, l)
		}
		got, err := readModule(at(a0, lower).and(at(a0high, c.names)).read)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", c.name, err, diff)
		}
	}
}

func TestKinds(t *testing.T) {
	want := map[uint8]Kind{
		0x03: KindSFP, 0x0b: KindSFP, 0x0c: KindQSFP, 0x0d: KindQSFP, 0x11: KindQSFP,
		0x18: KindCMIS, 0x19: KindCMIS, 0x1b: KindCMIS, 0x1e: KindCMIS, 0x1f: KindCMIS, 0x20: KindCMIS,
	}
	for identifier := range 256 {
		if got := kindOf(uint8(identifier)); got != want[uint8(identifier)] {
			t.Errorf("%#x: %v, want %v", identifier, got, want[uint8(identifier)])
		}
	}
}

func TestModuleOfAnotherKind(t *testing.T) {
	for _, c := range []struct {
		memory pages
		want   Module
	}{
		{at(a0, map[int]byte{0: 0x06}), Module{Identifier: 6}}, // XFP
		{pages{a0: {[]byte{3}}}, Module{}},                     // cut off
	} {
		got, err := readModule(c.memory.read)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	if m := (Module{}); m.LightLost().Known || m.TransmitFault().Known || m.TransmitOff().Known {
		t.Error("a module without lanes has flags")
	}
}

// serve answers MODULE_EEPROM requests from a module's memory.
func (p pages) serve(t *testing.T, body []byte) ([]netlink.Message, error) {
	where, want := place{}, map[uint16]uint64{}
	ad, err := netlink.NewAttributeDecoder(body)
	ok(t, err)
	for ad.Next() {
		switch ad.Type() {
		case eepromOffset, eepromLength:
			want[ad.Type()] = uint64(ad.Uint32())
		case eepromPage:
			where.page = ad.Uint8()
		case eepromDevice:
			where.i2c = ad.Uint8()
		case eepromBank:
			want[eepromBank] = uint64(ad.Uint8())
		}
	}
	ok(t, ad.Err())
	where.high = want[eepromOffset] == half
	if want[eepromLength] != half || want[eepromOffset]%half != 0 || want[eepromBank] != 0 {
		t.Errorf("asked for %+v", want)
	}
	b, err := p.read(where)
	if err != nil {
		return refused(unix.EIO, "", 0), nil
	}
	return replied(unix.ETHTOOL_MSG_MODULE_EEPROM_GET_REPLY, encode(func(ae *netlink.AttributeEncoder) { ae.Bytes(eepromData, b) })), nil
}

// inARow answers ETHTOOL_GMODULEINFO and ETHTOOL_GMODULEEEPROM.
func (p pages) inARow(kind, size uint32) func(uint32, []byte) error {
	return func(command uint32, b []byte) error {
		switch command {
		case unix.ETHTOOL_GMODULEINFO:
			binary.NativeEndian.PutUint32(b[4:], kind)
			binary.NativeEndian.PutUint32(b[8:], size)
			return nil
		case unix.ETHTOOL_GMODULEEEPROM:
			offset, length := binary.NativeEndian.Uint32(b[8:]), binary.NativeEndian.Uint32(b[12:])
			if length != half || int(length) != len(b)-eepromSize || offset+length > size {
				return unix.EFAULT
			}
			where := place{i2c: deviceA0, high: offset%256 == half}
			if offset >= 256 {
				where.i2c = deviceA2
			}
			content, err := p.read(where)
			copy(b[eepromSize:], content)
			return err
		}
		return unix.EOPNOTSUPP
	}
}

// TestModule reads the same module through netlink and through the ioctls.
func TestModule(t *testing.T) {
	memory := at(a0, sfp()).and(at(a2, with(measured(), map[int]byte{110: 0x02})))
	want, err := readModule(memory.read)
	ok(t, err)
	young := on(&kernel{answer: func(_ uint8, body []byte) ([]netlink.Message, error) { return memory.serve(t, body) }}, ioctls{})
	for name, client := range map[string]*Client{
		"netlink": young,
		"ioctl":   {old: true, host: ioctls{fill: memory.inARow(kind8472, 512)}},
	} {
		got, err := client.Module(7)
		if diff := cmp.Diff(want, got); diff != "" || err != nil || got.LightLost() != known(true) {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	// A kernel that takes the module for one without a second device answers for it with the first.
	misled := &Client{old: true, host: ioctls{fill: memory.inARow(1, 256)}}
	if got, err := misled.Module(7); err != nil || got.Vendor == "" || got.Lanes != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestRow: what lies in a row are the halves of page 0 and, of an SFP with diagnostics, those of the second device behind them.
func TestRow(t *testing.T) {
	const kind8079, kind8636 = 1, 3
	for _, c := range []struct {
		place place
		kind  uint32
		want  uint32
		ok    bool
	}{
		{a0, kind8079, 0, true}, {a0high, kind8079, 128, true}, {a2, kind8079, 0, false},
		{a0, kind8472, 0, true}, {a2, kind8472, 256, true}, {place{i2c: deviceA2, high: true}, kind8472, 384, true},
		{a0high, kind8636, 128, true}, {page1, kind8636, 0, false}, {page11, kind8636, 0, false},
	} {
		got, ok := row(c.place, c.kind)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%+v of kind %d: %d, %t", c.place, c.kind, got, ok)
		}
	}
}

// TestOldMemory reads up to the last byte and not beyond.
func TestOldMemory(t *testing.T) {
	memory := at(a0, sfp()).and(at(a0high, map[int]byte{128: 7}), at(a2, measured()))
	for _, c := range []struct {
		size uint32
		want map[place]bool
	}{
		{512, map[place]bool{a0: true, a0high: true, a2: true, page1: false}},
		{384, map[place]bool{a0: true, a0high: true, a2: true}},
		{383, map[place]bool{a0: true, a0high: true, a2: false}},
		{256, map[place]bool{a0: true, a0high: true, a2: false}},
		{255, map[place]bool{a0: true, a0high: false}},
		{127, map[place]bool{a0: false}},
		{0, map[place]bool{a0: false}},
	} {
		client := &Client{old: true, host: ioctls{fill: memory.inARow(kind8472, c.size)}}
		read, err := client.oldMemory(7)
		ok(t, err)
		for place, readable := range c.want {
			got, err := read(place)
			want, _ := memory.read(place)
			switch {
			case readable && (err != nil || !bytes.Equal(got, want)):
				t.Errorf("%d bytes, %+v: %x, %v", c.size, place, got, err)
			case !readable && !IsUnsupported(err):
				t.Errorf("%d bytes, %+v: %v, want that there is none", c.size, place, err)
			}
		}
	}
}

// TestModuleErrors: what a driver answers for want of a module says nothing about the port.
func TestModuleErrors(t *testing.T) {
	for _, c := range []struct {
		errno    unix.Errno
		link     unix.Errno // of the question about the port
		want     error
		detached bool
	}{
		{unix.EIO, 0, ErrModuleSilent, false},
		{unix.ENXIO, 0, ErrModuleSilent, false},
		{unix.ETIMEDOUT, 0, ErrModuleSilent, false},
		{unix.EREMOTEIO, 0, ErrModuleSilent, false},
		{unix.EINVAL, 0, ErrModuleSilent, false},
		{unix.ENODEV, 0, ErrModuleSilent, false},
		{unix.ENODEV, unix.EOPNOTSUPP, ErrModuleSilent, false},
		{unix.ENODEV, unix.ENODEV, ErrDetached, true},
		{unix.EIO, unix.ENODEV, ErrDetached, true},
		{unix.EOPNOTSUPP, 0, unix.EOPNOTSUPP, false},
		{unix.EPERM, 0, unix.EPERM, false},
		{unix.EBUSY, 0, unix.EBUSY, false},
	} {
		k := &kernel{answer: func(command uint8, _ []byte) ([]netlink.Message, error) {
			switch {
			case command == unix.ETHTOOL_MSG_MODULE_EEPROM_GET:
				return refused(c.errno, "", 0), nil
			case c.link != 0:
				return refused(c.link, "", 0), nil
			}
			return replied(unix.ETHTOOL_MSG_LINKSTATE_GET_REPLY, linkUp()), nil
		}}
		fill := func(command uint32, b []byte) error {
			switch {
			case command == unix.ETHTOOL_GMODULEINFO:
				return c.errno
			case c.link != 0:
				return c.link
			}
			return nil
		}
		for name, client := range map[string]*Client{"netlink": on(k, ioctls{}), "ioctl": {old: true, host: ioctls{fill: fill}}} {
			_, err := client.Module(7)
			if !errors.Is(err, c.want) || IsDetached(err) != c.detached {
				t.Errorf("%s, %v with %v: %v, want %v", name, c.errno, c.link, err, c.want)
			}
			if errors.Is(err, ErrModuleSilent) && errors.Is(err, c.errno) {
				t.Errorf("%s: the errno of the module is left in %v", name, err)
			}
		}
	}
}

package ethtool

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	rtnetlink "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var (
	update  = flag.Bool("update", false, "rewrite what the recordings are decoded to")
	capture = flag.Bool("record", false, "capture again what the running kernel can produce, and construct the rest")
)

// decoders, by the first word of a recording's name (behind "constructed").
var decoders = map[string]func(b []byte) any{
	"link":     func(b []byte) any { return decodeLink(b) },
	"mode":     func(b []byte) any { return decodeMode(b) },
	"cable":    func(b []byte) any { return decodeCable(b) },
	"page":     func(b []byte) any { return decodePage(b) },
	"oldlink":  func(b []byte) any { return decodeOldLink(b) },
	"settings": func(b []byte) any { return decodeSettings(b) },
	"command":  func(b []byte) any { return decodeCommand(b) },
	"driver":   func(b []byte) any { return decodeDriver(b) },
	"mii":      func(b []byte) any { return decodeMII(binary.NativeEndian.Uint16(b)) },
	"refusal":  func(b []byte) any { return decodeRefusal(b) },
}

// TestRecordings decodes what kernels said. A recording is what was done, the bytes, and after ">" what they mean; a file holds those for
// one decoder, after which it is named.
func TestRecordings(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the recordings are of a little-endian machine")
	}
	for want, decode := range decoders {
		files, err := filepath.Glob("testdata/*" + want + ".txt")
		ok(t, err)
		if len(files) == 0 {
			t.Errorf("there is no recording for the decoder of %s", want)
		}
		for _, name := range files {
			if _, kind := source(name); kind != want {
				continue
			}
			recorded, err := os.ReadFile(name)
			ok(t, err)
			var blocks []string
			for block := range strings.SplitSeq(strings.TrimSpace(string(recorded)), "\n\n") {
				blocks = append(blocks, decodeBlock(t, block, decode))
			}
			got := strings.Join(blocks, "\n")
			if *update {
				ok(t, os.WriteFile(name, []byte(got), 0o644))
			}
			if diff := cmp.Diff(string(recorded), got); diff != "" {
				t.Errorf("%s (-recorded +decoded):\n%s", name, diff)
			}
		}
	}
}

// TestCutOff cuts every recording off everywhere.
func TestCutOff(t *testing.T) {
	fixed := map[string]bool{"oldlink": true, "settings": true, "command": true, "driver": true, "mii": true} // whose size is the caller's
	files, err := filepath.Glob("testdata/*.txt")
	ok(t, err)
	for _, name := range files {
		_, kind := source(name)
		if fixed[kind] {
			continue
		}
		text, err := os.ReadFile(name)
		ok(t, err)
		for _, b := range bytesOf(t, string(text)) {
			for length := range b {
				decoders[kind](b[:length:length])
			}
		}
	}
}

// source splits the name of a file: whence its recordings are ("", "machine" or "constructed"), and for which decoder.
func source(name string) (from, kind string) {
	from, kind, found := strings.Cut(strings.TrimSuffix(filepath.Base(name), ".txt"), "-")
	if !found {
		return "", from
	}
	return from, kind
}

// decodeBlock is a recording with what its bytes mean.
func decodeBlock(t *testing.T, block string, decode func([]byte) any) string {
	t.Helper()
	var head strings.Builder
	for line := range strings.SplitSeq(block, "\n") {
		if !strings.HasPrefix(line, ">") {
			head.WriteString(line + "\n")
		}
	}
	return head.String() + describe(decode(bytesOf(t, block)[0]))
}

// bytesOf are those of each recording in a text.
func bytesOf(t testing.TB, text string) (all [][]byte) {
	t.Helper()
	for block := range strings.SplitSeq(text, "\n\n") {
		var digits strings.Builder
		for line := range strings.SplitSeq(block, "\n") {
			if !strings.HasPrefix(line, ">") && !strings.HasPrefix(line, "#") {
				digits.WriteString(line)
			}
		}
		b, err := hex.DecodeString(digits.String())
		ok(t, err)
		all = append(all, b)
	}
	return all
}

// decodeRefusal says what the kernel's refusal of a question is taken for.
func decodeRefusal(b []byte) any {
	var m netlink.Message
	if err := m.UnmarshalBinary(b); err != nil {
		return err
	}
	m.Header.Sequence, m.Header.PID = 0, 0
	k := &kernel{answer: func(uint8, []byte) ([]netlink.Message, error) { return []netlink.Message{m}, nil }}
	client := on(k, ioctls{})
	client.plain = true
	_, err := client.Link(7)
	return err
}

// describe is a value as lines, without what is unknown, empty or zero.
func describe(v any) string {
	var b strings.Builder
	if err, is := v.(error); is {
		return fmt.Sprintf("> %v\n", err)
	}
	known := reflect.ValueOf(v)
	switch {
	case known.Kind() == reflect.Slice:
		fmt.Fprintf(&b, "> %d bytes %x\n", known.Len(), v)
	default:
		for i := range known.NumField() {
			field := known.Field(i)
			if !field.IsZero() {
				fmt.Fprintf(&b, "> %s %s\n", known.Type().Field(i).Name, describeField(field))
			}
		}
	}
	if link, is := v.(Link); is {
		if r, why := link.Reason(); why {
			fmt.Fprintf(&b, "> because of %v\n", r)
		}
	}
	if b.Len() == 0 {
		return "> nothing\n"
	}
	return b.String()
}

func describeField(v reflect.Value) string {
	if v.Kind() == reflect.Struct && v.NumField() == 2 && v.Type().Field(0).Name == "Known" {
		return describeField(v.Field(1))
	}
	if v.Type() == reflect.TypeFor[Modes]() {
		m := v.Interface().(Modes)
		var bits []string
		for i := range maxModes {
			if m.Has(i) {
				bits = append(bits, fmt.Sprint(i))
			}
		}
		return strings.Join(bits, " ")
	}
	return fmt.Sprint(v)
}

// recordings are what goes into each file.
type recordings map[string][]recording

// recording is what was done and what came of it.
type recording struct {
	what string
	b    []byte
}

func (r recordings) add(file, what string, b []byte) {
	// What does not depend on the state of a port is recorded once.
	if file == "driver" && slices.ContainsFunc(r[file], func(other recording) bool { return bytes.Equal(other.b, b) }) {
		return
	}
	r[file] = append(r[file], recording{what, b})
}

// text is the content of a file, which TestRecordings -update completes.
func (r recordings) text(file string) string {
	var blocks []string
	for _, block := range r[file] {
		var text strings.Builder
		for line := range strings.Lines(block.what) {
			fmt.Fprintf(&text, "# %s\n", strings.TrimSpace(line))
		}
		for line := range slices.Chunk(block.b, 60) {
			fmt.Fprintf(&text, "%x\n", line)
		}
		blocks = append(blocks, text.String())
	}
	return strings.Join(blocks, "\n")
}

func (r recordings) constructed(kind, what string, b []byte) {
	r.add("constructed-"+kind, "Constructed: "+what, b)
}

// TestRecord captures what this kernel says of a tap, of a veth, of lo and, where the host has one, of a virtio port:
//
//	go test ./hw/ethtool -run TestRecord -record && go test ./hw/ethtool -run TestRecordings -update
func TestRecord(t *testing.T) {
	if !*capture {
		t.Skip("captures recordings only with -record")
	}
	var u unix.Utsname
	ok(t, unix.Uname(&u))
	from := fmt.Sprintf("Kernel %s (%s), by go test ./hw/ethtool -run TestRecord -record", unix.ByteSliceToString(u.Release[:]), runtime.GOARCH)
	l := newLaboratory(t)
	r := recorder{recordings: recordings{}, from: from, client: l.client}
	l.in(t, func() error {
		r.port("a tap with carrier", l.index)
		cut := l.cable.Cut()
		r.port("a tap without carrier (TUNSETCARRIER 0)", l.index)
		down := setUp("p1", false)
		r.port("a tap that is administratively down", l.index)
		r.port("lo", 1)
		veth := rtnetlink.LinkAdd(&rtnetlink.Veth{LinkAttrs: rtnetlink.LinkAttrs{Name: "v0"}, PeerName: "v1"})
		if v0, err := rtnetlink.LinkByName("v0"); err == nil {
			r.port("a veth that is administratively down", v0.Attrs().Index)
		}
		return errors.Join(cut, down, veth,
			r.refusal("LINKSTATE_GET for a port that does not exist", unix.ETHTOOL_MSG_LINKSTATE_GET, 99999, 0),
			r.refusal("LINKMODES_GET for lo", unix.ETHTOOL_MSG_LINKMODES_GET, 1, 0),
			r.refusal("LINKSTATE_GET for lo with a header flag that this kernel does not know", unix.ETHTOOL_MSG_LINKSTATE_GET, 1, 1<<30),
		)
	})
	host, err := Open()
	ok(t, err)
	defer func() { _ = host.Close() }()
	r.client = host
	for index := 2; index < 10; index++ {
		if d, err := host.Driver(index); err == nil && d.Name == "virtio_net" {
			r.port("a virtio port with carrier", index)
			break
		}
	}
	construct(r.recordings)
	for file := range r.recordings {
		ok(t, os.WriteFile(filepath.Join("testdata", file+".txt"), []byte(r.text(file)), 0o644))
	}
}

// setUp is what ip link set up and down do, in the network namespace of the caller.
func setUp(name string, up bool) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r); err != nil {
		return err
	}
	flags := r.Uint16() &^ unix.IFF_UP
	if up {
		flags |= unix.IFF_UP
	}
	r.SetUint16(flags)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

type recorder struct {
	recordings
	from   string
	client *Client
}

// port captures every answer there is about a port.
func (r recorder) port(what string, index int) {
	for _, q := range []struct {
		kind     string
		question question
	}{
		{"link", question{command: unix.ETHTOOL_MSG_LINKSTATE_GET, reply: unix.ETHTOOL_MSG_LINKSTATE_GET_REPLY, flags: unix.ETHTOOL_FLAG_STATS}},
		{"mode", question{command: unix.ETHTOOL_MSG_LINKMODES_GET, reply: unix.ETHTOOL_MSG_LINKMODES_GET_REPLY, flags: unix.ETHTOOL_FLAG_COMPACT_BITSETS}},
	} {
		q.question.index = index
		b, err := r.client.family.ask(q.question)
		if errors.Is(err, unix.EINVAL) {
			q.question.flags = 0
			b, err = r.client.family.ask(q.question)
		}
		if err == nil {
			r.add(q.kind, fmt.Sprintf("The reply about %s.\n%s", what, r.from), b)
		}
	}
	h := &recordingHost{host: r.client.host}
	old := &Client{old: true, host: h}
	if _, err := old.MII(index); err == nil {
		r.add("mii", fmt.Sprintf("Register 6 by SIOCGMIIREG of %s.\n%s", what, r.from), h.last)
	}
	for kind, ask := range map[string]func() error{
		"oldlink":  func() error { _, err := old.Link(index); return err },
		"settings": func() error { _, err := old.settings(index); return err },
		"command":  func() error { _, err := old.filled(index, unix.ETHTOOL_GSET, commandSize); return err },
		"driver":   func() error { _, err := old.Driver(index); return err },
	} {
		if err := ask(); err == nil {
			if kind == "settings" { // whose buffer is as large as it can be
				h.last = h.last[:settingsSize+3*4*int(h.last[settingsWords])]
			}
			r.add(kind, fmt.Sprintf("What SIOCETHTOOL fills in for %s.\n%s", what, r.from), h.last)
		}
	}
}

// recordingHost keeps what the last ioctl filled in.
type recordingHost struct {
	host
	last []byte
}

func (h *recordingHost) mii(name string, request uint, m *miiData) error {
	err := h.host.mii(name, request, m)
	h.last = binary.NativeEndian.AppendUint16(nil, m.out)
	return err
}

func (h *recordingHost) ethtool(name string, b []byte) error {
	err := h.host.ethtool(name, b)
	h.last = bytes.Clone(b)
	return err
}

// refusal captures the message, header included, with which the kernel refuses a request.
func (r recorder) refusal(what string, command uint8, index int, flags uint32) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	body, err := question{command: command, index: index, flags: flags}.encode()
	if err != nil {
		return err
	}
	m := netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(r.client.family.id), Flags: netlink.Request, Sequence: 1},
		Data:   append([]byte{command, unix.ETHTOOL_GENL_VERSION, 0, 0}, body...),
	}
	m.Header.Length = uint32(unix.SizeofNlMsghdr + len(m.Data))
	b, err := m.MarshalBinary()
	if err != nil {
		return err
	}
	answer := make([]byte, 4096)
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}),
		unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
	)
	if err != nil {
		return err
	}
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	r.add("refusal", fmt.Sprintf("The refusal of %s.\n%s", what, r.from), answer[:n])
	return nil
}

// bitset is one as the kernel writes it when asked for the compact form.
func bitset(kind uint16, bits uint32, value, mask []uint32) func(*netlink.AttributeEncoder) {
	words := func(all []uint32) (b []byte) {
		for _, w := range all {
			b = binary.NativeEndian.AppendUint32(b, w)
		}
		return b
	}
	return func(ae *netlink.AttributeEncoder) {
		ae.Nested(kind, func(n *netlink.AttributeEncoder) error {
			if mask == nil {
				n.Flag(unix.ETHTOOL_A_BITSET_NOMASK, true)
			}
			n.Uint32(unix.ETHTOOL_A_BITSET_SIZE, bits)
			n.Bytes(unix.ETHTOOL_A_BITSET_VALUE, words(value))
			if mask != nil {
				n.Bytes(unix.ETHTOOL_A_BITSET_MASK, words(mask))
			}
			return nil
		})
	}
}

// about is the header attribute of a reply.
func about(ae *netlink.AttributeEncoder) {
	ae.Nested(header, func(n *netlink.AttributeEncoder) error {
		n.Uint32(unix.ETHTOOL_A_HEADER_DEV_INDEX, 7)
		n.String(unix.ETHTOOL_A_HEADER_DEV_NAME, "p4p1")
		return nil
	})
}

// construct writes what no driver here produces, from linux/ethtool_netlink.h and what the drivers' sources give to the kernel.
func construct(r recordings) {
	const (
		lnk, sqi, best = unix.ETHTOOL_A_LINKSTATE_LINK, unix.ETHTOOL_A_LINKSTATE_SQI, unix.ETHTOOL_A_LINKSTATE_SQI_MAX
		state, sub     = unix.ETHTOOL_A_LINKSTATE_EXT_STATE, unix.ETHTOOL_A_LINKSTATE_EXT_SUBSTATE
		downs          = unix.ETHTOOL_A_LINKSTATE_EXT_DOWN_CNT
	)
	type attribute struct {
		kind  uint16
		value any
	}
	link := func(what string, attributes ...attribute) {
		r.constructed("link", what, encode(func(ae *netlink.AttributeEncoder) {
			about(ae)
			for _, a := range attributes {
				switch v := a.value.(type) {
				case uint8:
					ae.Uint8(a.kind, v)
				case uint32:
					ae.Uint32(a.kind, v)
				}
			}
		}))
	}
	dark := attribute{lnk, uint8(0)}
	link("mlx5, module unplugged (monitor opcode 1024).", dark, attribute{state, uint8(ExtNoCable)}, attribute{downs, uint32(3)})
	link("mlx5, nobody at the other end (monitor opcode 2).", dark, attribute{state, uint8(ExtAutoneg)}, attribute{sub, uint8(AutonegNoPartner)}, attribute{downs, uint32(4)})
	link("mlx5, the partner does not hear us (monitor opcode 14).", dark, attribute{state, uint8(ExtTrainingFailure)}, attribute{sub, uint8(TrainingRemoteFault)})
	link("mlx5, too hot (monitor opcode 1032).", dark, attribute{state, uint8(ExtOverheat)})
	link("bnxt (7.x), reference clock of the SerDes lost.", dark, attribute{state, uint8(ExtBadSignal)}, attribute{sub, uint8(SignalClock)})
	link("hinic, which says class 0 when it has nothing to say.", dark, attribute{state, uint8(ExtAutoneg)})
	link("mlxsw, CMIS module not ready.", dark, attribute{state, uint8(ExtModule)}, attribute{sub, uint8(1)})
	link("a 100BASE-T1 PHY with its signal quality.", attribute{lnk, uint8(1)}, attribute{sqi, uint32(5)}, attribute{best, uint32(7)}, attribute{downs, uint32(1)})
	link("a kernel of the future, whose class is wider and has a higher number, with attributes that nobody knows.",
		dark, attribute{state, uint32(200)}, attribute{sub, uint32(7)}, attribute{99, uint32(1)})
	link("a class and a substate that are larger than any of this program's.", dark, attribute{state, uint32(256)}, attribute{sub, uint32(70000)})
	constructModes(r)
	constructRest(r)
}

func constructModes(r recordings) {
	mode := func(what string, add ...func(*netlink.AttributeEncoder)) {
		r.constructed("mode", what, encode(func(ae *netlink.AttributeEncoder) {
			about(ae)
			for _, a := range add {
				a(ae)
			}
		}))
	}
	number8 := func(kind uint16, v uint8) func(*netlink.AttributeEncoder) {
		return func(ae *netlink.AttributeEncoder) { ae.Uint8(kind, v) }
	}
	number32 := func(kind uint16, v uint32) func(*netlink.AttributeEncoder) {
		return func(ae *netlink.AttributeEncoder) { ae.Uint32(kind, v) }
	}
	const ours, peer = unix.ETHTOOL_A_LINKMODES_OURS, unix.ETHTOOL_A_LINKMODES_PEER
	auto := number8(unix.ETHTOOL_A_LINKMODES_AUTONEG, 1)
	unknown := []func(*netlink.AttributeEncoder){number32(unix.ETHTOOL_A_LINKMODES_SPEED, 0xffffffff), number8(unix.ETHTOOL_A_LINKMODES_DUPLEX, 0xff)}
	gigabit := []func(*netlink.AttributeEncoder){number32(unix.ETHTOOL_A_LINKMODES_SPEED, 1000), number8(unix.ETHTOOL_A_LINKMODES_DUPLEX, 1)}
	mode("a phylib port that is slave of a gigabit link.", append(gigabit, auto,
		bitset(ours, 92, []uint32{0x60ff, 0, 0}, []uint32{0x60ff, 0, 0}), bitset(peer, 92, []uint32{0x206c, 0, 0}, nil),
		number8(unix.ETHTOOL_A_LINKMODES_MASTER_SLAVE_CFG, 2), number8(unix.ETHTOOL_A_LINKMODES_MASTER_SLAVE_STATE, 3),
		number8(unix.ETHTOOL_A_LINKMODES_RATE_MATCHING, 0))...)
	mode("a dark port whose partner announces 10 and 100 Mbit/s.", append(unknown, auto,
		bitset(ours, 92, []uint32{0x60ff, 0, 0}, []uint32{0x60ff, 0, 0}), bitset(peer, 92, []uint32{0x4f, 0, 0}, nil))...)
	mode("a port with eight lanes and modes beyond number 92, on a kernel with 125.",
		number8(unix.ETHTOOL_A_LINKMODES_AUTONEG, 0), bitset(ours, 125, []uint32{0, 0, 1 << 5, 1 << 28}, []uint32{0, 0, 1 << 5, 1 << 28}),
		number32(unix.ETHTOOL_A_LINKMODES_SPEED, 400000), number8(unix.ETHTOOL_A_LINKMODES_DUPLEX, 1), number32(unix.ETHTOOL_A_LINKMODES_LANES, 8))
	mode("a bitset that claims 2^32-1 modes and has 32.", append(unknown, auto, bitset(ours, 0xffffffff, []uint32{1}, []uint32{3}))...)
	mode("the verbose form, for which nobody asked.", append(unknown, func(ae *netlink.AttributeEncoder) {
		ae.Nested(peer, func(n *netlink.AttributeEncoder) error {
			n.Flag(unix.ETHTOOL_A_BITSET_NOMASK, true)
			n.Nested(unix.ETHTOOL_A_BITSET_BITS, func(n *netlink.AttributeEncoder) error {
				n.Nested(unix.ETHTOOL_A_BITSET_BITS_BIT, func(n *netlink.AttributeEncoder) error {
					n.Uint32(unix.ETHTOOL_A_BITSET_BIT_INDEX, 5)
					n.String(unix.ETHTOOL_A_BITSET_BIT_NAME, "1000baseT/Full")
					return nil
				})
				return nil
			})
			return nil
		})
	})...)
}

func constructRest(r recordings) {
	r.constructed("page", "MODULE_EEPROM reply with the first bytes of an SFP.", encode(func(ae *netlink.AttributeEncoder) {
		about(ae)
		ae.Bytes(eepromData, []byte{0x03, 0x04, 0x07, 0x10})
	}))
	r.constructed("cable", "a cable test began.", cableStarted())
	r.constructed("cable", "a cable test ended; pair B is open at 32 m, by two methods, and short to another at 31 m by one.", cableOpen())
	for _, c := range []struct{ what, text string }{
		{"ethnl_ops_begin finds the device not present, and says no more than ENODEV.", ""},
		{"the driver's get_link_ksettings answers ENODEV, as phylib does without a PHY.", "failed to retrieve link settings"},
	} {
		m := refused(unix.ENODEV, c.text, 0)[0]
		m.Header.Length = uint32(unix.SizeofNlMsghdr + len(m.Data))
		header := binary.NativeEndian.AppendUint32(nil, m.Header.Length)
		header = binary.NativeEndian.AppendUint16(header, uint16(m.Header.Type))
		header = binary.NativeEndian.AppendUint16(header, uint16(m.Header.Flags))
		r.constructed("refusal", c.what, append(append(header, make([]byte, 8)...), m.Data...))
	}
}

// cableStarted and cableOpen are notifications about port 7.
func cableStarted() []byte {
	return encode(func(ae *netlink.AttributeEncoder) {
		about(ae)
		ae.Uint8(unix.ETHTOOL_A_CABLE_TEST_NTF_STATUS, unix.ETHTOOL_A_CABLE_TEST_NTF_STATUS_STARTED)
	})
}

func cableOpen() []byte {
	return encode(func(ae *netlink.AttributeEncoder) {
		about(ae)
		ae.Uint8(unix.ETHTOOL_A_CABLE_TEST_NTF_STATUS, unix.ETHTOOL_A_CABLE_TEST_NTF_STATUS_COMPLETED)
		ae.Nested(unix.ETHTOOL_A_CABLE_TEST_NTF_NEST, func(n *netlink.AttributeEncoder) error {
			length := func(pair uint8, cm uint32) {
				n.Nested(unix.ETHTOOL_A_CABLE_NEST_FAULT_LENGTH, func(n *netlink.AttributeEncoder) error {
					n.Uint8(unix.ETHTOOL_A_CABLE_FAULT_LENGTH_PAIR, pair)
					n.Uint32(unix.ETHTOOL_A_CABLE_FAULT_LENGTH_CM, cm)
					return nil
				})
			}
			result := func(pair, code uint8) {
				n.Nested(unix.ETHTOOL_A_CABLE_NEST_RESULT, func(n *netlink.AttributeEncoder) error {
					n.Uint8(unix.ETHTOOL_A_CABLE_RESULT_PAIR, pair)
					n.Uint8(unix.ETHTOOL_A_CABLE_RESULT_CODE, code)
					return nil
				})
			}
			result(3, uint8(CableOK))
			length(1, 3200)
			result(1, uint8(CableOpen))
			result(1, uint8(CableCrossShort))
			length(1, 3100)
			result(0, uint8(CableOK))
			result(2, uint8(CableOK))
			result(9, uint8(CableOK)) // a pair that no cable has
			return nil
		})
	})
}

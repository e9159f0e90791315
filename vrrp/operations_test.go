package vrrp

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// operation is a title of the UNH-IOL VRRP operations test suite, revision 2.5.
type operation struct {
	number, title string
	run           func(*testing.T) // run by TestOperations in the name of its number
	by            []proof          // others that belong to it
}

// TestOperations runs the titles that packets and states alone can show. The rest is shown by the daemon.
func TestOperations(t *testing.T) {
	for _, o := range operations {
		if o.run != nil {
			t.Run(o.number, o.run)
		}
	}
}

// operations are all 22, in version 2, which the suite was written for, and in version 3 over both families.
var operations = []operation{
	{number: "1.1", title: "Basic VRRP interoperability", by: shown("service/lab.TestInteropMaster", "service/lab.TestInteropBackup", "service/lab.TestInteropIPv6")},
	{number: "1.2", title: "Advanced VRRP interoperability", by: shown("service/lab.TestInteropNoPreempt", "service/lab.TestInteropFault", "service.TestGroupOfTwoFamilies")},
	{number: "2.1", title: "The Initialize state", run: operation21, by: shown(TestGrid)},
	{number: "2.2", title: "Packet reception in the Backup state", run: operation22,
		by: shown("vrrp/node.TestOnlyAMasterHoldsAddresses", "hw/address.TestDropVIP", "service/lab.TestStories")},
	{number: "2.3", title: "Master down in the Backup state", run: operation23, by: shown("vrrp/node.TestAnnouncesWhatIsThere", "service.TestElection")},
	{number: "2.4", title: "Advertisement reception in the Backup state", run: operation24, by: shown(TestGrid)},
	{number: "2.5", title: "Packet reception in the Master state", run: operation25,
		by: shown("hw/address.TestSetVIPInTheKernel", "hw/probe.TestLinuxAnswers", "service/lab.TestStories")},
	{number: "2.6", title: "Shutdown event in the Master state", run: operation26, by: shown("service.TestStopSaysGoodbye", "service/lab.TestStop")},
	{number: "2.7", title: "Advertisement reception in the Master state", run: operation27, by: shown(TestGrid)},
	{number: "3.1", title: "Advertisement_Interval", run: operation31, by: shown(TestBeat, "configfs.TestFixtures")},
	{number: "3.2", title: "Skew_Time", run: operation32, by: shown(TestSkewAndMasterDown, TestSkewOrders)},
	{number: "3.3", title: "Master_Down_Interval", run: operation33, by: shown(TestSkewAndMasterDown, TestDeadlineToTheNanosecond)},
	{number: "3.4", title: "Preempt_Mode", run: operation34, by: shown("service/lab.TestInteropNoPreempt")},
	{number: "4.1", title: "Reception of invalid TTL field", run: dropsEach(CheckTTL, false, func(p *Packet, n int) { p.TTL = n }, 255)},
	{number: "4.2", title: "Reception of invalid version field", run: operation42},
	{number: "4.3", title: "Reception of invalid complete VRRP packet length", run: operation43},
	{number: "4.4", title: "Reception of invalid checksum field", run: operation44},
	{number: "4.5", title: "Reception of invalid VRID field",
		run: dropsEach(CheckVRID, true, func(p *Packet, n int) { p.Payload[1] = byte(n) }, int(listen2.VRID)), by: shown("service/lab.TestWrongPackets")},
	{number: "4.6", title: "Reception of invalid Auth Type information", run: operation46},
	{number: "4.7", title: "Reception of invalid Adver Interval information", run: operation47},
	{number: "4.8", title: "Reception of invalid unknown type field", run: operation48},
	{number: "4.9", title: "Proper transmission of VRRP packets", run: operation49,
		by: shown(TestGoldenSent, "hw/wire.TestSend", "hw/wire.TestGroupMAC", "vrrp/node.TestSourceAndGroupOfAdverts")},
}

// A router that is not started takes part in nothing; started, it is BACKUP, or MASTER with priority 255.
func operation21(t *testing.T) {
	try(t, kinds, func(x *trial) {
		for _, priority := range []byte{0, 1, 100, 255} {
			x.tell(x.from(200, priority))
			x.tell(Expired{})
			x.is("INIT")
		}
		x.tell(Start{Source: x.host(ourHost)}, "INIT > BACKUP (started)")
		x.is("BACKUP +3.609375s")
		x.owner()
		x.fresh()
		x.tell(Start{Source: x.host(ourHost)}, "send 255", "INIT > MASTER (owner)")
		x.is("MASTER +1s")
	})
}

// Whatever a BACKUP hears, it says nothing: an advert is a MASTER's.
func operation22(t *testing.T) {
	try(t, kinds, func(x *trial) {
		x.backup()
		for priority := range 256 {
			for _, host := range []byte{50, ourHost, 200} {
				x.tell(x.from(host, byte(priority)))
			}
		}
		if x.m.Status().State != Backup {
			t.Errorf("it is %v", x.m.Status().State)
		}
	})
}

func operation23(t *testing.T) {
	try(t, kinds, func(x *trial) {
		x.backup()
		x.pass(3_609_375_000 - 1)
		x.tell(Expired{})
		x.pass(1)
		x.tell(Expired{}, "send 100", "BACKUP > MASTER (silence)")
		x.is("MASTER +1s")
	})
}

func operation24(t *testing.T) {
	try(t, kinds, func(x *trial) {
		for _, tt := range []struct {
			priority byte
			preempt  bool
			want     string
		}{
			{0, true, "BACKUP +609.375ms"}, {0, false, "BACKUP +609.375ms"},
			{99, true, "BACKUP +2.609375s"}, {99, false, "BACKUP +3.609375s"},
			{100, true, "BACKUP +3.609375s"}, {100, false, "BACKUP +3.609375s"},
			{255, true, "BACKUP +3.609375s"}, {255, false, "BACKUP +3.609375s"},
		} {
			x.p.Preempt = tt.preempt
			x.backup()
			x.pass(time.Second)
			x.tell(x.from(200, tt.priority))
			x.is(tt.want)
		}
	})
}

// A MASTER that nobody contests goes on, whoever starts or is addressed meanwhile.
func operation25(t *testing.T) {
	try(t, kinds, func(x *trial) {
		x.master()
		for _, e := range []Event{Start{Source: x.host(7)}, Repaired{}, Ruled{}, Ruled{Ruling: TakeOver}, Ruled{Ruling: Hold}} {
			x.tell(e)
			x.is("MASTER +1s")
		}
	})
}

func operation26(t *testing.T) {
	try(t, kinds, func(x *trial) {
		x.master()
		x.tell(Stop{}, "send 0", "MASTER > INIT (stopped)")
		x.is("INIT")
		b, err := x.p.Advert(0).Append(nil, x.host(ourHost), x.p.Family.Group())
		if err != nil {
			t.Fatal(err)
		}
		p := Packet{Src: x.host(ourHost), Dst: x.p.Family.Group(), TTL: 255, Payload: b}
		if a, check, remarks := Receive(p, x.p); check != Accepted || remarks != 0 || a.Priority != 0 {
			t.Errorf("the goodbye arrives as %+v, %v, %q", a, check, remarks)
		}
	})
}

// In version 2 as in version 3: a lesser MASTER is answered at once, as keepalived does in both.
func operation27(t *testing.T) {
	try(t, kinds, func(x *trial) {
		for _, tt := range []struct {
			e    Heard
			want []string
			is   string
		}{
			{x.from(50, 0), []string{"send 100"}, "MASTER +1s"},
			{x.from(200, 99), []string{"send 100", "reannounce"}, "MASTER +400ms"},
			{x.from(99, 100), []string{"send 100", "reannounce"}, "MASTER +400ms"},
			{x.from(101, 100), []string{"MASTER > BACKUP (outranked)"}, "BACKUP +3.609375s"},
			{x.from(50, 101), []string{"MASTER > BACKUP (outranked)"}, "BACKUP +3.609375s"},
		} {
			x.master()
			x.pass(600 * time.Millisecond)
			x.tell(tt.e, tt.want...)
			x.is(tt.is)
		}
	})
}

// The interval is kept, in the steps and bounds of each version.
func operation31(t *testing.T) {
	intervals := map[Version][]time.Duration{
		V2: {time.Second, 2 * time.Second, 255 * time.Second},
		V3: {10 * time.Millisecond, 990 * time.Millisecond, time.Second, 40950 * time.Millisecond},
	}
	refused := map[Version][]time.Duration{
		V2: {0, 10 * time.Millisecond, 1500 * time.Millisecond, 256 * time.Second},
		V3: {0, time.Millisecond, 15 * time.Millisecond, 40960 * time.Millisecond},
	}
	try(t, kinds, func(x *trial) {
		for _, d := range intervals[x.p.Version] {
			x.p.Interval = d
			x.master()
			for range 5 {
				x.is("MASTER +" + d.String())
				x.due()
				x.tell(Expired{}, "send 100")
			}
		}
		for _, d := range refused[x.p.Version] {
			x.p.Interval = d
			if err := x.p.Validate(); err == nil {
				t.Errorf("an interval of %v is accepted", d)
			}
		}
	})
}

// In version 2 the skew is a part of a second, in version 3 of the interval.
func operation32(t *testing.T) {
	want := map[Version]map[time.Duration]string{
		V2: {time.Second: "BACKUP +609.375ms", 4 * time.Second: "BACKUP +609.375ms"},
		V3: {time.Second: "BACKUP +609.375ms", 4 * time.Second: "BACKUP +2.4375s"},
	}
	try(t, kinds, func(x *trial) {
		for interval, is := range want[x.p.Version] {
			x.p.Interval = interval
			x.backup()
			x.tell(x.from(200, 0))
			x.is(is)
		}
	})
}

// In version 2 the own interval counts, in version 3 the MASTER's.
func operation33(t *testing.T) {
	try(t, kinds, func(x *trial) {
		x.p.Priority = 128
		x.backup()
		x.is("BACKUP +3.5s")
		x.tell(x.every(2*time.Second, 200, 200))
		if x.p.Version == V2 {
			x.is("BACKUP +3.5s")
			return
		}
		x.is("BACKUP +7s")
	})
}

func operation34(t *testing.T) {
	try(t, kinds, func(x *trial) {
		preempts := func() bool {
			x.backup()
			for range 20 {
				x.pass(time.Second)
				x.m.Step(x.now, x.from(50, 99))
				x.m.Step(x.now, Expired{})
			}
			return x.m.Status().State == Master
		}
		if !preempts() {
			t.Error("it does not preempt a lower priority")
		}
		x.p.Preempt = false
		if preempts() {
			t.Error("it preempts though it may not")
		}
		x.due()
		x.tell(Expired{}, "send 100", "BACKUP > MASTER (silence)") // but it takes over from nobody
	})
}

// dropsEach returns a test of one field that drops each value but one.
func dropsEach(want Check, sealed bool, set func(*Packet, int), good int) func(*testing.T) {
	return func(t *testing.T) {
		for _, m := range listeners {
			for n := range 256 {
				check := want
				if n == good {
					check = Accepted
				}
				arrives(t, m, sealed, check, func(p *Packet) { set(p, n) })
			}
		}
	}
}

func operation42(t *testing.T) {
	for _, m := range listeners {
		for version := range byte(16) {
			want := CheckVersion
			if Version(version) == m.Version {
				want = Accepted
			}
			arrives(t, m, true, want, func(p *Packet) { p.Payload[0] = version<<4 | 1 })
		}
	}
}

// In version 2 the authentication data belong to the whole, with or without authentication.
func operation43(t *testing.T) {
	incompleteDropped(t)
	for _, auth := range []AuthType{AuthNone, AuthPass} {
		m := listen2
		if m.Auth = auth; auth == AuthNone {
			m.Password = [8]byte{}
		}
		for n := 16; n < 24; n++ {
			arrives(t, m, true, CheckTruncated, func(p *Packet) { p.Payload = p.Payload[:n] })
		}
		arrives(t, m, true, Accepted, untouched)
	}
}

// In version 2 there is no pseudo header.
func operation44(t *testing.T) {
	wrongChecksumDropped(t)
	arrives(t, listen2, false, CheckChecksum, sealWithPseudo)
	for _, m := range listeners {
		arrives(t, m, true, Accepted, untouched)
	}
}

// Types and passwords are those of version 2; in version 3 the bits are part of the interval.
func operation46(t *testing.T) {
	none := listen2
	none.Auth, none.Password = AuthNone, [8]byte{}
	for _, m := range []Params{listen2, none} {
		for kind := range 256 {
			want := CheckAuthType
			if AuthType(kind) == m.Auth {
				want = Accepted
			}
			arrives(t, m, true, want, func(p *Packet) { p.Payload[4] = byte(kind) })
		}
	}
	for i := range authSize {
		arrives(t, listen2, true, CheckPassword, func(p *Packet) { p.Payload[len(p.Payload)-1-i] ^= 0x20 })
		arrives(t, none, true, Accepted, func(p *Packet) { p.Payload[len(p.Payload)-1-i] = 1 }) // without a type they mean nothing
	}
}

// Version 2 drops an interval that is not its own, version 3 learns it.
func operation47(t *testing.T) {
	for n := range 256 {
		want := CheckInterval
		switch n {
		case 0:
			want = CheckZeroInterval
		case 1:
			want = Accepted
		}
		arrives(t, listen2, true, want, func(p *Packet) { p.Payload[5] = byte(n) })
	}
	zeroIntervalDropped(t)
	otherIntervalsRemarked(t)
}

func operation48(t *testing.T) {
	unknownTypeDropped(t)
	for kind := range byte(16) {
		want := CheckType
		if kind == 1 {
			want = Accepted
		}
		arrives(t, listen2, true, want, func(p *Packet) { p.Payload[0] = byte(V2)<<4 | kind })
	}
}

// What is sent is byte for byte what another router with these settings wants to hear.
func operation49(t *testing.T) {
	fieldsOfTheSettings(t)
	reserveIsNothing(t)
	try(t, kinds, func(x *trial) {
		for _, priority := range []byte{0, 1, 100, 255} {
			b, err := x.p.Advert(priority).Append(nil, x.host(ourHost), x.p.Family.Group())
			if err != nil {
				t.Fatal(err)
			}
			want := headerSize + len(x.p.Addresses)*x.p.Family.size()
			if x.p.Version == V2 {
				want += authSize
			}
			if len(b) != want {
				t.Errorf("%d bytes, want %d", len(b), want)
			}
			a, check, remarks := Receive(Packet{Src: x.host(ourHost), Dst: x.p.Family.Group(), TTL: 255, Payload: b}, x.p)
			if diff := cmp.Diff(x.p.Advert(priority), a, compareAddr); diff != "" || check != Accepted || remarks != 0 {
				t.Errorf("check %v, remarks %q (-want +got):\n%s", check, remarks, diff)
			}
		}
	})
}

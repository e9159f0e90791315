package ethtool

import (
	"encoding/binary"
	"math"
)

// The memory of modules, as SFF-8472, SFF-8636 and CMIS lay it out. Measurements are big-endian words: 1/256 °C, 100 µV, 2 µA (SFF)
// or 2 µA times a factor (CMIS), 0.1 µW.

// Devices on a module's bus. SFF calls them by the address on the wire, one bit to the left.
const (
	deviceA0 = 0x50
	deviceA2 = 0x51 // SFP alone
)

// readModule reads as much as the module has. Only the first part must be readable; what is missing of the rest stays unknown, since
// half of a module's word is still its word.
func readModule(read memory) (Module, error) {
	base, err := read(place{i2c: deviceA0})
	if err != nil {
		return Module{}, err
	}
	if len(base) < half {
		return Module{}, nil
	}
	m := Module{Kind: kindOf(base[0]), Identifier: base[0]}
	switch m.Kind {
	case KindSFP:
		return m.readSFP(base, read), nil
	case KindQSFP:
		return m.readQSFP(read), nil
	case KindCMIS:
		return m.readCMIS(base, read), nil
	case KindUnknown:
	}
	return m, nil
}

// kindOf reads the identifier of SFF-8024.
func kindOf(identifier uint8) Kind {
	switch identifier {
	case 0x03, 0x0b: // SFP and its successors, DWDM-SFP
		return KindSFP
	case 0x0c, 0x0d, 0x11: // QSFP, QSFP+, QSFP28
		return KindQSFP
	case 0x18, 0x19, 0x1b, 0x1e, 0x1f, 0x20: // QSFP-DD, OSFP, DSFP, and QSFP+, SFP-DD, SFP+ with CMIS
		return KindCMIS
	}
	return KindUnknown
}

// some is what a place holds, or nothing.
func (read memory) some(at place) []byte {
	b, err := read(at)
	if err != nil || len(b) < half {
		return nil
	}
	return b[:half]
}

// latch is a place with latched flags, read twice. Reading clears what has passed; what persists is set again, but some modules take
// a tenth of a second for that.
type latch struct{ before, now []byte }

func (read memory) latch(at place) (latch, bool) {
	l := latch{read.some(at), read.some(at)}
	return l, l.before != nil && l.now != nil
}

// flag is whether a bit is set: known if it is set now or was clear all the time.
func (l latch) flag(at int, bit uint8) Maybe[bool] {
	if l.now[at]&bit == 0 && l.before[at]&bit != 0 {
		return Maybe[bool]{}
	}
	return known(l.now[at]&bit != 0)
}

// readSFP reads SFF-8472.
func (m Module) readSFP(a0 []byte, read memory) Module {
	const (
		diagnostics   = 92 // what is monitored, and how
		monitored     = 1 << 6
		calibrated    = 1 << 5 // by the module itself
		uncalibrated  = 1 << 4 // constants are to be applied
		switchAddress = 1 << 2 // the second device has to be asked for first, which no driver does
		compliance    = 94     // zero: none
	)
	m.Vendor, m.Part, m.Serial = printable(a0[20:36]), printable(a0[40:56]), printable(a0[68:84])
	m.Monitored = known(a0[diagnostics]&monitored != 0 && a0[compliance] != 0)
	// A driver that holds the module for one without diagnostics answers for the second device with the first.
	if !m.Monitored.V || a0[diagnostics]&switchAddress != 0 {
		return m
	}
	a2 := read.some(place{i2c: deviceA2})
	if a2 == nil {
		return m
	}
	switch a0[diagnostics] & (calibrated | uncalibrated) {
	case calibrated:
		return m.decodeDiagnostics(a0, a2, internal())
	case uncalibrated:
		return m.decodeDiagnostics(a0, a2, external(a2))
	}
	return m.decodeDiagnostics(a0, a2, calibration{})
}

// decodeDiagnostics reads the second device: flags as far as the first says that they exist, and measurements.
func (m Module) decodeDiagnostics(a0, a2 []byte, cal calibration) Module {
	const (
		options     = 93 // of a0: which flags exist
		hasDisable  = 1 << 6
		hasFault    = 1 << 5
		hasLost     = 1 << 4
		status      = 110 // of a2
		disabled    = 1 << 7
		fault       = 1 << 2
		lost        = 1 << 1
		notReady    = 1 << 0 // nothing is measured yet
		temperature = 96
	)
	flag := func(has, bit uint8) Maybe[bool] {
		if a0[options]&has == 0 {
			return Maybe[bool]{}
		}
		return known(a2[status]&bit != 0)
	}
	lane := Lane{LightLost: flag(hasLost, lost), TransmitFault: flag(hasFault, fault), TransmitOff: flag(hasDisable, disabled)}
	if a2[status]&notReady == 0 {
		values := a2[temperature:]
		m.Celsius = cal.celsius.apply(float64(int16(big(values))), 256)
		m.Volt = cal.volt.apply(float64(big(values[2:])), 10_000)
		lane.BiasMilliamp = cal.bias.apply(float64(big(values[4:])), 500)
		lane.SentMilliwatt = cal.sent.apply(float64(big(values[6:])), 10_000)
		lane.GotMilliwatt = cal.got.apply(float64(big(values[8:])), 10_000)
	}
	m.Lanes = []Lane{lane}
	return m
}

func big(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

// calibration turns what a module measured into units. The zero calibration makes everything unknown.
type calibration struct{ celsius, volt, bias, sent, got polynomial }

// polynomial has the coefficients from the constant one upward; none makes the value unknown.
type polynomial []float64

// apply is the value of the polynomial in units of which unit make one. A module whose constants are no numbers says nothing.
func (p polynomial) apply(x, unit float64) Maybe[float64] {
	if len(p) == 0 {
		return Maybe[float64]{}
	}
	var v float64
	for i := len(p) - 1; i >= 0; i-- {
		v = v*x + p[i]
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Maybe[float64]{}
	}
	return known(v / unit)
}

// internal leaves everything as the module calibrated it.
func internal() calibration {
	identity := polynomial{0, 1}
	return calibration{celsius: identity, volt: identity, bias: identity, sent: identity, got: identity}
}

// external reads the constants of SFF-8472, bytes 56 to 91: for the received power a polynomial of the fourth degree in floats, highest first,
// otherwise a slope in 1/256 and an offset.
func external(a2 []byte) calibration {
	line := func(at int) polynomial {
		return polynomial{float64(int16(big(a2[at+2:]))), float64(big(a2[at:])) / 256}
	}
	var got polynomial
	for at := 72; at >= 56; at -= 4 {
		got = append(got, float64(math.Float32frombits(binary.BigEndian.Uint32(a2[at:]))))
	}
	return calibration{bias: line(76), sent: line(80), celsius: line(84), volt: line(88), got: got}
}

// readQSFP reads SFF-8636. Its flags are latched.
func (m Module) readQSFP(read memory) Module {
	const (
		status      = 2
		notReady    = 1 << 0
		lost        = 3 // low half: received, one bit per lane
		fault       = 4 // low half
		temperature = 22
		supply      = 26
		got         = 34
		bias        = 42
		sent        = 50
		disabled    = 86

		technology = 147 - half // of page 0; high half of the byte
		copper     = 0xa        // and above
		options    = 195 - half
		hasDisable = 1 << 4
		hasFault   = 1 << 3
		monitors   = 220 - half
		hasSent    = 1 << 2
	)
	names := read.some(place{i2c: deviceA0, high: true})
	if names == nil {
		return m
	}
	m.Vendor, m.Part, m.Serial = printable(names[148-half:][:16]), printable(names[168-half:][:16]), printable(names[196-half:][:16])
	m.Monitored = known(names[technology]>>4 < copper)
	if !m.Monitored.V {
		return m
	}
	l, ok := read.latch(place{i2c: deviceA0})
	if !ok || l.now[status]&notReady != 0 {
		return m
	}
	m = m.climate(l.now[temperature:], l.now[supply:])
	for i := range 4 {
		bit := uint8(1) << i
		lane := Lane{
			LightLost:    l.flag(lost, bit),
			BiasMilliamp: known(float64(big(l.now[bias+2*i:])) / 500),
			GotMilliwatt: known(float64(big(l.now[got+2*i:])) / 10_000),
		}
		if names[options]&hasFault != 0 {
			lane.TransmitFault = l.flag(fault, bit)
		}
		if names[options]&hasDisable != 0 {
			lane.TransmitOff = known(l.now[disabled]&bit != 0)
		}
		if names[monitors]&hasSent != 0 {
			lane.SentMilliwatt = known(float64(big(l.now[sent+2*i:])) / 10_000)
		}
		m.Lanes = append(m.Lanes, lane)
	}
	return m
}

// climate reads the temperature and the supply of a QSFP or CMIS module. Zero is what it gives for what it does not measure, and what no
// working module measures.
func (m Module) climate(temperature, supply []byte) Module {
	if t := int16(big(temperature)); t != 0 {
		m.Celsius = known(float64(t) / 256)
	}
	if v := big(supply); v != 0 {
		m.Volt = known(float64(v) / 10_000)
	}
	return m
}

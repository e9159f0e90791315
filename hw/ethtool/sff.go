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
	switch m := (Module{Kind: kindOf(base[0]), Identifier: base[0]}); m.Kind {
	case KindSFP:
		return m.readSFP(base, read), nil
	case KindQSFP:
		return m.readQSFP(read), nil
	case KindCMIS:
		return m.readCMIS(base, read), nil
	case KindUnknown:
		return m, nil
	default:
		return m, nil
	}
}

// kindOf reads the identifier of SFF-8024.
func kindOf(identifier uint8) Kind {
	switch identifier {
	case 0x03, 0x0b: // SFP and its successors, DWDM-SFP
		return KindSFP
	case 0x0c, 0x0d, 0x11: // QSFP, QSFP+, QSFP28
		return KindQSFP
	case 0x18, 0x19, 0x1a, 0x1b, 0x1e, 0x1f, 0x20: // QSFP-DD, OSFP, SFP-DD, DSFP, and QSFP+, SFP-DD, SFP+ with CMIS
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

// latched is what a place holds after its latched flags were read once: reading clears what has passed, so that the second reading is of
// now.
func (read memory) latched(at place) []byte {
	if read.some(at) == nil {
		return nil
	}
	return read.some(at)
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

		technology = 147 - half // high half of the byte
		copper     = 0xa        // and above
		options    = 195 - half
		hasDisable = 1 << 4
		hasFault   = 1 << 3
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
	b := read.latched(place{i2c: deviceA0})
	if b == nil || b[status]&notReady != 0 {
		return m
	}
	m.Celsius, m.Volt = measured(b[temperature:], true, 256), measured(b[supply:], false, 10_000)
	for i := range 4 {
		l := Lane{
			LightLost:     known(b[lost]&(1<<i) != 0),
			BiasMilliamp:  measured(b[bias+2*i:], false, 500),
			SentMilliwatt: measured(b[sent+2*i:], false, 10_000),
			GotMilliwatt:  measured(b[got+2*i:], false, 10_000),
		}
		if names[options]&hasFault != 0 {
			l.TransmitFault = known(b[fault]&(1<<i) != 0)
		}
		if names[options]&hasDisable != 0 {
			l.TransmitOff = known(b[disabled]&(1<<i) != 0)
		}
		m.Lanes = append(m.Lanes, l)
	}
	return m
}

// measured is a word that the module calibrated. Zero is what SFF-8636 and CMIS modules give for what they do not measure, and no working
// module measures it.
func measured(b []byte, signed bool, unit float64) Maybe[float64] {
	v := float64(big(b))
	if signed {
		v = float64(int16(big(b)))
	}
	if v == 0 {
		return Maybe[float64]{}
	}
	return known(v / unit)
}

package ethtool

// readCMIS reads the Common Management Interface Specification: the state of the module, and the flags and measurements of the first
// bank of lanes, as far as the module says that it has them. Its flags are latched.
func (m Module) readCMIS(lower []byte, read memory) Module {
	const (
		model       = 2 // of the lower memory
		flat        = 1 << 7
		state       = 3 // three bits from bit 1
		ready       = 3
		faulty      = 5
		temperature = 14
		supply      = 16

		lanes      = 210 - half // of page 0: one bit per lane that the module does not have
		technology = 212 - half
		copper     = 0xa // and above
	)
	names := read.some(place{i2c: deviceA0, high: true})
	if names == nil {
		return m
	}
	m.Vendor, m.Part, m.Serial = printable(names[129-half:][:16]), printable(names[148-half:][:16]), printable(names[166-half:][:16])
	m.Monitored = known(lower[model]&flat == 0 && names[technology] < copper)
	if !m.Monitored.V {
		return m
	}
	now := lower[state] >> 1 & 7
	m.Fault = known(now == faulty)
	m = m.climate(lower[temperature:], lower[supply:])
	abilities := read.some(place{i2c: deviceA0, page: 1, high: true})
	if now != ready || abilities == nil {
		return m
	}
	control := read.some(place{i2c: deviceA0, page: 0x10, high: true})
	if status, ok := read.latch(place{i2c: deviceA0, page: 0x11, high: true}); ok {
		m.Lanes = decodeLanes(abilities, control, status, names[lanes])
	}
	return m
}

// decodeLanes reads the lanes that are there from pages 1 (what is implemented), 10h (what was ordered; may be missing) and 11h (what is).
func decodeLanes(abilities, control []byte, status latch, missing uint8) (all []Lane) {
	const (
		controls   = 155 - half // of page 1
		hasDisable = 1 << 1
		txFlags    = 157 - half
		hasFault   = 1 << 0
		rxFlags    = 158 - half
		hasLost    = 1 << 1
		monitors   = 160 - half
		hasBias    = 1 << 0
		hasSent    = 1 << 1
		hasGot     = 1 << 2

		disabled = 130 - half // of page 10h

		fault = 135 - half // of page 11h
		lost  = 147 - half
		sent  = 154 - half
		bias  = 170 - half
		got   = 186 - half
	)
	has := func(at int, bit uint8) bool { return abilities[at]&bit != 0 }
	factor := float64(int(1) << min(abilities[monitors]>>3&3, 2)) // of the bias current
	for i := range 8 {
		if missing&(1<<i) != 0 {
			continue
		}
		var l Lane
		if has(rxFlags, hasLost) {
			l.LightLost = status.flag(lost, 1<<i)
		}
		if has(txFlags, hasFault) {
			l.TransmitFault = status.flag(fault, 1<<i)
		}
		if control != nil && has(controls, hasDisable) {
			l.TransmitOff = known(control[disabled]&(1<<i) != 0)
		}
		if has(monitors, hasBias) {
			l.BiasMilliamp = known(factor * float64(big(status.now[bias+2*i:])) / 500)
		}
		if has(monitors, hasSent) {
			l.SentMilliwatt = known(float64(big(status.now[sent+2*i:])) / 10_000)
		}
		if has(monitors, hasGot) {
			l.GotMilliwatt = known(float64(big(status.now[got+2*i:])) / 10_000)
		}
		all = append(all, l)
	}
	return all
}

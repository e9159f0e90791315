package ethtool

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Carrier is a driver's answer to whether its port has a link.
type Carrier uint8

// The answers. The zero value is Unknown.
const (
	Unknown Carrier = iota // the driver does not say
	Down
	Up
)

// String returns "unknown", "down" or "up".
func (c Carrier) String() string {
	switch c {
	case Down:
		return "down"
	case Up:
		return "up"
	case Unknown:
	}
	return "unknown"
}

// Link is what a driver says of its port's link (ETHTOOL_MSG_LINKSTATE_GET; of an old kernel, ETHTOOL_GLINK, the Carrier alone).
type Link struct {
	Carrier Carrier
	// State and Substate say why the link is down, in the driver's own classes (Linux 5.8; mlx5, bnxt, hns3, hinic, mlxsw). The
	// kernel asks only while the port is administratively up. Prefer Reason, which leaves out what means nothing.
	State    Maybe[ExtState]
	Substate Maybe[uint8]
	// Downs counts the losses of link since the driver was loaded (Linux 6.2, and drivers that count).
	Downs Maybe[uint32]
}

// ExtState is the kernel's class of why a link is down (ETHTOOL_LINK_EXT_STATE_…). Zero is a class too.
type ExtState uint8

// The classes, as numbered in linux/ethtool.h.
const (
	ExtAutoneg             ExtState = iota // negotiation did not succeed
	ExtTrainingFailure                     // the SerDes could not train
	ExtLogicalMismatch                     // bits arrive, and no blocks or lanes can be made of them
	ExtBadSignal                           // a signal arrives, too bad to be used
	ExtNoCable                             // nothing is plugged into this port
	ExtCableIssue                          // the cable is of a kind that the port does not take, or failed its test
	ExtEEPROMIssue                         // the module's memory cannot be read
	ExtCalibrationFailure                  // the port could not calibrate itself
	ExtPowerBudgetExceeded                 // the module wants more power than the port gives
	ExtOverheat                            // too hot
	ExtModule                              // the module is not ready or reports a fault (Linux 5.16)
	ExtOTPSpeedViolation                   // the speed is beyond what the port is licensed or fused for (Linux 7.x)
	ExtBMCRequestDown                      // the board's management controller holds the port down (Linux 7.x)
)

// Substates of ExtAutoneg.
const (
	AutonegNoPartner       = 1 + iota // nobody was heard
	AutonegNoAck                      // the partner does not acknowledge our page
	AutonegNextPage                   // the partner stopped in the exchange of pages
	AutonegNoPartnerForced            // nobody was heard by a port with a forced mode
	AutonegFECMismatch                // the partner insists on another error correction
	AutonegNoCommonMode               // the partner offers nothing that this port has
)

// Substates of ExtTrainingFailure.
const (
	TrainingNoFrameLock     = 1 + iota // no training frames were recognised
	TrainingTimeout                    // it took too long
	TrainingPartnerNotReady            // the partner did not report its receiver ready
	TrainingRemoteFault                // the partner says that it does not hear us
)

// Substates of ExtBadSignal.
const (
	SignalErrors   = 1 + iota // too many physical errors
	SignalRate                // the partner sends at a rate that this port does not have
	SignalClock               // this port's own reference clock is lost (Linux 5.16)
	SignalNoEnergy            // the receiver measures no signal (SerDes ALOS; Linux 5.16)
)

// Substates of ExtCableIssue.
const (
	CableIssueUnsupported = 1 + iota // the port does not take this kind of cable
	CableIssueTestFailed             // the cable failed the module's own test
)

// Reason is why a link is down. Reasons can be compared and be keys of a table; Sub is 0 where the driver gives no substate.
type Reason struct {
	State ExtState
	Sub   uint8
}

// Reason returns why the link is down, if the driver says so. It says nothing of a link that is not down, and no driver means
// anything by "autoneg" without a substate: hinic says it whenever it has no opinion.
func (l Link) Reason() (Reason, bool) {
	r := Reason{l.State.V, l.Substate.V}
	if !l.State.Known || l.Carrier == Up || r == (Reason{State: ExtAutoneg}) {
		return Reason{}, false
	}
	return r, true
}

// states are the words for the classes, substates those for what refines them.
var states = []string{
	ExtAutoneg: "autoneg", ExtTrainingFailure: "link training failure", ExtLogicalMismatch: "logical mismatch",
	ExtBadSignal: "bad signal integrity", ExtNoCable: "no cable", ExtCableIssue: "cable issue", ExtEEPROMIssue: "EEPROM issue",
	ExtCalibrationFailure: "calibration failure", ExtPowerBudgetExceeded: "power budget exceeded", ExtOverheat: "overheat",
	ExtModule: "module", ExtOTPSpeedViolation: "speed not licensed", ExtBMCRequestDown: "held down by the board's controller",
}

var substates = map[Reason]string{
	{ExtAutoneg, AutonegNoPartner}:                "no partner detected",
	{ExtAutoneg, AutonegNoAck}:                    "no acknowledgement received",
	{ExtAutoneg, AutonegNextPage}:                 "exchange of pages failed",
	{ExtAutoneg, AutonegNoPartnerForced}:          "no partner detected in forced mode",
	{ExtAutoneg, AutonegFECMismatch}:              "error corrections differ",
	{ExtAutoneg, AutonegNoCommonMode}:             "no mode in common",
	{ExtTrainingFailure, TrainingNoFrameLock}:     "no frame lock",
	{ExtTrainingFailure, TrainingTimeout}:         "timeout",
	{ExtTrainingFailure, TrainingPartnerNotReady}: "partner not ready to receive",
	{ExtTrainingFailure, TrainingRemoteFault}:     "remote fault",
	{ExtLogicalMismatch, 1}:                       "no block lock",
	{ExtLogicalMismatch, 2}:                       "no alignment marker lock",
	{ExtLogicalMismatch, 3}:                       "no alignment status",
	{ExtLogicalMismatch, 4}:                       "FC-FEC not locked",
	{ExtLogicalMismatch, 5}:                       "RS-FEC not locked",
	{ExtBadSignal, SignalErrors}:                  "many physical errors",
	{ExtBadSignal, SignalRate}:                    "rate not supported",
	{ExtBadSignal, SignalClock}:                   "own reference clock lost",
	{ExtBadSignal, SignalNoEnergy}:                "no signal",
	{ExtCableIssue, CableIssueUnsupported}:        "cable not supported",
	{ExtCableIssue, CableIssueTestFailed}:         "cable test failed",
	{ExtModule, 1}:                                "module not ready",
}

// String returns the words of linux/ethtool.h, or numbers for what is younger than this program.
func (r Reason) String() string {
	state := fmt.Sprintf("reason %d", r.State)
	if int(r.State) < len(states) {
		state = states[r.State]
	}
	if r.Sub == 0 {
		return state
	}
	if sub, ok := substates[r]; ok {
		return state + ": " + sub
	}
	return fmt.Sprintf("%s: %d", state, r.Sub)
}

// Link asks the driver of a port for its link.
func (c *Client) Link(index int) (Link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, err := c.link(index)
	if err != nil {
		return Link{}, fmt.Errorf("link state of port %d: %w", index, err)
	}
	return l, nil
}

func (c *Client) link(index int) (Link, error) {
	q := question{command: unix.ETHTOOL_MSG_LINKSTATE_GET, reply: unix.ETHTOOL_MSG_LINKSTATE_GET_REPLY, index: index}
	if !c.plain {
		q.flags = unix.ETHTOOL_FLAG_STATS
	}
	b, err := c.ask(q)
	if errors.Is(err, unix.EINVAL) && q.flags != 0 {
		// The count of losses is a statistic, for which kernels before 6.2 cannot be asked here.
		q.flags = 0
		if b, err = c.ask(q); err == nil {
			c.plain = true
		}
	}
	switch {
	case c.old:
		return c.oldLink(index)
	case err != nil:
		return Link{}, err
	}
	return decodeLink(b), nil
}

// decodeLink reads a LINKSTATE reply.
func decodeLink(b []byte) (l Link) {
	for kind, v := range attributes(b) {
		switch kind {
		case unix.ETHTOOL_A_LINKSTATE_LINK:
			l.Carrier = carrier(number[uint32](v))
		case unix.ETHTOOL_A_LINKSTATE_EXT_STATE:
			state := number[uint8](v)
			l.State = Maybe[ExtState]{state.Known, ExtState(state.V)}
		case unix.ETHTOOL_A_LINKSTATE_EXT_SUBSTATE:
			l.Substate = number[uint8](v)
		case unix.ETHTOOL_A_LINKSTATE_EXT_DOWN_CNT:
			l.Downs = number[uint32](v)
		}
	}
	return l
}

func carrier(v Maybe[uint32]) Carrier {
	switch {
	case !v.Known:
		return Unknown
	case v.V == 0:
		return Down
	}
	return Up
}

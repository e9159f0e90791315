package doctor

import (
	"fmt"
	"slices"
	"strings"

	"standfast/service"
)

// signalTexts says for an operator what each signal can tell.
var signalTexts = map[service.Signal]string{
	service.SignalTransmit:  "whether frames leave",
	service.SignalHang:      "queues that hang",
	service.SignalBus:       "a card that is lost on its bus",
	service.SignalDetach:    "a device that its driver has lost",
	service.SignalSpeed:     "the speed of the link",
	service.SignalLinkState: "why there is no link",
	service.SignalDownCount: "losses too short to be seen",
	service.SignalAbilities: "what the partner announces",
	service.SignalMII:       "what its PHY reads",
	service.SignalModule:    "its module",
	service.SignalCableTest: "the cable, on demand",
}

// driverTells says in a sentence or two what ports of a driver can say.
func driverTells(driver string) string {
	if driver == "" {
		return "a virtual port: its carrier and its counters, and nothing about the other end"
	}
	var rows []service.DriverRow
	for name := range strings.SplitSeq(driver, "+") {
		row, known := service.LookUpDriver(name)
		if !known {
			return "the driver " + name + " was never looked at for standfast: its carrier is believed, and what else it says"
		}
		rows = append(rows, row)
	}
	var can []string
	for _, s := range service.EverySignal() {
		since := func(r service.DriverRow) string { return r.Signals[s.String()] }
		if slices.ContainsFunc(rows, func(r service.DriverRow) bool { return since(r) == "no" || since(r) == "fixed" }) {
			continue
		}
		text := signalTexts[s]
		switch v := since(rows[0]); v {
		case "yes":
		case "some":
			text += " (some ports)"
		default:
			text += " (Linux " + v + ")"
		}
		can = append(can, text)
	}
	text := fmt.Sprintf("%s tells, beyond carrier: %s.", driver, strings.Join(can, ", "))
	if !slices.ContainsFunc(rows, func(r service.DriverRow) bool { return slices.Contains(r.Facts, "remote-fault") }) {
		text += " It cannot tell a peer without power from a cable that is out: that is asked on the other ports."
	}
	if driver == "igb" {
		text += " A card that is lost may keep its carrier; that adverts leave is watched instead."
	}
	return text
}

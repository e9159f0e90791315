package hwtest

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A Link joins two ends: two router ports by a cable, or a router port and a switch.
type Link struct {
	lab  *Lab
	ends [2]*end

	// Guarded by lab.gate.
	cut    bool
	silent [2]bool   // what end i sends is dropped
	mute   time.Time // both directions are dropped until then
}

// forward carries a frame from an end to the other, or drops it. It holds the gate from the decision to the delivery, so that
// nothing is in flight when the writer of a condition has had the gate.
func (l *Link) forward(side int, frame []byte) {
	l.lab.gate.RLock()
	defer l.lab.gate.RUnlock()
	from, to := l.ends[side], l.ends[1-side]
	if l.cut || l.silent[side] || from.dark() || to.dark() || to.tap == nil || to.tap.gone {
		return
	}
	if !l.mute.IsZero() && time.Now().Before(l.mute) {
		return
	}
	unix.Write(to.tap.fd, frame) // a port that is administratively down refuses it: lost, as on a cable
}

// dark tells whether the end belongs to a router that neither sends nor receives.
func (e *end) dark() bool { return e.router != nil && (e.router.off || e.router.paused) }

// pump reads what the end's kernel transmits, until the tap is closed.
func (e *end) pump(t *tap) {
	frame := make([]byte, frameSize)
	for {
		n, err := t.file.Read(frame)
		if err != nil {
			return
		}
		e.link.forward(e.side, frame[:n])
	}
}

// Cut takes the carrier from both ends and drops every frame. At a switch it is the cable between port and switch.
func (l *Link) Cut() error { return l.setCut(true) }

// Mend undoes Cut.
func (l *Link) Mend() error { return l.setCut(false) }

func (l *Link) setCut(cut bool) error {
	l.lab.mu.Lock()
	defer l.lab.mu.Unlock()
	l.lab.gate.Lock()
	l.cut = cut
	l.lab.gate.Unlock()
	return errors.Join(l.ends[0].light(), l.ends[1].light())
}

// OneWay makes the link drop what the given port sends, while both ends keep their carrier; with drop false it carries again.
func (l *Link) OneWay(from *Port, drop bool) error {
	l.lab.gate.Lock()
	defer l.lab.gate.Unlock()
	for side, e := range l.ends {
		if e == from.end {
			l.silent[side] = drop
			return nil
		}
	}
	return fmt.Errorf("port %s is not on this link", from.Name())
}

// Mute drops every frame for the given time from now, while both ends keep their carrier, as a switch port does that listens
// and learns before it forwards. Zero ends it.
func (l *Link) Mute(d time.Duration) {
	l.lab.gate.Lock()
	defer l.lab.gate.Unlock()
	l.mute = time.Now().Add(d)
}

// light switches the end's carrier to what the link's condition demands. The caller holds lab.mu.
func (e *end) light() error {
	far := e.link.ends[1-e.side]
	return e.setCarrier(!e.link.cut && (far.router == nil || !far.router.off))
}

// setCarrier switches the carrier, if that changes it, and notes when: the moment before the kernel is told.
func (e *end) setCarrier(on bool) error {
	if e.tap == nil || e.tap.gone || e.carrier == on {
		return nil
	}
	now := time.Now()
	if err := e.tap.setCarrier(on); err != nil {
		return err
	}
	e.carrier, e.switched = on, now
	return nil
}

// plug puts a tap at the end and starts carrying. The caller holds lab.mu.
func (e *end) plug(t *tap) error {
	e.link.lab.gate.Lock()
	e.tap, e.carrier, e.switched = t, false, time.Now()
	e.link.lab.gate.Unlock()
	e.link.lab.pumps.Go(func() { e.pump(t) })
	return e.light()
}

// unplug closes the end's tap; its device ceases to exist. The caller holds lab.mu.
func (e *end) unplug() error {
	if e.tap == nil || e.tap.gone {
		return nil
	}
	e.link.lab.gate.Lock()
	e.tap.gone = true
	e.link.lab.gate.Unlock()
	return e.tap.file.Close()
}

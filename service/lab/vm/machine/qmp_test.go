package machine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// order is a command as QEMU gets it.
type order struct {
	Execute   string         `json:"execute"`
	ID        int            `json:"id"`
	Arguments map[string]any `json:"arguments"`
}

// monitor answers as QEMU does: with what answer says, or nothing.
func monitor(t *testing.T, answer func(order) string) net.Conn {
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close(); there.Close(); synctest.Wait() })
	says := make(chan string, 100)
	says <- `{"QMP": {"version": {"qemu": {"micro": 0}}, "capabilities": ["oob"]}}`
	go func() {
		for text := range says {
			if _, err := io.WriteString(there, text+"\r\n"); err != nil {
				return
			}
		}
		there.Close()
	}()
	go func() {
		defer close(says)
		for lines := bufio.NewScanner(there); lines.Scan(); {
			var o order
			if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
				t.Errorf("QEMU gets %q: %v", lines.Text(), err)
			}
			switch text := answer(o); text {
			case "":
			case "END":
				return
			default:
				says <- text
			}
		}
	}()
	return here
}

// done is QEMU's answer to a command that it has done.
func done(o order) string { return fmt.Sprintf(`{"return": {}, "id": %d}`, o.ID) }

const event = `{"timestamp": {"seconds": 1}, "event": "%s", "data": {"guest": true, "reason": "%s"}}` + "\n"

func TestQMP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var orders []string
		q, err := newQMP(monitor(t, func(o order) string {
			orders = append(orders, fmt.Sprint(o.Execute, o.Arguments))
			between := fmt.Sprintf(event, "NIC_RX_FILTER_CHANGED", "") + fmt.Sprintf(event, "RESET", "watchdog")
			if o.Execute == "device_del" {
				return between + fmt.Sprintf(`{"id": %d, "error": {"class": "DeviceNotFound", "desc": "Device 'port9' not found"}}`, o.ID)
			}
			return between + done(o)
		}))
		if err != nil {
			t.Fatal(err)
		}
		m := &Machine{qmp: q}
		if err := m.SetLink(2, false); err != nil {
			t.Error(err)
		}
		if got, want := fmt.Sprint(m.RemoveCard()), "QMP device_del: DeviceNotFound: Device 'port9' not found"; got != want {
			t.Errorf("an error of QEMU's is %q, want %q", got, want)
		}
		if err := q.do("cont", nil); err != nil {
			t.Error("after an error:", err)
		}
		if got, want := fmt.Sprint(orders), "[qmp_capabilitiesmap[] set_linkmap[name:port2 up:false] device_delmap[id:port0] contmap[]]"; got != want {
			t.Errorf("QEMU was told %s, want %s", got, want)
		}
		if len(m.Resets()) != len(orders) || <-m.Resets() != "watchdog" {
			t.Errorf("%d resets are told of, want %d by the watchdog", len(m.Resets()), len(orders))
		}
	})
}

// TestQMPManyResets: that nobody listens to resets holds up nothing.
func TestQMPManyResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, err := newQMP(monitor(t, func(o order) string { return fmt.Sprintf(event, "RESET", "guest-reset") + done(o) }))
		for range 2 * cap(q.resets) {
			err = errors.Join(err, q.do("cont", nil))
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// TestQMPLate: an answer that comes when nobody waits for it any more is not the answer to the next command.
func TestQMPLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, err := newQMP(monitor(t, func(o order) string {
			switch {
			case o.Execute == "slow" && o.Arguments == nil:
				time.Sleep(qmpPatience + time.Second)
			case o.Execute == "never":
				return ""
			case o.Execute == "refused":
				return fmt.Sprintf(`{"id": %d, "error": {"class": "GenericError", "desc": "no"}}`, o.ID)
			}
			return done(o)
		}))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			began := time.Now()
			if err := q.do("slow", nil); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != qmpPatience {
				t.Errorf("a late answer: %v after %v", err, time.Since(began))
			}
			if err := q.do("refused", nil); err == nil {
				t.Error("a late answer was taken for that to the next command")
			}
			if err := q.do("never", nil); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("no answer: %v", err)
			}
		}
	})
}

func TestQMPClosed(t *testing.T) {
	for name, end := range map[string]func(order) string{
		"at once": func(order) string { return "END" },
		"after a moment": func(order) string {
			time.Sleep(time.Second)
			return "END"
		},
		"with nonsense": func(order) string { return "qemu-system-x86_64: terminating on signal 15" },
	} {
		synctest.Test(t, func(t *testing.T) {
			q, err := newQMP(monitor(t, end))
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
			began := time.Now()
			if err := q.do("cont", nil); err == nil || time.Since(began) > qmpPatience {
				t.Errorf("%s, and another command: %v after %v", name, err, time.Since(began))
			}
		})
	}
}

package clock

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func open(t *testing.T) *Alarm {
	t.Helper()
	a, err := OpenAlarm()
	if errors.Is(err, unix.EINVAL) {
		t.Skipf("this kernel is too old: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAlarmGoesOffNotBeforeItsTime(t *testing.T) {
	a := open(t)
	defer a.Close()
	for _, wait := range []time.Duration{300 * time.Microsecond, 1700 * time.Microsecond, 9900 * time.Microsecond} {
		at := Now() + wait
		if err := a.Set(at); err != nil {
			t.Fatal(err)
		}
		if err := a.Wait(); err != nil {
			t.Fatal(err)
		}
		if early := at - Now(); early > 0 {
			t.Errorf("set to wait %v, it went off %v early", wait, early)
		}
	}
}

func TestAlarmIsSetAnew(t *testing.T) {
	a := open(t)
	defer a.Close()
	begun := Now()
	for _, at := range []time.Duration{begun + time.Hour, -time.Second, begun + time.Hour, 0, begun - time.Millisecond} {
		if err := a.Set(at); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Wait(); err != nil { // the past is now; the hour was replaced
		t.Fatal(err)
	}
	if err := a.Set(Now() + time.Hour); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- a.Wait() }()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait = %v, want ErrClosed", err)
	}
}

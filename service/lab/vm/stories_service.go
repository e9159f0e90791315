package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// freeze is how long something stands still.
const freeze = 30 * time.Second

// installed looks at what systemd made of the package, and reloads, with a good file and with a broken one.
func installed(ctx context.Context, w *watch) error {
	l := w.lab
	if err := w.do("a reload of the MASTER, and one of a broken file", func() error {
		if out, err := l.a.run(ctx, "systemctl reload standfast.service"); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		out, err := l.a.run(ctx, `cp -p /etc/standfast/standfast.conf /run/good
echo 'vrrp_instance VI_1 {' >>/etc/standfast/standfast.conf
! systemctl reload standfast.service || exit 1
! standfast reload 2>&1 || exit 1
cat /run/good >/etc/standfast/standfast.conf`)
		if err != nil || !strings.Contains(out, "standfast.conf:") {
			w.wrong("the reload of a broken file: %v: %s", err, out)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, r := range l.pair() {
		w.inspect(ctx, r)
	}
	w.verdict(ctx, l.a)
	w.end(ctx)
	w.out.still()
	return nil
}

// inspect wants the service to have what its unit promises.
func (w *watch) inspect(ctx context.Context, r *router) {
	if out, err := r.run(ctx, "rpm -V --nodeps --noconfig standfast && systemd-analyze verify --man=no /usr/lib/systemd/system/standfast*.service"); err != nil {
		w.wrong("%s: %v: %s", r.name, err, out)
	}
	out, err := r.run(ctx, "systemd-analyze security --no-pager --threshold=30 standfast.service | tail -n 1")
	if err != nil {
		w.wrong("%s: %v: %s", r.name, err, out)
	}
	w.note("%s: %s", r.name, strings.TrimSpace(out))
	s, err := r.status(ctx)
	if err != nil {
		w.wrong("%s has no status: %v", r.name, err)
		return
	}
	w.note("%s: memory locked: %s; scheduling: %s; storage %s", r.name, s.Node.Body.Locked, s.Node.Body.Scheduling, s.Node.Storage.State)
	if !s.Healthy || !strings.HasPrefix(s.Node.Body.Locked, "all") || !strings.HasPrefix(s.Node.Body.Scheduling, "round-robin") || s.Node.Storage.State != "healthy" {
		w.wrong("%s: %q %+v %+v", r.name, s.Problems, s.Node.Body, s.Node.Storage)
	}
	for _, h := range s.Node.Helpers {
		if provided := h.State == "there"; provided != (h.Name != "launch") {
			w.wrong("%s: the helper %s is %s, where units start helpers", r.name, h.Name, h.State)
		}
	}
}

// journalStuck stops whoever takes the service's lines.
func journalStuck(ctx context.Context, w *watch) error {
	l := w.lab
	stop := func(signal string) error {
		_, err := l.a.run(ctx, "kill -"+signal+" $(systemctl show --property MainPID --value systemd-journald.service)")
		return err
	}
	if err := w.do("the MASTER's journald is stopped for "+freeze.String(), func() error { return stop("STOP") }); err != nil {
		return err
	}
	err := lookOn(ctx, freeze)
	w.verdict(ctx, l.a)
	w.end(ctx)
	w.out.still()
	if err == nil {
		err = stop("CONT")
	}
	return err
}

// wedged stops the service in the midst of its work: its addresses go by themselves, and systemd gives it another life.
func wedged(ctx context.Context, w *watch) error {
	l := w.lab
	if err := w.do("the MASTER's service is stopped", func() error {
		_, err := l.a.run(ctx, "kill -STOP $(systemctl show --property MainPID --value standfast.service)")
		return err
	}); err != nil {
		return err
	}
	if !w.serves(ctx, "B", forever) {
		return nil
	}
	if out, err := l.a.run(ctx, "ip -brief address show dev p4p2"); err != nil || strings.Contains(out, lanVIP+"/") {
		w.wrong("A still has the address: %q (%v)", out, err)
	}
	w.verdict(ctx, l.b)
	if w.serves(ctx, "A", time.Minute) {
		w.note("it serves again %.0f s after it stood still", (l.now() - w.event).Seconds())
	}
	restarts, err := l.a.run(ctx, "systemctl show --property NRestarts --value standfast.service")
	w.note("systemd restarted it %s time(s)", strings.TrimSpace(restarts))
	if strings.TrimSpace(restarts) == "0" {
		w.wrong("systemd's watchdog did not restart it")
	}
	w.end(ctx)
	w.out.within(masterDown, 0)
	return err
}

// upgraded replaces the package under the service that serves.
func upgraded(ctx context.Context, w *watch) error {
	l := w.lab
	said := ""
	if err := w.do("rpm -U on the MASTER", func() (err error) {
		said, err = l.a.run(ctx, "rpm -U --nodeps /root/"+l.version[1]+" 2>&1 && rpm -V --nodeps --noconfig standfast")
		return err
	}); err != nil {
		return err
	}
	w.note("rpm said: %s", lastLine(said))
	if err := lookOn(ctx, peace); err != nil {
		return err
	}
	status, err := l.a.run(ctx, "standfast status")
	if !strings.Contains(status, "restart is pending") {
		w.wrong("status does not say that a restart is pending: %v: %s", err, status)
	}
	w.verdict(ctx, l.a)
	w.end(ctx)
	w.out.still()
	_, err = l.a.run(ctx, "rpm -U --oldpackage --nodeps /root/"+l.version[0]+" 2>&1")
	return err
}

// erased removes the package from the one who serves: the peer serves, and nothing is left.
func erased(ctx context.Context, w *watch) error {
	l := w.lab
	if err := w.do("rpm -e on the MASTER", func() error {
		_, err := l.a.run(ctx, "rpm -e --nodeps standfast 2>&1")
		return err
	}); err != nil {
		return err
	}
	w.serves(ctx, "B", forever)
	if err := lookOn(ctx, 3*time.Second); err != nil {
		return err
	}
	w.verdict(ctx, l.b)
	w.end(ctx)
	w.out.within(handover, 0)
	left, err := l.a.run(ctx, `ip -brief address | grep -E '`+lanVIP+`/|`+wanVIP+`/'
find / -xdev \( -path /root -o -path /var/log -o -path /var/lib/rpm -o -path /proc \) -prune -o -iname '*standfast*' -print
find /run /etc/systemd -iname '*standfast*'
pgrep -a standfast
true`)
	for line := range strings.Lines(left) {
		if line = strings.TrimSpace(line); line != "" && line != "/etc/standfast" && line != "/etc/standfast/standfast.conf.rpmsave" {
			w.wrong("left behind: %s", line)
		}
	}
	l.a.spoil()
	return err
}

// migrated takes the BACKUP from keepalived to standfast and back, beside a MASTER that runs keepalived.
func migrated(ctx context.Context, w *watch) error {
	l := w.lab
	if err := w.do("standfast migrate --apply on the BACKUP, and --back", func() error {
		out, err := l.b.run(ctx, "standfast migrate; standfast migrate --apply && systemctl is-active standfast.service && ! systemctl is-active keepalived.service")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := lookOn(ctx, peace); err != nil {
		return err
	}
	l.b.runs = standfast
	w.verdict(ctx, l.b)
	if out, err := l.b.run(ctx, "standfast migrate --back --apply && systemctl is-active keepalived.service && ! systemctl is-active standfast.service"); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	l.b.runs = keepalived
	if err := lookOn(ctx, peace); err != nil {
		return err
	}
	w.end(ctx)
	w.out.quiet()
	return nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

package lab

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"standfast/configfs"
	"standfast/hw/hwtest"
	"standfast/service/doctor"

	"golang.org/x/sys/unix"
)

// ownChecks are what the doctor looks at within a router of the laboratory; everything else is about the host it stands on.
func ownChecks() []string {
	return []string{
		"configuration", "state", "unsent", "filtered", "blind", "mute", "witness", "calibration", "address", "route", "script", "link",
		"source", "mtu", "multicast", "card", "enslaved", "bridge", "bond", "arp_ignore", "arp_flux", "arp_filter", "proxy_arp",
		"promote_secondaries", "forwarding", "running",
	}
}

// examine has the doctor look at a router, and returns what it complains about that is the router's own.
func (s *scene) examine(m *Member) (d doctor.Document, complaints []string) {
	s.t.Helper()
	text, _ := m.Ask("doctor", "--json") // its exit status is about the host too
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		s.t.Fatalf("%v in %s", err, text)
	}
	for _, f := range d.Findings {
		if f.Severity > doctor.SeverityNote && slices.Contains(ownChecks(), f.Check) {
			complaints = append(complaints, f.Check)
		}
	}
	return d, complaints
}

// TestDoctor has the doctor look at both routers of a healthy pair, and again at the BACKUP when it is no longer well.
func TestDoctor(t *testing.T) {
	t.Parallel()
	s := settled(t)
	for _, m := range s.Members() {
		check(t, m.Sysctl("net/ipv4/ip_forward", "1"))
		d, complaints := s.examine(m)
		if len(complaints) > 0 {
			t.Errorf("%s is well, and the doctor finds %q: %+v", m.Name(), complaints, d.Findings)
		}
		if d.Version == "" || len(d.Ports) != 4 || d.Ports[0].Name != HeartbeatPort || len(d.Undecided) == 0 {
			t.Errorf("%s: version %q, ports %+v, undecided %+v", m.Name(), d.Version, d.Ports, d.Undecided)
		}
	}
	check(t, s.B.Sysctl("net/ipv4/conf/p3p1/arp_ignore", "8"))
	check(t, s.B.Sysctl("net/ipv4/conf/p3p2/proxy_arp", "1"))
	check(t, s.B.Sysctl("net/ipv4/ip_forward", "0"))
	check(t, s.B.Port("p1p1").AddAddress(s.LANs[2].VIP))
	d, complaints := s.examine(s.B)
	slices.Sort(complaints)
	if want := []string{"address", "arp_ignore", "forwarding", "proxy_arp"}; !slices.Equal(complaints, want) || d.Worst < doctor.SeverityHazard {
		t.Errorf("found %q, want %q: %+v", complaints, want, d.Findings)
	}
}

// TestDoctorOnADeadDisk asks about a configuration on a disk that hangs: the doctor comes back and says so, although the process that
// looked cannot end before the disk answers.
func TestDoctorOnADeadDisk(t *testing.T) {
	t.Parallel()
	l := hwtest.New(t)
	r, err := l.Router("r1")
	check(t, err)
	d, err := l.Disk(r.Namespace(), hwtest.DiskOptions{Size: 16 << 20})
	if errors.Is(err, hwtest.ErrNoDisk) {
		t.Skip(err)
	}
	check(t, err)
	name := "router.conf"
	f, err := os.Create(filepath.Join(d.Outside(), name))
	check(t, err)
	_, err = f.Write(configfs.Story("RTR-CORE-A", priorityA))
	check(t, errors.Join(err, f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close()))
	check(t, d.Hang())

	var out Log
	cmd := exec.Command(product(t), "doctor", "-f", filepath.Join(d.Path(), name), "--runtime-dir", RuntimeDir)
	cmd.Stdout, cmd.Stderr = &out, &out
	begun := time.Now()
	p, err := r.Start(cmd)
	check(t, err)
	err = p.Wait()
	var failed *exec.ExitError
	if took := time.Since(begun); took > 20*time.Second || !errors.As(err, &failed) || failed.ExitCode() != 1 {
		t.Errorf("ended after %v with %v", took, err)
	}
	for _, want := range []string{"not answered within 4s: what " + d.Path(), "STORAGE", "FOUND WELL"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if held, err := d.Held(); err != nil || held == 0 {
		t.Errorf("%d requests hang, %v: the disk was never asked", held, err)
	}
}

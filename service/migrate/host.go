package migrate

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The two units that change places.
const (
	Keepalived = "keepalived.service"
	Standfast  = "standfast.service"
)

// Hands are all that this package does to a host, and all it learns of it.
type Hands interface {
	// Files is the file system as it is now, rooted at /.
	Files() fs.FS
	// Root says that whoever runs this may change the host.
	Root() bool
	// Systemctl runs systemctl and returns what it printed. The error has what it complained of.
	Systemctl(ctx context.Context, args ...string) (string, error)
	// Replace puts a file in place of another, whole or not at all. Without content the file is removed; it need not be there.
	Replace(name string, content []byte) error
	// Answers asks the running standfast how it is, in a sentence for each instance.
	Answers(ctx context.Context) ([]string, error)
}

// Unit is a service as systemd sees it.
type Unit struct {
	Name       string
	Load       string   // loaded, not-found, masked …
	Active     string   // active, inactive, failed, activating, deactivating, reloading
	Enabled    string   // UnitFileState: enabled, disabled, masked, static … empty where there is no such unit
	PID        int      // of the main process; 0 for none
	Fragment   string   // the unit file
	DropIns    []string // what is read over it, in that order
	Dependents []string // services that stop when this one is stopped
	Conflicts  []string // units that cannot run beside it
}

// known says that systemd has such a unit, masked perhaps.
func (u Unit) known() bool { return u.Load != "" && u.Load != "not-found" }

// masked says that the unit cannot be started.
func (u Unit) masked() bool { return u.Load == "masked" || strings.HasPrefix(u.Enabled, "masked") }

// runs says that something of the unit may be alive.
func (u Unit) runs() bool { return u.Active != "" && u.Active != "inactive" && u.Active != "failed" }

// boots says that the unit starts at boot.
func (u Unit) boots() bool { return strings.HasPrefix(u.Enabled, "enabled") }

// short is the name that operators type.
func (u Unit) short() string { return strings.TrimSuffix(u.Name, ".service") }

// Process is one of a daemon's processes.
type Process struct {
	PID   int
	Group string // its control group, where systemd's names tell a service from a session or a container
}

// of says that a process belongs to a unit.
func (p Process) of(unit string) bool { return slices.Contains(strings.Split(p.Group, "/"), unit) }

// contained says that a process runs in a container.
func (p Process) contained() bool {
	for _, mark := range []string{"docker", "libpod", "crio", "kubepods", "containerd", "lxc", "machine.slice"} {
		if strings.Contains(p.Group, mark) {
			return true
		}
	}
	return false
}

// Snapshot is what a plan is made of.
type Snapshot struct {
	Files      fs.FS // rooted at /
	Systemd    bool  // systemd runs this host
	Root       bool  // the plan could be carried out by who asks
	Keepalived Unit
	Standfast  Unit
}

// lookPatience is how long systemd may take to answer a question, in a call each.
const lookPatience = 10 * time.Second

// Look takes a snapshot of a host. The error is systemctl's.
func Look(ctx context.Context, hands Hands) (s Snapshot, err error) {
	s = Snapshot{Files: hands.Files(), Root: hands.Root(), Keepalived: Unit{Name: Keepalived}, Standfast: Unit{Name: Standfast}}
	info, err := fs.Stat(s.Files, "run/systemd/system")
	if s.Systemd = err == nil && info.IsDir(); !s.Systemd {
		return s, nil
	}
	if s.Keepalived, err = lookUnit(ctx, hands, Keepalived); err != nil {
		return s, err
	}
	s.Standfast, err = lookUnit(ctx, hands, Standfast)
	return s, err
}

// lookUnit asks systemd for what it knows of a unit. Each property is asked for by a flag of its own, as systemd 219 wants it.
func lookUnit(ctx context.Context, hands Hands, name string) (Unit, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	args := []string{"show", name}
	for _, p := range []string{"LoadState", "ActiveState", "UnitFileState", "MainPID", "FragmentPath", "DropInPaths",
		"RequiredBy", "BoundBy", "ConsistsOf", "Conflicts"} {
		args = append(args, "-p", p)
	}
	text, err := hands.Systemctl(ctx, args...)
	if err != nil {
		return Unit{}, fmt.Errorf("systemd does not say how %s is: %w", name, err)
	}
	has := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		has[key] = value
	}
	u := Unit{Name: name, Load: has["LoadState"], Active: has["ActiveState"], Enabled: has["UnitFileState"],
		Fragment: has["FragmentPath"], DropIns: strings.Fields(has["DropInPaths"]), Conflicts: strings.Fields(has["Conflicts"])}
	u.PID, _ = strconv.Atoi(has["MainPID"])
	for _, other := range strings.Fields(has["RequiredBy"] + " " + has["BoundBy"] + " " + has["ConsistsOf"]) {
		// A target holds nobody up, and standfast's own helpers are meant to go with it.
		if !strings.HasSuffix(other, ".target") && !strings.HasPrefix(other, "standfast-") && !slices.Contains(u.Dependents, other) {
			u.Dependents = append(u.Dependents, other)
		}
	}
	return u, nil
}

// routers finds the processes of a daemon, whoever started them, that do VRRP in this network namespace: in another one they
// do no harm to the ports of this host.
func routers(files fs.FS, unit string) []Process {
	entries, err := fs.ReadDir(files, "proc")
	if err != nil {
		return nil
	}
	own, _ := fs.ReadLink(files, "proc/self/ns/net")
	var found []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !routes(files, e.Name(), unit) {
			continue
		}
		if theirs, err := fs.ReadLink(files, path.Join("proc", e.Name(), "ns/net")); err == nil && own != "" && theirs != own {
			continue
		}
		found = append(found, Process{pid, group(text(files, path.Join("proc", e.Name(), "cgroup")))})
	}
	slices.SortFunc(found, func(a, b Process) int { return a.PID - b.PID })
	return found
}

// routes says that a process is one of a daemon that does VRRP. keepalived may be told only to balance, and standfast has
// helpers and subcommands, of which this is one.
func routes(files fs.FS, pid, unit string) bool {
	line := strings.Split(strings.TrimSuffix(text(files, path.Join("proc", pid, "cmdline")), "\x00"), "\x00")
	switch unit {
	case Keepalived:
		return executes(files, pid, "keepalived") && !understood(line[1:]).checksOnly
	case Standfast:
		return executes(files, pid, "standfast") && len(line) > 1 && line[1] == "run"
	}
	return false
}

// executes says that a process runs a program: by the file that it executes, or, where that may not be seen, by the name that
// the kernel keeps. A process that has ended and waits for its parent has no command line, and runs nothing.
func executes(files fs.FS, pid, program string) bool {
	if text(files, path.Join("proc", pid, "cmdline")) == "" {
		return false
	}
	exe, err := fs.ReadLink(files, path.Join("proc", pid, "exe"))
	if err != nil {
		return strings.TrimSpace(text(files, path.Join("proc", pid, "comm"))) == program
	}
	return path.Base(strings.TrimSuffix(exe, " (deleted)")) == program
}

// group is the path of the control group that systemd put a process into.
func group(cgroup string) string {
	for line := range strings.Lines(cgroup) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 && (f[0] == "0" || f[1] == "name=systemd") {
			if f[2] != "/" || f[1] != "" {
				return f[2]
			}
		}
	}
	return ""
}

// text is the content of a file, empty where it cannot be read.
func text(files fs.FS, name string) string {
	b, err := fs.ReadFile(files, strings.TrimPrefix(path.Clean("/"+name), "/"))
	if err != nil {
		return ""
	}
	return string(b)
}

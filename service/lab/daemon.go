package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A Daemon is a VRRP daemon that a router of the pair can run.
type Daemon struct {
	Name       string // in tables
	Program    string // path
	Tool       string // what [Member.Ask] runs; empty: Program
	Keepalived bool
	// Extra is put into the vrrp_instance: dont_track_primary, fault_contested take.
	Extra []string
}

// Standfast is the product.
func Standfast(program string, extra ...string) Daemon {
	return Daemon{Name: "standfast", Program: program, Extra: extra}
}

// Keepalived is the yardstick, in its default manner or with dont_track_primary.
func Keepalived(program string, dontTrackPrimary bool) Daemon {
	d := Daemon{Name: "keepalived", Program: program, Keepalived: true}
	if dontTrackPrimary {
		d.Name, d.Extra = "keepalived dont_track_primary", []string{"dont_track_primary"}
	}
	return d
}

// RuntimeDir is standfast's default: in the router's own /run, which is empty when it boots. keepalived's files are there too.
const RuntimeDir = "/run/standfast"

// Command returns how the daemon is started with a configuration file.
func (d Daemon) Command(file string) *exec.Cmd {
	if d.Keepalived {
		return exec.Command(d.Program, "--vrrp", "-n", "-l", "-D", "-f", file)
	}
	return exec.Command(d.Program, "run", "-f", file, "--runtime-dir", RuntimeDir)
}

// scriptFolder is where the story's configuration has its notify scripts.
const scriptFolder = "/etc/keepalived/"

// scripts are the notify scripts of the story's configuration. In the laboratory each writes its name to the file "notified".
func scripts() []string { return []string{"promotemaster", "promotebackup"} }

// install writes a configuration and its scripts into dir and returns the configuration's path.
func (d Daemon) install(dir string, config []byte) (string, error) {
	for _, name := range scripts() {
		text := fmt.Sprintf("#!/bin/sh\necho %s \"$@\" >> %s\n", name, filepath.Join(dir, "notified"))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			return "", fmt.Errorf("write a notify script: %w", err)
		}
	}
	text := strings.ReplaceAll(string(config), scriptFolder, dir+"/")
	if !d.Keepalived && !strings.Contains(text, "storage_watch") {
		text = strings.Replace(text, "global_defs {\n", "global_defs {\n    storage_watch off\n", 1) // this host's disks are none of ours
	}
	text = strings.Replace(text, "    advert_int", strings.Join(append(d.Extra, "    advert_int"), "\n"), 1)
	file := filepath.Join(dir, "router.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write the configuration: %w", err)
	}
	return file, nil
}

// A Line is a line that a daemon wrote.
type Line struct {
	At   time.Time // when it arrived
	Text string
}

// A Log keeps what a daemon writes. It is an io.Writer for one command.
type Log struct {
	mu    sync.Mutex
	part  []byte
	lines []Line
}

// Write takes output.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, b...)
	for {
		line, rest, whole := bytes.Cut(l.part, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		l.lines = append(l.lines, Line{At: time.Now(), Text: string(line)})
		l.part = rest
	}
}

// Between returns the lines that arrived from one moment on and before another; a zero to is now.
func (l *Log) Between(from, to time.Time) []Line {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []Line
	for _, line := range l.lines {
		if !line.At.Before(from) && (to.IsZero() || line.At.Before(to)) {
			lines = append(lines, line)
		}
	}
	return lines
}

// Transitions returns the states that the daemon said it enters, from one moment on and before another: MASTER, BACKUP, FAULT.
func (l *Log) Transitions(from, to time.Time) []string {
	var states []string
	for _, line := range l.Between(from, to) {
		_, after, entering := strings.Cut(line.Text, "Entering ")
		if state, _, ok := strings.Cut(after, " STATE"); entering && ok {
			states = append(states, state)
		}
	}
	return states
}

// String returns the whole log.
func (l *Log) String() string {
	var b strings.Builder
	for _, line := range l.Between(time.Time{}, time.Time{}) {
		b.WriteString(line.Text)
		b.WriteByte('\n')
	}
	return b.String()
}

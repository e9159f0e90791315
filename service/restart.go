package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// RestartDocument says whether a restart of the service is pending, since its program was replaced while it runs. Whoever
// asks the service finds out: the service itself needs no disk for it.
type RestartDocument struct {
	Pending   bool   `json:"pending"`
	Running   string `json:"running"`   // the version of the service
	Installed string `json:"installed"` // the version of the program that asks
}

// String is a sentence with its remedy; empty when nothing is pending.
func (r RestartDocument) String() string {
	switch {
	case !r.Pending:
		return ""
	case r.Running == r.Installed:
		return fmt.Sprintf("a restart is pending: version %s runs, and its program was replaced; restart at a quiet moment, the BACKUP first", r.Running)
	}
	return fmt.Sprintf("a restart is pending: version %s runs, %s is installed; restart at a quiet moment, the BACKUP first", r.Running, r.Installed)
}

// PendingRestart compares the program of a running service with this one, which is of the given version. Who may not look
// at the service's process compares versions.
func PendingRestart(n NodeDocument, version string) RestartDocument {
	return pendingRestart("/proc", n, version)
}

func pendingRestart(processes string, n NodeDocument, version string) RestartDocument {
	r := RestartDocument{Running: n.Version, Installed: version, Pending: n.Version != version}
	theirs, err1 := programOf(processes, strconv.Itoa(n.PID))
	ours, err2 := programOf(processes, "self")
	if err1 == nil && err2 == nil {
		// Under another name it is another program, or the number is that of another process, seen from a container.
		r.Pending = theirs.name == ours.name && !os.SameFile(theirs.file, ours.file)
	}
	return r
}

// program is what a process was started from.
type program struct {
	name string      // under which it was started
	file os.FileInfo // which may have another name by now, or none
}

func programOf(processes, id string) (p program, err error) {
	link := filepath.Join(processes, id, "exe")
	if p.name, err = os.Readlink(link); err != nil {
		return program{}, err
	}
	p.name = strings.TrimSuffix(p.name, " (deleted)")
	p.file, err = os.Stat(link)
	return p, err
}

// withRestart adds what was found out to the document of the service, which stays as it came.
func withRestart(document []byte, r RestartDocument) []byte {
	text, err := json.Marshal(r)
	inside, ok := bytes.CutSuffix(bytes.TrimSpace(document), []byte("}"))
	if err != nil || !ok {
		return document
	}
	return fmt.Appendf(bytes.Clone(inside), ",\"restart\":%s}\n", text)
}

package packaging_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// oldest is the systemd of the oldest system that is supported, CentOS 7.
const oldest = 219

// least says for each directive in our units since which systemd it is understood. What is not listed is in no unit of ours
// before somebody has looked it up.
func least() map[string]int {
	return map[string]int{
		"[Unit]": oldest, "[Service]": oldest, "[Install]": oldest,
		"Description": oldest, "Documentation": oldest, "After": oldest, "Wants": oldest, "Conflicts": oldest, "WantedBy": oldest,
		"Type": oldest, "EnvironmentFile": oldest, "ExecStart": oldest, "ExecReload": oldest, "WatchdogSec": oldest, "Restart": oldest,
		"RestartSec": oldest, "StartLimitInterval": oldest, "StartLimitBurst": oldest, "TimeoutStartSec": oldest, "TimeoutStopSec": oldest,
		"KillMode": oldest, "LimitMEMLOCK": oldest, "LimitRTPRIO": oldest, "LimitRTTIME": oldest, "LimitNICE": oldest, "LimitCORE": oldest,
		"OOMScoreAdjust": oldest, "CapabilityBoundingSet": oldest, "ProtectSystem": oldest, "ProtectHome": oldest,
		"DevicePolicy": oldest, "DeviceAllow": oldest, "RestrictAddressFamilies": oldest, "SystemCallArchitectures": oldest,
		"NoNewPrivileges": oldest, "SystemCallFilter": oldest, "SystemCallErrorNumber": oldest,
		"ReadWritePaths": 231, "MemoryDenyWriteExecute": 231, "RestrictRealtime": 231, "ProtectControlGroups": 232, "ProtectKernelModules": 232,
		"MemorySwapMax": 232, "RestrictNamespaces": 233, "LockPersonality": 235, "PrivateMounts": 239,
		"RestrictSUIDSGID": 242, "ProtectHostname": 242, "TimeoutAbortSec": 243, "OOMPolicy": 243, "ProtectClock": 245, "ProtectProc": 247,
		"ManagedOOMPreference": 248,
	}
}

// newer says since when a value of a directive is understood, where it is later than the directive itself. An older systemd
// takes one that it does not know for something else: a filter with groups of calls for one that allows none.
func newer(name, value string) int {
	switch {
	case name == "ProtectSystem" && value == "strict":
		return 232
	case name == "SystemCallFilter" && strings.Contains(value, "@"):
		return 231
	case name == "Type" && value == "notify-reload":
		return 253
	}
	return oldest
}

// settings are the lines of a unit or a drop-in, sections as lines without a value.
func settings(t *testing.T, file string) (all [][2]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		all = append(all, [2]string{name, value})
	}
	return all
}

func unitFiles(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("systemd", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return files
}

// Each unit says only what the releases understand that it is for.
func TestUnitsAreUnderstood(t *testing.T) {
	known, used := least(), map[string]bool{}
	check := func(file string, release int) {
		for _, s := range settings(t, file) {
			name, value := s[0], s[1]
			used[name] = true
			since, ok := known[name]
			switch {
			case !ok:
				t.Errorf("%s: nobody has looked up since when %s is understood", file, name)
			case max(since, newer(name, value)) > release:
				t.Errorf("%s is for systemd %d, %s=%s is understood since %d", file, release, name, value, max(since, newer(name, value)))
			case name == "SystemCallFilter" && !strings.HasPrefix(value, "~"):
				t.Errorf("%s: %s=%s forbids what it does not name, and a later program asks for more", file, name, value)
			}
		}
	}
	for _, file := range unitFiles(t, "*.service") {
		check(file, oldest)
	}
	for _, file := range unitFiles(t, "*/*.service.conf") {
		release, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		check(file, release)
		if unit := strings.TrimSuffix(filepath.Base(file), ".conf"); !slices.Contains(unitFiles(t, "*.service"), "systemd/"+unit) {
			t.Errorf("%s is for no unit", file)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if !used[name] {
			t.Errorf("%s is in the table and in no unit", name)
		}
	}
}

// What the doctor would have an operator add to the unit is there already. It offers capabilities to who runs the service
// without limits, and those only.
func TestUnitSatisfiesTheDoctor(t *testing.T) {
	text, err := os.ReadFile("../service/doctor/process.go")
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]string{}
	for _, s := range settings(t, "systemd/standfast.service") {
		has[s[0]] = s[1]
	}
	demanded := 0
	for _, call := range regexp.MustCompile(`unitLines\("\w+"(, "[^"]+")+\)`).FindAllString(string(text), -1) {
		for _, line := range regexp.MustCompile(`"(\w+)=([^"]*)"`).FindAllStringSubmatch(call, -1) {
			if line[1] == "AmbientCapabilities" {
				continue
			}
			demanded++
			if got := has[line[1]]; got != line[2] {
				t.Errorf("the doctor wants %s=%s, the unit has %q", line[1], line[2], got)
			}
		}
	}
	if demanded < 5 {
		t.Errorf("the doctor demands %d lines, it used to be 5", demanded)
	}
}

// installed is a root with our units and all drop-ins up to a release, and stubs of what they name.
func installed(t *testing.T, release int) (root string) {
	t.Helper()
	root = t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	copied := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		put(to, string(text), 0o644)
	}
	const units = "usr/lib/systemd/system/"
	put("usr/sbin/standfast", program, 0o755)
	for _, target := range []string{"sysinit", "basic", "shutdown", "multi-user", "network-pre"} {
		put(units+target+".target", "[Unit]\nDescription="+target+"\n", 0o644)
	}
	put(units+"keepalived.service", "[Service]\nExecStart=/usr/sbin/standfast\n", 0o644)
	for _, slice := range []string{"-", "system"} {
		put(units+slice+".slice", "[Unit]\nDescription=slice\n", 0o644)
	}
	for _, file := range unitFiles(t, "*.service") {
		copied(file, units+filepath.Base(file))
	}
	for _, file := range unitFiles(t, "*/*.conf") {
		since := filepath.Base(filepath.Dir(file))
		if n, err := strconv.Atoi(since); err == nil && n <= release {
			copied(file, units+strings.TrimSuffix(filepath.Base(file), ".conf")+".d/50-"+since+".conf")
		}
	}
	return root
}

// What systemd itself says of the units, with the drop-ins of its release.
func TestSystemdLikesTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze on this host; on Debian: apt-get install systemd")
	}
	text, err := exec.Command(analyze, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`^systemd (\d+)`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("which version is %q?", text)
	}
	release, err := strconv.Atoi(string(found[1]))
	if err != nil || release < 252 {
		t.Skipf("systemd %d cannot judge a unit that is not installed; 252 can", release)
	}
	root := installed(t, release)
	for _, unit := range []string{"standfast.service", "standfast-scripts.service", "standfast-disk.service"} {
		said, err := exec.Command(analyze, "verify", "--man=no", "--root="+root, unit).CombinedOutput()
		if err != nil || len(said) > 0 {
			t.Errorf("verify %s: %v\n%s", unit, err, said)
		}
	}
	const threshold = "30" // tenths
	said, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold="+threshold, "--root="+root, "standfast.service").CombinedOutput()
	if err != nil {
		t.Errorf("security: %v\n%s", err, said)
	}
	if !strings.Contains(string(said), "exposure level for standfast.service") {
		t.Errorf("security says nothing of the unit:\n%s", said)
	}
}

// Nothing that the service needs is taken from it, and no helper holds it up.
func TestUnitsKeepTheirPromises(t *testing.T) {
	forbidden := map[string]string{
		"ProtectKernelTunables": "/proc/sysrq-trigger could not be written to", "PrivateDevices": "watchdog_device would not be there",
		"PrivateNetwork": "it is a router", "PrivateUsers": "its capabilities would be those of nobody", "ProcSubset": "/proc/sys would be hidden",
		"PrivateTmp": "systemd would make folders on a disk at each start", "RuntimeDirectory": "the first unit that stops would take it away",
		"FailureAction": "it fires although the unit is started again", "PartOf": "a crash of the service would end the scripts that run",
		"BindsTo": "as PartOf", "Requires": "a helper that does not start would keep the service from starting",
		"RestartPreventExitStatus": "a Go program that crashed exits as one that refuses its configuration",
	}
	for _, file := range append(unitFiles(t, "*.service"), unitFiles(t, "*/*.conf")...) {
		for _, s := range settings(t, file) {
			if why, ok := forbidden[s[0]]; ok {
				t.Errorf("%s: %s: %s", file, s[0], why)
			}
			if strings.Contains(s[1], "network-online.target") {
				t.Errorf("%s waits for every port, dark ones too", file)
			}
		}
	}
}

package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/hw/disk"
	"standfast/hw/process"
	"standfast/service/helper"
	"standfast/vrrp"
	"standfast/vrrp/node"
	"standfast/vrrp/verdict"
)

// told is a snapshot of a router that took over a minute ago, and of another
// instance on it that cannot serve.
func told() Snapshot {
	at := time.Date(2026, 11, 22, 19, 0, 0, 0, time.UTC)
	dead := verdict.Judge(verdict.Evidence{
		Voice: verdict.VoiceSilent, Self: verdict.SelfOnTime, VIP: verdict.ReplySilent, Serving: verdict.ServingAll,
		Silence: verdict.SilenceCalibrated, Crowd: verdict.CrowdAlone, Heartbeat: verdict.LinkDown,
	})
	one, two := node.Key{Port: "p4p1", VRID: 50, Family: vrrp.IPv4}, node.Key{Port: "p4p1", VRID: 51, Family: vrrp.IPv6}
	s := Snapshot{
		Wall: at, Now: vrrp.Instant(time.Hour), Started: at.Add(-time.Hour), Version: "0", File: "/etc/x.conf",
		Body:   Body{Locked: process.LockedText, Schedule: process.Schedule{Nice: -20}, Watchdog: watchdogOff, Remarks: []string{"no real time: grant it"}},
		Memory: process.Memory{Proportional: 5 << 20, Resident: 7 << 20, Locked: 1 << 30}, Collections: 9,
		Counts: Counts{SendErrors: 3, LinesDropped: 12},
		Status: node.Status{
			Now: vrrp.Instant(time.Hour - time.Second), // the brain's last step
			Instances: []node.InstanceStatus{
				{Key: one, Name: "VI_0", State: vrrp.Master, Since: vrrp.Instant(59 * time.Minute), Priority: 100, Effective: 100,
					Holding: true, Installed: true, Lease: 3 * time.Second, Verdict: dead, Reason: dead.Why(), Sent: 60,
					VIPs: []node.VIP{{Prefix: netip.MustParsePrefix("192.0.2.1/24"), Port: "p3p1"}}},
				{Key: two, Name: "VI_6", State: vrrp.Fault, Since: vrrp.Instant(30 * time.Minute), Priority: 100, Effective: 90,
					Reason: "p1p1: no carrier", Doubt: "silence", Master: netip.MustParseAddr("fe80::2"),
					Faults: []node.Fault{{Cause: node.CauseCarrier, Port: "p1p1", Culprit: "p1p1: no carrier"}}},
			},
			Ports: []node.PortStatus{
				{Port: "p1p1", Roles: []node.Role{node.RoleServing}, Present: true, AdminUp: true, Carrier: node.CarrierDown},
				{Port: "p3p1", Roles: []node.Role{node.RoleServing}, Present: true, AdminUp: true, Carrier: node.CarrierUp, Driver: "igb",
					Calibrated: true, Witnesses: []netip.Addr{netip.MustParseAddr("192.0.2.9")}, Peers: []node.MAC{{2, 0, 0, 0, 0, 1}}},
				{Port: "p4p1", Roles: []node.Role{node.RoleHeartbeat, node.RoleServing}, Present: true, AdminUp: true, Mute: true},
				{Port: "p5p1", Present: true},
				{Port: "p6p1"},
			},
		},
	}
	s.Storage = storageReport{
		State: node.StorageFailed, Culprit: "/ and /var on sda: a read has not been answered for 5.0 s", Since: time.Hour - time.Minute,
		Helper: helper.Presence{Known: true, There: true, Since: time.Minute},
		Volumes: []volumeReport{
			{Volume: sda("/", "/var"), File: helper.ProbeFile, Grade: disk.Failed, Culprit: "/ and /var on sda: a read has not been answered for 5.0 s",
				Since: time.Hour - time.Minute, Trouble: "an earlier attempt still hangs on sda",
				Reads:  opReport{Count: 100, P50: 200 * time.Microsecond, P99: 3 * time.Millisecond, Max: 40 * time.Millisecond, Good: time.Hour - 66*time.Second, Running: time.Hour - 65*time.Second},
				Writes: opReport{Count: 50, P50: time.Millisecond, P99: 9 * time.Millisecond, Max: 90 * time.Millisecond, Good: time.Hour - 67*time.Second}},
			{Volume: disk.Volume{Paths: []string{"/srv"}, Mount: "/srv", Type: "xfs", Device: "9:0", Leaves: []string{"sdb", "sdc"}}, Grade: disk.Healthy,
				Degraded: []string{"array md0 lacks 1 of its members"}, Reads: opReport{Count: 1, P50: time.Millisecond, P99: time.Millisecond, Max: time.Millisecond, Good: time.Hour - time.Second}},
		},
		Skipped: []disk.Skipped{{Path: "/tmp", Reason: "lives in memory (tmpfs)"}},
	}
	s.Status.Storage.Resigned = true
	s.Policy.Fence = 2 * time.Minute
	s.Launcher = helper.LauncherReport{Presence: helper.Presence{Known: true, Since: time.Hour - time.Second}, Starts: map[helper.Kind]uint64{helper.Disk: 2}}
	s.Scripts = helper.ScriptReport{Presence: helper.Presence{Known: true, There: true}, Trouble: []string{"notify script \"/x\" of VI_0 could not run: it does not exist"}}
	s.Status.Instances[0].Counters[vrrp.Accepted] = 7
	for _, late := range []time.Duration{-1, 100 * time.Microsecond, 120 * time.Microsecond, 5400 * time.Microsecond} {
		s.Lateness.add(late)
	}
	s.Status.Instances[0].Counters[vrrp.CheckPassword] = 2
	s.History = []Moment{
		{Wall: at.Add(-time.Hour), Transition: node.Transition{Key: one, Name: "VI_0", To: vrrp.Backup, Reason: "started", Initial: true}},
		{Wall: at.Add(-30 * time.Minute), Transition: node.Transition{Key: two, Name: "VI_6", From: vrrp.Backup, To: vrrp.Fault, Reason: "p1p1: no carrier"}},
		{Wall: at.Add(-time.Minute), Transition: node.Transition{Key: one, Name: "VI_0", From: vrrp.Backup, To: vrrp.Master, Verdict: dead, Reason: dead.Why()}},
	}
	return s
}

// served answers from a snapshot, and returns the runtime directory to ask in.
func served(t *testing.T, s Snapshot) string {
	t.Helper()
	dir, _ := control(t, controlPatience, answerer(func(context.Context) (Snapshot, error) { return s, nil }, noReload))
	return dir
}

func TestPrintStatus(t *testing.T) {
	var b bytes.Buffer
	if err := statusDocument(told()).print(&b, time.UTC); err != nil {
		t.Fatal(err)
	}
	want := `standfast 0, running since 2026-11-22 18:00:00 (1 h 0 min), /etc/x.conf
! VI_6 is in FAULT
! VI_6: p1p1: no carrier
! port p1p1 (serving) is down
! port p5p1 () is admin-down
! port p6p1 () is missing
! storage has failed: / and /var on sda: a read has not been answered for 5.0 s
! this router has resigned because of its storage
! storage under /srv: array md0 lacks 1 of its members
! the launcher is gone: helpers that end are not started again
! notify script "/x" of VI_0 could not run: it does not exist

VI_0  MASTER since 2026-11-22 18:59:00 (1 min 0 s)
    priority 100, IPv4 virtual router 50 on p4p1
    verdict peer-dead (backup-5-peer-dead)
    192.0.2.1/24 on p3p1
    packets dropped: password 2

VI_6  FAULT since 2026-11-22 18:30:00 (30 min 0 s)
    priority 100, in force 90, IPv6 virtual router 51 on p4p1, obeys fe80::2
    verdict none (none)
    in doubt: silence

PORT  ROLES              CARRIER     DRIVER  REMARKS
p1p1  serving            down        -       -
p3p1  serving            up          igb     calibrated, 1 witnesses
p4p1  heartbeat,serving  unknown     -       mute
p5p1                     admin-down  -       -
p6p1                     missing     -       -

STORAGE  DEVICES  STATE    READ             WRITE            REMARKS
/,/var   sda      failed   0.2/3.0/40.0 ms  1.0/9.0/90.0 ms  a read waits for 65 s; last write 67 s ago; an earlier attempt still hangs on sda
/srv     sdb,sdc  healthy  1.0/1.0/1.0 ms   -                -

process: memory locked: text; scheduling: nice -20; watchdog: off; 5.0 MB
    no real time: grant it
adverts late, ms: p50 0.104, p99 5.4, p99.9 5.4, p99.99 5.4, max 5.4 of 4

lost since the start: adverts not sent 3, log lines dropped 12
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.Reset()
	healthy, err := PrintStatus(t.Context(), &b, served(t, told()), "0", false)
	if err != nil || healthy || len(b.String()) != len(want) {
		t.Errorf("asked: healthy %v, %v, %s", healthy, err, b.String())
	}
	b.Reset()
	pending := "\na restart is pending: version 0 runs, 1 is installed; restart at a quiet moment, the BACKUP first\n! "
	if _, err := PrintStatus(t.Context(), &b, served(t, told()), "1", false); err != nil || !strings.Contains(b.String(), pending) {
		t.Errorf("asked by another version: %v, %s", err, b.String())
	}
}

func TestPrintWhy(t *testing.T) {
	document := func(only string) string {
		d, err := whyDocument(told(), only)
		var b bytes.Buffer
		if err := errors.Join(err, d.print(&b, time.UTC)); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	sentence := told().Status.Instances[0].Reason
	want := `VI_0 is MASTER since 2026-11-22 18:59:00 (1 min 0 s).
    ` + sentence + `
    rule backup-5-peer-dead, finding peer-dead
    evidence: crowd alone, heartbeat no-carrier, self on-time, serving all, silence calibrated, vip silent, voice silent

    How it came there, the latest first:
    2026-11-22 18:59:00.000  BACKUP → MASTER
        ` + sentence + `
        rule backup-5-peer-dead, finding peer-dead
        evidence: crowd alone, heartbeat no-carrier, self on-time, serving all, silence calibrated, vip silent, voice silent
    2026-11-22 18:00:00.000  INIT → BACKUP
        started.

VI_6 is FAULT since 2026-11-22 18:30:00 (30 min 0 s).
    p1p1: no carrier.
    In doubt: silence.
    Fault: p1p1: no carrier.

    How it came there, the latest first:
    2026-11-22 18:30:00.000  BACKUP → FAULT
        p1p1: no carrier.

Storage has failed since 2026-11-22 18:59:00 (1 min 0 s): / and /var on sda: a read has not been answered for 5.0 s.
    This router has resigned because of it.
    If another router serves, this host is reset 120 s after the failure.
`
	if diff := cmp.Diff(want, document("")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, six, _ := strings.Cut(want, "started.\n\n")
	if diff := cmp.Diff(six, document("VI_6")); diff != "" {
		t.Errorf("of one instance (-want +got):\n%s", diff)
	}
	dir := served(t, told())
	var b bytes.Buffer
	if err := PrintWhy(t.Context(), &b, dir, "", false); err != nil || len(b.String()) != len(want) {
		t.Errorf("asked: %v, %s", err, b.String())
	}
	if err := PrintWhy(t.Context(), &b, dir, "VI_7", true); err == nil || !strings.Contains(err.Error(), "only VI_0, VI_6") {
		t.Errorf("of an unknown instance: %v", err)
	}
}

// TestStatusFields: what others read stays where it is.
func TestStatusFields(t *testing.T) {
	var b bytes.Buffer
	if _, err := PrintStatus(t.Context(), &b, served(t, told()), "1", true); err != nil {
		t.Fatal(err)
	}
	var d struct {
		Node      map[string]any
		Instances []map[string]any
		Ports     []map[string]any
		Restart   RestartDocument
	}
	if err := json.Unmarshal(b.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if want := (RestartDocument{Pending: true, Running: "0", Installed: "1"}); d.Restart != want {
		t.Errorf("restart %+v, want %+v", d.Restart, want)
	}
	has := func(what string, m map[string]any, fields ...string) {
		for _, f := range fields {
			if v, ok := m[f]; !ok || v == nil {
				t.Errorf("%s has no %s: %v", what, f, m)
			}
		}
	}
	storage := d.Node["storage"].(map[string]any)
	has("storage", storage, "state", "culprit", "since", "resigned", "yield", "fence", "helper", "volumes", "not_watched")
	has("volume", storage["volumes"].([]any)[0].(map[string]any), "paths", "mount", "type", "devices", "state", "culprit", "since", "file", "trouble", "read", "write")
	has("attempts", storage["volumes"].([]any)[0].(map[string]any)["read"].(map[string]any), "count", "p50", "p99", "max", "age", "running")
	has("helper", d.Node["helpers"].([]any)[0].(map[string]any), "name", "state", "since", "starts", "waiting", "trouble")
	has("node", d.Node, "storage", "helpers", "version", "time", "started", "config")
	for _, i := range d.Instances {
		has("instance", i, "name", "state", "since", "priority", "effective_priority", "interface", "vrid", "verdict", "faults", "vips")
		has("verdict", i["verdict"].(map[string]any), "finding", "rule")
	}
	for _, p := range d.Ports {
		has("port", p, "name", "roles", "carrier", "driver", "calibrated")
	}
	if got := d.Instances[0]["since"]; got != "2026-11-22T18:59:00Z" {
		t.Errorf("since %v", got)
	}
	if diff := cmp.Diff(map[string]any{"password": 2.0}, d.Instances[0]["dropped"]); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
	var why map[string]any
	b.Reset()
	if err := errors.Join(PrintWhy(t.Context(), &b, served(t, told()), "", true), json.Unmarshal(b.Bytes(), &why)); err != nil {
		t.Fatal(err)
	}
	has("why", why, "time", "instances")
}

func TestHealth(t *testing.T) {
	up := node.PortStatus{Port: "p", Roles: []node.Role{node.RoleHeartbeat}, Present: true, AdminUp: true, Carrier: node.CarrierUp}
	contested := verdict.Verdict{Finding: verdict.Contested}
	for _, test := range []struct {
		name     string
		instance node.InstanceStatus
		port     func(*node.PortStatus)
		want     []string
	}{
		{"serving", node.InstanceStatus{State: vrrp.Master, Installed: true}, nil, nil},
		{"standing by", node.InstanceStatus{State: vrrp.Backup}, nil, nil},
		{"carrier not known", node.InstanceStatus{State: vrrp.Backup}, func(p *node.PortStatus) { p.Carrier = node.CarrierUnknown }, nil},
		{"starting", node.InstanceStatus{State: vrrp.Initialize}, nil, []string{"I is in INIT"}},
		{"fault", node.InstanceStatus{State: vrrp.Fault, Faults: []node.Fault{{Culprit: "group"}}}, nil, []string{"I is in FAULT", "I: group"}},
		{"not in the kernel", node.InstanceStatus{State: vrrp.Master}, nil, []string{"I is MASTER but its addresses are not in the kernel"}},
		{"contested", node.InstanceStatus{State: vrrp.Backup, Verdict: contested}, nil,
			[]string{"I is contested: somebody else answers for its addresses"}},
		{"partial", node.InstanceStatus{State: vrrp.Master, Installed: true, Partial: true}, nil, []string{"I serves some of its ports only"}},
		{"cable", node.InstanceStatus{State: vrrp.Backup}, func(p *node.PortStatus) { p.Carrier = node.CarrierDown },
			[]string{"port p (heartbeat) is down"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.instance.Name = "I"
			port := up
			if test.port != nil {
				test.port(&port)
			}
			d := statusDocument(Snapshot{Status: node.Status{Instances: []node.InstanceStatus{test.instance}, Ports: []node.PortStatus{port}}})
			if !slices.Equal(d.Problems, test.want) || d.Healthy != (len(test.want) == 0) {
				t.Errorf("healthy %v, problems %q, want %q", d.Healthy, d.Problems, test.want)
			}
		})
	}
}

// TestRivalryIsShown: a MASTER's verdict is made from other facts.
func TestRivalryIsShown(t *testing.T) {
	d := verdictDocument(verdict.Settle(verdict.Rivalry{Rival: verdict.RivalPeer, Exchange: verdict.ExchangeNone, Youth: verdict.YouthYoung}))
	want := map[string]string{"asked": "unknown", "everywhere": "unknown", "exchange": "none", "mute": "unknown", "rival": "peer", "youth": "young"}
	if diff := cmp.Diff(want, d.Evidence); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAge(t *testing.T) {
	now := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	for ago, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 59900 * time.Millisecond: "59 s", time.Minute: "1 min 0 s",
		time.Hour - time.Second: "59 min 59 s", 47*time.Hour + 59*time.Minute: "47 h 59 min", 50 * time.Hour: "2 days",
	} {
		if got := age(now, now.Add(-ago)); got != want {
			t.Errorf("%v: %q, want %q", ago, got, want)
		}
	}
}

package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"standfast/hw/disk"
	"standfast/service"
)

// need is a path without which something does not work.
type need struct{ path, what string }

// needs are the paths on which the service depends.
func (d *host) needs(p *patient) []need {
	var all []need
	for _, watched := range p.config.Global.Storage.Paths {
		all = append(all, need{watched.Name, "watched storage"})
	}
	if len(all) == 0 {
		all = append(all, need{"/", "the root"}, need{"/var", "logs and state"})
	}
	all = append(all, need{p.file, "the configuration"})
	if path.IsAbs(d.options.RuntimeDir) {
		all = append(all, need{d.options.RuntimeDir, "the runtime directory"})
	}
	for _, s := range scriptsOf(p.config) {
		if path.IsAbs(s.Argv[0]) {
			all = append(all, need{s.Argv[0], "a notify script"})
		}
	}
	return all
}

// lookStorage looks at the file systems on which the service depends, without
// waiting for a disk.
func (d *host) lookStorage(p *patient) []Finding {
	needs := d.needs(p)
	var paths []string
	for _, n := range needs {
		paths = append(paths, n.path)
	}
	volumes, skipped, err := disk.FindIn(d.files, paths)
	if err != nil {
		return []Finding{{
			Severity: SeverityNote, Check: "storage", Subject: "storage", Text: err.Error(),
			Why: "a dying disk cannot be told from a healthy one", Remedy: "mount -t proc proc /proc",
		}}
	}
	findings := lookRemote(needs, skipped)
	asked := p.status != nil && p.status.Node.Storage.State != "unwatched" && len(p.status.Node.Storage.Volumes) > 0
	if p.status != nil {
		findings = append(findings, lookKnownStorage(p.status.Node)...)
	}
	for _, v := range volumes {
		if !asked {
			findings = append(findings, d.lookVolume(v)...)
		}
		if slices.Contains(v.Paths, d.options.RuntimeDir) {
			findings = append(findings, Finding{
				Severity: SeverityNote, Check: "runtime", Subject: d.options.RuntimeDir,
				Text:   fmt.Sprintf("the runtime directory %s is on a disk (%s)", d.options.RuntimeDir, strings.Join(v.Leaves, " ")),
				Why:    "the service cannot be started again while that disk hangs or is read-only",
				Remedy: "mount -t tmpfs -o mode=755 tmpfs /run    # or --runtime-dir on one",
			})
		}
	}
	return findings
}

// lookKnownStorage hands on what the running service knows, which tries the disks.
func lookKnownStorage(d service.NodeDocument) []Finding {
	var findings []Finding
	for _, text := range d.Storage.Problems() {
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "volume", Subject: "storage", Text: text,
			Why:    "whatever the host needs from there hangs or fails; what is not in memory may not come back",
			Remedy: "standfast status\ndmesg | tail -n 50    # hand the service over before the disk is touched",
		})
	}
	for _, h := range d.Helpers {
		for _, text := range h.Problems() {
			findings = append(findings, Finding{
				Severity: SeverityHazard, Check: "helper", Subject: "helper " + h.Name, Text: text,
				Why:    "the service goes on without it, and part of what is configured does not happen",
				Remedy: "journalctl -u standfast | grep -i helper",
			})
		}
	}
	if d.Storage.State == "unwatched" {
		findings = append(findings, Finding{
			Severity: SeverityNote, Check: "unwatched", Subject: "storage", Text: "the running service does not look at its storage: " + d.Storage.Culprit,
			Why: "a MASTER whose disk dies does not hand over while it still can", Remedy: "storage_watch auto    # in global_defs",
		})
	}
	for _, v := range d.Storage.Volumes {
		if len(findings) > 0 && v.State != "healthy" {
			continue
		}
		findings = append(findings, sound("storage", v.Mount, fmt.Sprintf("%s: %s on %s, %s; median, 99 of 100 and longest of reads %s, of writes %s",
			v.Mount, v.Type, strings.Join(v.Devices, " "), v.State, v.Read.Latencies(), v.Write.Latencies()))...)
		if v.Trouble != "" {
			findings = append(findings, Finding{
				Severity: SeverityNote, Check: "untried", Subject: v.Mount, Text: v.Mount + ": " + v.Trouble,
				Why: "the disk is not tried as it should be, and its death may be noticed late", Remedy: "standfast status",
			})
		}
	}
	return findings
}

// lookRemote names in one finding everything that lies on other hosts.
func lookRemote(needs []need, skipped []disk.Skipped) []Finding {
	var paths, texts []string
	for _, s := range skipped {
		if !s.Remote || slices.Contains(paths, s.Path) {
			continue
		}
		n := needs[slices.IndexFunc(needs, func(n need) bool { return n.path == s.Path })]
		paths = append(paths, s.Path)
		texts = append(texts, fmt.Sprintf("%s (%s) %s", n.path, n.what, s.Reason))
	}
	if len(paths) == 0 {
		return nil
	}
	return []Finding{{
		Severity: SeverityHazard, Check: "netfs", Subject: strings.Join(paths, " "), Text: strings.Join(texts, ", "),
		Why:    "it hangs when the network fails, which is when it is needed",
		Remedy: "cp " + strings.Join(paths, " ") + " FOLDER    # of a local disk, and name them there",
	}}
}

// lookVolume judges what the kernel says about a file system and its disks.
func (d *host) lookVolume(v disk.Volume) []Finding {
	signals := disk.Look(d.files, v)
	f := Finding{
		Severity: SeverityHazard, Check: "volume", Subject: v.Mount,
		Why:    "whatever the host needs from there hangs or fails; what is not in memory may not come back",
		Remedy: "dmesg | tail -n 50    # hand the service over before the disk is touched",
	}
	switch signals.Mount {
	case disk.MountReadOnly, disk.MountErrorsRead, disk.MountShutdown:
		f.Text = fmt.Sprintf("%v is %v", v, signals.Mount)
		return []Finding{f}
	case disk.MountUnknown, disk.MountWell, disk.MountDisappeared:
	}
	for _, leaf := range signals.Leaves {
		if leaf.State == disk.DeviceDead || leaf.State == disk.DeviceSuspended {
			f.Text = fmt.Sprintf("the disk %s of %v is %s", leaf.Name, v, leaf.Word)
			return []Finding{f}
		}
	}
	for _, a := range signals.Arrays {
		if a.Degraded > 0 {
			f.Text = fmt.Sprintf("the array %s of %v has lost %d of its disks", a.Name, v, a.Degraded)
			f.Why = "the next disk takes the host with it"
			f.Remedy = "cat /proc/mdstat    # then mdadm --manage /dev/" + a.Name + " --add DISK"
			return []Finding{f}
		}
	}
	var told []string
	for _, leaf := range v.Leaves {
		told = append(told, leaf+d.latency(leaf))
	}
	return sound("storage", v.Mount, fmt.Sprintf("%s: %s on %s", v.Mount, v.Type, strings.Join(told, ", ")))
}

// latency is the average of what a disk took since the boot: a passive measure,
// for a reader who knows what his disks take.
func (d *host) latency(leaf string) string {
	var reads, merged, sectors, readTime, writes, mergedWrites, written, writeTime float64
	_, err := fmt.Sscan(d.text(path.Join("sys/block", leaf, "stat")), &reads, &merged, &sectors, &readTime, &writes, &mergedWrites, &written, &writeTime)
	if err != nil || reads+writes == 0 {
		return ""
	}
	return fmt.Sprintf(" (since the boot %.1f ms a read, %.1f ms a write)", readTime/max(1, reads), writeTime/max(1, writes))
}

package doctor

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ini is a file of sections, keys and values, as systemd and NetworkManager
// write them. A key that is there several times keeps its last value.
type ini map[string]map[string]string

// readIni reads files over one another.
func (d *host) readIni(files ...string) ini {
	all := ini{}
	for _, file := range files {
		section := ""
		for line := range strings.Lines(d.text(file)) {
			line = strings.TrimSpace(line)
			if name, ok := strings.CutPrefix(line, "["); ok {
				section = strings.TrimSuffix(name, "]")
				continue
			}
			key, value, found := strings.Cut(line, "=")
			if !found || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
				continue
			}
			if all[section] == nil {
				all[section] = map[string]string{}
			}
			all[section][strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return all
}

// list is the names in a folder, nil if there is none.
func (d *host) list(dir string) []string {
	entries, err := fs.ReadDir(d.files, dir)
	if err != nil {
		return nil
	}
	all := []string{}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// dropIns are the fragments of a configuration in the folders of a host, in the
// order in which they are read: by name, those of /etc over those of /run over
// those of the distribution.
func (d *host) dropIns(folder, suffix string) []string {
	byName := map[string]string{}
	for _, root := range []string{"usr/lib", "run", "etc"} {
		for _, name := range d.list(path.Join(root, folder)) {
			if strings.HasSuffix(name, suffix) {
				byName[name] = path.Join(root, folder, name)
			}
		}
	}
	var files []string
	for _, name := range sortedKeys(byName) {
		files = append(files, byName[name])
	}
	return files
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// running finds processes by the name that the kernel keeps, of at most 15
// bytes, in this network namespace.
func (d *host) running(comm string) []int {
	own, _ := fs.ReadLink(d.files, "proc/self/ns/net")
	var pids []int
	for _, name := range d.list("proc") {
		pid, err := strconv.Atoi(name)
		if err != nil || d.text(path.Join("proc", name, "comm")) != comm {
			continue
		}
		if theirs, err := fs.ReadLink(d.files, path.Join("proc", name, "ns/net")); err == nil && own != "" && theirs != own {
			continue // in a container, with ports of its own
		}
		pids = append(pids, pid)
	}
	return pids
}

// systemdConfig reads a file of /etc/systemd and the fragments laid over it.
func (d *host) systemdConfig(name string) ini {
	return d.readIni(append([]string{path.Join("etc/systemd", name)}, d.dropIns(path.Join("systemd", name+".d"), ".conf")...)...)
}

// enabled says that systemd starts a unit at boot.
func (d *host) enabled(unit string) bool {
	for _, name := range d.list("etc/systemd/system") {
		if strings.HasSuffix(name, ".wants") && slices.Contains(d.list(path.Join("etc/systemd/system", name)), unit) {
			return true
		}
	}
	return false
}

// keepalivedServes says that keepalived does the work here, now or from the next boot on, and no standfast: a router that is
// yet to be moved. What would be right once it was would take the one away and start nothing in its place.
func (d *host) keepalivedServes(p *patient) bool {
	return p.absent && d.keepalivedRoutes() && (len(d.running("keepalived")) > 0 || d.enabled("keepalived.service"))
}

// toMove is what is to be done about it.
const toMove = "standfast migrate    # says what it takes, and changes nothing"

// lookRivals looks for others that do what standfast does.
func (d *host) lookRivals(p *patient) []Finding {
	if d.keepalivedServes(p) {
		return []Finding{{
			Severity: SeverityHazard, Check: "rival", Subject: "keepalived",
			Text:   "keepalived does VRRP here, and not standfast",
			Why:    "where both are enabled the next boot starts standfast alone; where both run, neither knows who serves",
			Remedy: toMove,
		}}
	}
	var findings []Finding
	for _, rival := range []struct{ comm, unit, stop string }{
		{"keepalived", "keepalived.service", "systemctl disable --now keepalived"},
		{"vrrpd", "vrrpd.service", "systemctl disable --now vrrpd    # or vrrpd=no in /etc/frr/daemons"},
		{"ucarp", "ucarp.service", "systemctl disable --now ucarp"},
	} {
		pids := d.running(rival.comm)
		switch {
		case rival.comm == "keepalived" && !d.keepalivedRoutes():
			continue // balances load only
		case len(pids) > 0:
			findings = append(findings, Finding{
				Severity: SeverityHazard, Check: "rival", Subject: rival.comm,
				Text:   fmt.Sprintf("%s is running as well (process %d)", rival.comm, pids[0]),
				Why:    "both add and remove the same addresses and answer each other's adverts: neither knows who serves",
				Remedy: rival.stop,
			})
		case d.enabled(rival.unit):
			findings = append(findings, Finding{
				Severity: SeverityHazard, Check: "rival", Subject: rival.comm,
				Text:   rival.comm + " is not running, but starts at the next boot",
				Why:    "after the next boot, mostly an unplanned one, both serve the same addresses",
				Remedy: rival.stop,
			})
		}
	}
	if d.exists("etc/systemd/system/standfast.service") || d.exists("usr/lib/systemd/system/standfast.service") {
		if !d.enabled("standfast.service") {
			findings = append(findings, Finding{
				Severity: SeverityHazard, Check: "boot", Subject: "standfast",
				Text:   "standfast does not start at the next boot",
				Why:    "after a boot this router is no BACKUP for anybody, and nothing says so",
				Remedy: "systemctl enable standfast",
			})
		}
	}
	if len(findings) == 0 {
		return sound("rivals", "host", "nothing else does VRRP here")
	}
	return findings
}

// keepalivedRoutes says that keepalived, as configured here, does VRRP.
func (d *host) keepalivedRoutes() bool {
	files := []string{"etc/keepalived/keepalived.conf"}
	for _, dir := range []string{"etc/keepalived", "etc/keepalived/conf.d"} {
		for _, name := range d.list(dir) {
			if strings.HasSuffix(name, ".conf") {
				files = append(files, path.Join(dir, name))
			}
		}
	}
	return slices.ContainsFunc(files, func(f string) bool { return strings.Contains(d.text(f), "vrrp_instance") })
}

// lookNetworkManager wants NetworkManager to leave the ports alone when they
// lose their carrier, or altogether.
func (d *host) lookNetworkManager(p *patient) []Finding {
	if len(d.running("NetworkManager")) == 0 {
		return sound("networkmanager", "NetworkManager", "it is not running")
	}
	config := d.networkManagerConfig()
	managed := p.where(func(one patientPort) bool { return one.state.Present && d.managed(config, one) })
	if len(managed) == 0 {
		return sound("networkmanager", "NetworkManager", "it manages none of the ports")
	}
	careless := slices.DeleteFunc(managed, func(one patientPort) bool { return d.ignoresCarrier(config, one) })
	if len(careless) == 0 {
		return sound("networkmanager", "NetworkManager", "it manages ports and ignores their carrier")
	}
	return []Finding{{
		Severity: SeverityHazard, Check: "networkmanager", Subject: names(careless),
		Text: "NetworkManager manages " + names(careless) + " and does not ignore the carrier there",
		Why: "some seconds after a port loses its carrier it takes the addresses off, those of others included, in the middle of " +
			"a failover",
		Remedy: "printf '[main]\\nignore-carrier=" + specs(careless) + "\\n' > /etc/NetworkManager/conf.d/90-standfast.conf\nsystemctl reload NetworkManager\n" +
			"# or, for ports that need nothing from it: [keyfile] unmanaged-devices=" + specs(careless),
	}}
}

// networkManagerConfig reads what NetworkManager reads, in its order: its own
// file comes between the fragments of packages and those of /etc.
func (d *host) networkManagerConfig() ini {
	packages, administrator := []string{}, []string{"etc/NetworkManager/NetworkManager.conf"}
	for _, file := range d.dropIns("NetworkManager/conf.d", ".conf") {
		if strings.HasPrefix(file, "etc/") {
			administrator = append(administrator, file)
		} else {
			packages = append(packages, file)
		}
	}
	return d.readIni(append(packages, administrator...)...)
}

// specs names ports as NetworkManager does.
func specs(ports []patientPort) string {
	var all []string
	for _, one := range ports {
		all = append(all, "interface-name:"+one.Name)
	}
	return strings.Join(all, ",")
}

// managed says whether NetworkManager has a port: as it says itself, or else as
// it is configured.
func (d *host) managed(config ini, one patientPort) bool {
	switch d.readIni(path.Join("run/NetworkManager/devices", strconv.Itoa(one.state.Index)))["device"]["managed"] {
	case "true":
		return true
	case "false":
		return false
	}
	if d.matches(config["keyfile"]["unmanaged-devices"], one) || d.matches(config["main"]["unmanaged-devices"], one) {
		return false
	}
	for _, section := range sortedKeys(config) {
		if strings.HasPrefix(section, "device") && isNo(config[section]["managed"]) && d.matches(config[section]["match-device"], one) {
			return false
		}
	}
	script := "etc/sysconfig/network-scripts/ifcfg-" + one.Name
	return !strings.Contains(strings.ToUpper(strings.ReplaceAll(d.text(script), `"`, "")), "NM_CONTROLLED=NO")
}

// ignoresCarrier says whether NetworkManager keeps the addresses of a port that
// loses its carrier.
func (d *host) ignoresCarrier(config ini, one patientPort) bool {
	if d.matches(config["main"]["ignore-carrier"], one) {
		return true
	}
	for _, section := range sortedKeys(config) {
		if strings.HasPrefix(section, "device") && isYes(config[section]["ignore-carrier"]) && d.matches(config[section]["match-device"], one) {
			return true
		}
	}
	return false
}

func isNo(word string) bool  { return slices.Contains([]string{"0", "no", "false", "off"}, word) }
func isYes(word string) bool { return slices.Contains([]string{"1", "yes", "true", "on"}, word) }

// matches reads NetworkManager's lists of devices.
func (d *host) matches(list string, one patientPort) bool {
	found := false
	for _, spec := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		rest, except := strings.CutPrefix(spec, "except:")
		if !d.isDevice(rest, one) {
			continue
		}
		if except {
			return false
		}
		found = true
	}
	return found
}

func (d *host) isDevice(spec string, one patientPort) bool {
	kind, value, found := strings.Cut(spec, ":")
	switch {
	case spec == "*":
		return true
	case kind == "interface-name" && strings.HasPrefix(value, "="):
		return value[1:] == one.Name
	case kind == "interface-name":
		ok, err := path.Match(strings.TrimPrefix(value, "~"), one.Name)
		return err == nil && ok
	case kind == "driver":
		return value == one.Driver
	case kind == "mac":
		m := one.state.MAC
		return strings.EqualFold(value, fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]))
	case !found:
		return spec == one.Name
	}
	return false
}

// lookNetworkd wants systemd-networkd to keep what it did not configure.
func (d *host) lookNetworkd(p *patient) []Finding {
	if len(d.running("systemd-network")) == 0 {
		return sound("networkd", "systemd-networkd", "it is not running")
	}
	var findings []Finding
	var managed []patientPort
	for _, one := range p.ports {
		link := d.readIni(path.Join("run/systemd/netif/links", strconv.Itoa(one.state.Index)))[""]
		file := strings.TrimPrefix(link["NETWORK_FILE"], "/")
		if link["ADMIN_STATE"] == "" || link["ADMIN_STATE"] == "unmanaged" || file == "" {
			continue
		}
		managed = append(managed, one)
		network := d.readIni(append([]string{file}, d.fragments(file)...)...)["Network"]
		var lines []string
		if keep := network["KeepConfiguration"]; !isYes(keep) && keep != "static" {
			lines = append(lines, "KeepConfiguration=static")
		}
		if one.heartbeat() && !isYes(network["IgnoreCarrierLoss"]) && !isYes(network["ConfigureWithoutCarrier"]) {
			lines = append(lines, "ConfigureWithoutCarrier=yes")
		}
		if len(lines) == 0 {
			continue
		}
		dir := "/etc/systemd/network/" + path.Base(file) + ".d"
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "networkd", Subject: one.Name,
			Text: fmt.Sprintf("systemd-networkd manages %s without %s", one.Name, strings.Join(lines, " and ")),
			Why: "when it is restarted, or the carrier is lost, it takes off addresses, virtual ones and the one that adverts come " +
				"from included",
			Remedy: fmt.Sprintf("mkdir -p %s\nprintf '[Network]\\n%s\\n' > %s/standfast.conf\nnetworkctl reload", dir, strings.Join(lines, "\\n"), dir),
		})
	}
	if len(managed) > 0 {
		findings = append(findings, d.lookForeignRoutes(managed)...)
	}
	if len(findings) == 0 {
		return sound("networkd", "systemd-networkd", "it keeps what is not its own")
	}
	return findings
}

// lookForeignRoutes wants networkd to leave routes and rules of others.
func (d *host) lookForeignRoutes(managed []patientPort) []Finding {
	config := d.systemdConfig("networkd.conf")["Network"]
	var lines []string
	for _, key := range []string{"ManageForeignRoutes", "ManageForeignRoutingPolicyRules"} {
		if !isNo(config[key]) {
			lines = append(lines, key+"=no")
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return []Finding{{
		Severity: SeverityHazard, Check: "networkd-routes", Subject: names(managed),
		Text: "systemd-networkd removes routes and rules that are not its own (" + strings.Join(lines, ", ") + " is missing)",
		Why:  "when it is restarted, as by an update, virtual routes are gone while this router is MASTER",
		Remedy: "mkdir -p /etc/systemd/networkd.conf.d\nprintf '[Network]\\n" + strings.Join(lines, "\\n") +
			"\\n' > /etc/systemd/networkd.conf.d/90-standfast.conf\nsystemctl restart systemd-networkd",
	}}
}

// fragments are the drop-ins of a .network file.
func (d *host) fragments(file string) []string {
	return d.dropIns("systemd/network/"+path.Base(file)+".d", ".conf")
}

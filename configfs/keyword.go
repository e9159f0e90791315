package configfs

import (
	"slices"
	"strings"
)

// place is a kind of block, and so a set of keywords.
type place uint8

const (
	atRoot place = iota
	inGlobals
	inInstance
	inGroup
	inAuthentication
	elsewhere // blocks that standfast skips whole
)

// String names a place in a complaint.
func (p place) String() string {
	switch p {
	case atRoot:
		return "at the top level"
	case inGlobals:
		return "in global_defs"
	case inInstance:
		return "in vrrp_instance"
	case inGroup:
		return "in vrrp_sync_group"
	case inAuthentication:
		return "in authentication"
	case elsewhere:
		return "in a block of another kind"
	}
	return "nowhere"
}

// rootBlocks are the blocks that stand at the top level and nowhere else. One inside another block means that a
// closing brace is missing before it.
var rootBlocks = []string{
	"global_defs", "static_ipaddress", "static_routes", "static_rules", "track_group", "virtual_server",
	"virtual_server_group", "vrrp_instance", "vrrp_script", "vrrp_sync_group", "vrrp_track_file", "vrrp_track_process",
}

// catalogue lists what keepalived knows in each place, whether standfast acts on it or not.
var catalogue = [...]string{
	atRoot: `
		SSL bfd_instance child_wait_time garp_group global_defs include includea includeb includem includer includew
		instance interface_up_down_delays linkbeat_interfaces linkbeat_use_polling namespace_with_ipsets net_namespace
		net_namespace_ipvs static_ipaddress static_routes static_rules track_file track_group use_pid_dir
		virtual_server virtual_server_group vrrp_instance vrrp_script vrrp_sync_group vrrp_track_file
		vrrp_track_process`,
	inGlobals: `
		bfd_cpu_affinity bfd_no_swap bfd_priority bfd_process_name bfd_rlimit_rtime bfd_rlimit_rttime bfd_rt_priority
		checker_cpu_affinity checker_log_all_failures checker_no_swap checker_priority checker_process_name
		checker_rlimit_rtime checker_rlimit_rttime checker_rt_priority config_save_dir data_use_instance
		dbus_no_interface_name dbus_service_name default_interface disable_local_igmp dynamic_interfaces enable_dbus
		enable_script_security enable_snmp_checker enable_snmp_keepalived enable_snmp_rfc enable_snmp_rfcv2
		enable_snmp_rfcv3 enable_snmp_vrrp enable_traps fifo_write_vrrp_states_on_reload include_check iproute_etc_dir
		iproute_usr_dir json_dump_file json_version log_unknown_vrids lvs_flush lvs_flush_on_stop lvs_flush_onstop
		lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs
		lvs_netlink_monitor_rcv_bufs_force lvs_notify_fifo lvs_notify_fifo_script lvs_process_name lvs_sync_daemon
		lvs_timeouts max_auto_priority min_auto_priority_delay nftables nftables_counters nftables_ifindex
		nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark nftables_priority no_checker_emails
		no_email_faults notification_email notification_email_from notify_fifo notify_fifo_script
		process_monitor_rcv_bufs process_monitor_rcv_bufs_force process_name process_names random_seed
		reload_check_config reload_file reload_repeat reload_time_file router_id rs_init_notifies script_user
		set_supplementary_groups shutdown_script shutdown_script_timeout smtp_alert smtp_alert_checker smtp_alert_vrrp
		smtp_connect_timeout smtp_helo_name smtp_server snmp_name snmp_rs_stats_update_interval snmp_socket
		snmp_vs_stats_update_interval startup_script startup_script_timeout state_dump_file stats_dump_file
		tmp_config_directory umask use_symlink_paths v3_checksum_as_v2 vmac_addr_prefix vmac_prefix
		vrrp_check_unicast_src vrrp_cpu_affinity vrrp_delay_after_boot vrrp_down_timer_adverts vrrp_garp_extra_if
		vrrp_garp_interval vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat vrrp_garp_master_delay
		vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat vrrp_garp_master_repeat vrrp_gna_interval
		vrrp_higher_prio_send_advert vrrp_ipsets vrrp_iptables vrrp_lower_prio_no_advert vrrp_mcast_group4
		vrrp_mcast_group6 vrrp_min_garp vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force
		vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force vrrp_no_swap vrrp_notify_fifo
		vrrp_notify_fifo_script vrrp_notify_priority_changes vrrp_owner_ignore_adverts vrrp_priority vrrp_process_name
		vrrp_rlimit_rtime vrrp_rlimit_rttime vrrp_rt_priority vrrp_rx_bufs_multiplier vrrp_rx_bufs_policy
		vrrp_skip_check_adv_addr vrrp_startup_delay vrrp_strict vrrp_version vrrp_vmac_garp_intvl`,
	inInstance: `
		accept advert_int auth_hmac authentication check_unicast_src debug dont_track_primary down_timer_adverts
		garp_extra_if garp_lower_prio_delay garp_lower_prio_repeat garp_master_delay garp_master_refresh
		garp_master_refresh_repeat garp_master_repeat higher_prio_send_advert interface kernel_rx_buf_size
		linkbeat_use_polling lower_prio_no_advert lvs_sync_daemon_interface mcast_dst_ip mcast_src_ip native_ipv6
		no_accept no_virtual_ipaddress nopreempt notify notify_backup notify_deleted notify_fault notify_master
		notify_master_rx_lower_pri notify_priority_changes notify_stop old_unicast_checksum owner_ignore_adverts
		preempt preempt_delay priority promote_secondaries skip_check_adv_addr smtp_alert state strict_mode
		thread_timer_expired timer_expired_backup track_bfd track_file track_interface track_process track_script
		track_src_ip unicast_fault_no_peer unicast_peer unicast_src_ip unicast_ttl use_ipvlan use_vmac use_vmac_addr
		v3_checksum_as_v2 version virtual_ipaddress virtual_ipaddress_excluded virtual_router_id virtual_routes
		virtual_rules vmac_garp_intvl vmac_xmit_base vrf`,
	inGroup: `
		global_tracking group notify notify_backup notify_fault notify_master notify_priority_changes notify_stop
		smtp_alert sync_group_tracking_weight track_bfd track_file track_interface track_process track_script`,
	inAuthentication: `auth_pass auth_type`,
	elsewhere: `
		BFD_CHECK DNS_CHECK FILE_CHECK HTTP_GET MISC_CHECK PING_CHECK SMTP_CHECK SSL_GET TCP_CHECK UDP_CHECK active_key
		alpha anti_replay bind_if bind_port bindto ca certificate checker connect_ip connect_port connect_timeout delay
		delay_before_retry delay_loop digest enable_sni fall fast_recovery file flag-1 flag-2 flag-3 fork_delay
		full_command fwmark garp_interval gna_interval ha_suspend hashed helo_name hoplimit host http_protocol
		hysteresis idle_tx inhibit_on_failure init_fail init_file interfaces interval ip_family key lb_algo lb_kind
		log_all_failures lthreshold lvs_method lvs_sched max_hops max_reply_length mh-fallback mh-port min_reply_length
		min_rx min_tx misc_dynamic misc_path misc_timeout mode multihop multiplier name nb_get_retry neighbor_ip
		neighbour_ip notify_down notify_up omega ops param_match passive password path payload persistence_engine
		persistence_granularity persistence_timeout process protocol quorum quorum_down quorum_max quorum_up
		real_server regex regex_max_offset regex_min_offset regex_no_match regex_options regex_stack require_reply
		retry rise script sh-fallback sh-port sni_name sorry_server sorry_server_inhibit sorry_server_lvs_method
		source_ip status_code terminate_delay time_window timeout tls_compliant ttl type url user uthreshold
		virtualhost vrrp warmup weight`,
}

// fatal lists the known words without which the configuration would be misread: the router would speak where its
// peer does not listen, in a form the peer drops, or on other ports, and both would become MASTER.
var fatal = map[string]string{
	"auth_hmac":         "the peer would drop every advert",
	"mcast_dst_ip":      "the peer listens on another multicast group",
	"net_namespace":     "the ports are in another network namespace",
	"unicast_peer":      "the peers listen for unicast adverts only",
	"v3_checksum_as_v2": "the peer would drop every advert",
	"vrf":               "the ports are in another routing domain",
	"vrrp_mcast_group4": "the peer listens on another multicast group",
	"vrrp_mcast_group6": "the peer listens on another multicast group",
}

// moot lists the known words that ask for nothing standfast would do differently, and why.
var moot = map[string]string{
	"accept":                   "traffic to virtual addresses is always accepted",
	"dynamic_interfaces":       "standfast always waits for a missing interface, loudly",
	"linkbeat_use_polling":     "standfast listens to the kernel and reads the carrier itself",
	"process_names":            "the processes of standfast have names of their own",
	"skip_check_adv_addr":      "an advert with other addresses is reported, never dropped",
	"use_pid_dir":              "standfast writes no pid file",
	"vrrp_no_swap":             "standfast always locks its memory where it may",
	"vrrp_rlimit_rtime":        "standfast lifts that limit, which could only kill it",
	"vrrp_rlimit_rttime":       "standfast lifts that limit, which could only kill it",
	"vrrp_skip_check_adv_addr": "an advert with other addresses is reported, never dropped",
}

// mail lists the words about mail, which standfast does not send. They deserve one complaint, not one each.
var mail = []string{
	"no_email_faults", "notification_email", "notification_email_from", "smtp_alert", "smtp_alert_checker",
	"smtp_alert_vrrp", "smtp_connect_timeout", "smtp_helo_name", "smtp_server",
}

// knows reports whether keepalived knows a word in a place.
func (p place) knows(word string) bool { return slices.Contains(strings.Fields(catalogue[p]), word) }

// stranger complains about a statement that no table of understood words has, and skips it with its block.
func (d *decoder) stranger(p place, s *statement, understood []string) {
	w := s.first()
	known := p.knows(w.text)
	why, isFatal := fatal[w.text]
	because, isMoot := moot[w.text]
	if p == atRoot && w.text == "virtual_server" {
		d.config.Balancers = append(d.config.Balancers, w.pos)
	}
	switch {
	case w.text == "": // reported by the parser
	case known && slices.Contains(mail, w.text):
		d.noMail(w)
	case known && isFatal:
		d.error(w.pos, why, "%s is known to keepalived, not yet understood by standfast", w.text)
	case known && isMoot:
		d.note(w.pos, "", "%s changes nothing: %s", w.text, because)
	case known:
		d.hazard(w.pos, "standfast runs as if it were not there", "%s is known to keepalived, not yet understood by standfast", w.text)
	default:
		d.unknown(p, w, understood)
	}
}

// noMail says once for the whole configuration that mail is not sent.
func (d *decoder) noMail(w word) {
	if !d.mailSeen {
		d.note(w.pos, "use a notify script", "%s is accepted, but mail is not sent", w.text)
	}
	d.mailSeen = true
}

// unknown complains about a word that means nothing in its place.
func (d *decoder) unknown(p place, w word, understood []string) {
	for other := range place(len(catalogue)) {
		if other.knows(w.text) {
			d.error(w.pos, "look for a brace that is missing or too many above", "%s does not stand %v but %v", w.text, p, other)
			return
		}
	}
	hint := suggest(w.text, slices.Concat(understood, strings.Fields(catalogue[p])))
	if hint == "" && p == inGroup {
		d.error(w.pos, "write group { "+w.text+" … }", "the members of a vrrp_sync_group stand in a block of their own, not like %q", w.text)
		return
	}
	d.error(w.pos, hint, "unknown word %q %v", w.text, p)
}

// suggest returns the hint that names the word probably meant, empty when no word is near.
func suggest(wrong string, right []string) string {
	best, least := "", 1+min(3, len(wrong)/3)
	slices.Sort(right)
	for _, candidate := range right {
		if n := distance(wrong, candidate); n < least {
			best, least = candidate, n
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// distance counts the characters to insert, remove, replace or swap with their neighbour to turn a into b. Case and
// the difference of - and _ do not count.
func distance(a, b string) int {
	fold := strings.NewReplacer("-", "_")
	a, b = fold.Replace(strings.ToLower(a)), fold.Replace(strings.ToLower(b))
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = min(row[j-1], last[j]) + 1
			if a[i-1] == b[j-1] {
				row[j] = min(row[j], last[j-1])
			} else {
				row[j] = min(row[j], last[j-1]+1)
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

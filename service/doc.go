// Package service is where thinking meets touching: it carries what the edges
// under hw report to the brain in vrrp/node, and what the brain wants back to
// the edges. It decides nothing about the protocol.
//
//	receivers, watchers, pollers ──▶ loop ──▶ node.Step ──▶ perform
//	        actors' answers      ──▶  │                        │
//	        deadline, signals    ──▶  │     sockets (send, ask: never block)
//	        control requests     ──▶  ┘     actors (addresses, leases, announcements)
//	                                        journal, notify scripts, sd_notify
//
// One goroutine runs the loop and owns the brain and every table beside it.
// Locks guard only what two actors share, and the mailboxes between them and the
// loop.
// Nothing in the loop blocks: no file, no exec, no name service, no netlink
// round trip, no write of a log line. Whatever may block has a goroutine of its
// own, started here, and tells the loop by message:
//
//   - one receiver for each open socket. Adverts and probe answers come over
//     bounded channels; what does not fit is dropped and counted;
//   - the socket opener, because joining a multicast group waits for RTNL;
//   - the port watcher, the address watcher, the port reader, the surveyor and
//     the verifier, which hear and ask rtnetlink and the drivers;
//   - the carrier poller, which reads the carrier counters of heartbeat ports;
//   - the mutation actor and the lease actor, each with its own netlink socket.
//     A wish is a desired state: a newer one replaces an older one of the same
//     instance, and an actor that is stuck in the kernel holds up nobody else;
//   - the announcer, the journal, the notifier and the control socket;
//   - those who look at the storage and speak with the helpers: processes of their
//     own, for what may hang on a disk.
//
// The file names say what is where: edges.go declares what is needed of the
// outside, configure.go turns a configuration into what the brain and the
// actors know, evidence.go turns what the edges report into events, perform.go
// turns actions into deeds, ports.go keeps sockets in step with interfaces,
// actors.go changes the kernel, workers.go holds the other goroutines, loop.go is
// the loop, reload.go replaces the configuration in flight, service.go begins and
// ends. What is said to people goes by outlets.go: journal.go, notify.go and, for
// their scripts, service/helper; what people ask comes by control.go, status.go and
// why.go. storage.go looks at the storage, fence.go resets the host.
//
// Two rooms are beside this one: service/helper has the processes that hang in the
// place of this one, with the ends of the conversations with them, and
// service/doctor looks at the host and asks the service as everybody does.
package service

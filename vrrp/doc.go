// Package vrrp is the Virtual Router Redundancy Protocol as a value: version 2
// (RFC 3768, authentication none and simple text password) and version 3
// (RFC 9568), over IPv4 and IPv6.
//
// The package is pure. It opens nothing, starts nothing, logs nothing and reads
// no clock: time comes in as an argument and goes out as a deadline, so that
// every behaviour can be tested to the nanosecond.
//
// # The codec
//
// [Advert.Append] writes the protocol data unit that follows the IP header.
// [Receive] runs every check of RFC 3768 §7.1 and RFC 9568 §7.1 on one packet and
// answers with the first [Check] that failed, or [Accepted] and [Remarks], which
// are worth a log line but never cost an advert. [Peek] says which virtual router
// a packet is for.
//
// # The machine
//
// A [Machine] is one virtual router on one interface for one address family.
// [Machine.Step] takes one [Event] and returns the [Action] values it calls for,
// in the order in which they must be performed. There is one file per state:
// initialize.go, backup.go, master.go, fault.go.
//
//	              Start                    Expired / Ruled(TakeOver)
//	INITIALIZE ───────────▶ BACKUP ───────────────────────────────▶ MASTER
//	     │ Start (owner)      ▲ ◀─────────────────────────────────────┘ ▲
//	     └────────────────────┼──── higher advert / Ruled(StepDown) ────┘
//	                 Repaired │
//	 any ───── Failed ─────▶ FAULT          any ───── Stop ─────▶ INITIALIZE
//
// # Silence
//
// The machine never judges silence alone. At the master-down deadline it emits
// [Consult] and waits, no longer than [Params.Patience], for a [Ruled] event. If
// none comes it does what the RFC says; so without a judge, or with Patience
// zero, it is plain VRRP. Rulings also arrive unasked: [TakeOver] makes a BACKUP
// the MASTER at once, [StepDown] makes a MASTER a BACKUP without a farewell. A
// ruling that makes no sense in the present state changes nothing.
//
// # The caller's duties
//
//  1. Hand over every received advert before [Expired]. An advert that waited in a
//     queue while the process was late still counts.
//  2. Perform the actions of one step in order, before the next step.
//  3. Wake the machine with [Expired] at [Machine.Deadline]. Late is allowed: a
//     late MASTER sends once, never a burst. Early changes nothing.
//  4. Never let now run backwards.
//
// A Machine is not safe for concurrent use.
package vrrp

// Package verdict answers one question: the peer has gone quiet, did it die, or is it us?
//
// Its input is what the rest of the router has read: ages, carriers and answers, in [Readings]. [Observe] turns them into
// [Evidence], a handful of small enums in which every zero value means "not known". [Judge] turns the evidence of a BACKUP
// into a [Verdict], [Settle] does so with the [Rivalry] of a MASTER who may not be the only one to serve, [Retire] with the
// [Fitness] of one whose storage fails, and [Fail] with the evidence of a router in FAULT. All are ordered tables, first match wins; testdata/rules.txt has every rule, the
// number of evidences it decides and an example in words.
//
// # What holds for every rule
//
//   - Total and deterministic: every evidence, consistent or not, has exactly one verdict.
//   - Monotone: a proof that something is wrong here, or that the peer lives, never turns a finding into [PeerDead].
//   - What is unknown never counts for a death.
//   - Nothing is latched: a verdict is a function of the readings alone, and a proof of life ages.
//
// # As BACKUP
//
// Rows 1 to 7 are tried in order.
//
//  1. Proof of service beats any count of silences: an advert that a BACKUP must obey, on any path.
//  2. Suspect yourself first: a loop that was late may have slept through the adverts, so it listens before it judges.
//  3. The peer answers for the virtual address, confirmed: taking over would be the split brain.
//  4. Without carrier on any serving port there is nobody to serve.
//  5. A virtual address that used to answer on a serving port is silent there while a witness answers the same kind of
//     question, and nobody answers for it anywhere: taking over harms nobody, whatever is known of the dark port.
//  6. The same, and this router's own storage has failed: whoever is sound goes first, this one at the deadline.
//  7. Everything else is unproven, silence that was never calibrated included. The operator's policy decides, at the deadline.
//
// Proof of life is not proof of service: a box that lives but does not serve excludes row 5, never the takeover at the
// master-down deadline. So does a partner that shows power at the other end of a dark cable; what the hardware of a port says is
// classed in one table, [Fact].
//
// # As MASTER
//
// Storage that fails is a reason to resign, once, and only to a peer that lives ([Retire]): a router that forwards from memory is
// better than none.
//
// Loss of the heartbeat port alone never ends mastership. Two who serve are settled by the order of the protocol where adverts pass between
// them, otherwise by asking: the young one goes at once, the older one asks again first and goes only if it is still answered
// everywhere. A stranger, who may be a printer with a wrong address, drives nobody away.
//
// The package knows ages, not moments, no port's name, and neither the protocol machine nor the kernel.
package verdict

// Package hwtest is the laboratory: routers, cables and switches made of the running kernel, to be thrown away afterwards.
//
// A router is a network namespace with a mount namespace of its own: sysfs shows its ports, /run is empty and private. Its
// ports are taps, because a tap takes the same path through the kernel as a network card: its carrier is real, and its loss is
// announced in the batches of one second in which the kernel announces that of a card. A veth pair skips that path. What is
// sent into a tap comes to this process, which carries it to the other end: another router's port ([Lab.Cable]) or a bridge in
// a LAN's namespace ([Lab.Switch]). So this process can do what happens to real cables: cut them, make them one-way, keep a
// port mute behind a live carrier, and above all silence every port of a router in one instant. Ending a router's processes is
// no power-off: the kernel of its namespace goes on answering ARP for every address it holds.
//
// Nothing outlives the process: namespaces have no names, they are held open by a thread and a descriptor, taps live as long as
// theirs, processes started in a router die with the thread that started them. [Lab.Close] does the same in good order.
//
// The laboratory needs root or a user namespace in which the tun node can be opened (Linux 5.0 for the carrier of a tap).
// [Main] enters such a user namespace when it must; [New] skips a test, with the reason, where neither is possible.
//
// An [Observer] stands outside of the routers under test: it samples which kernel holds each virtual address, asks for it by
// ARP from a host on the LAN, counts the packets of a client that are lost and keeps every gratuitous ARP.
package hwtest

// Package segment is the network of virtual machines: the LAN, the WAN and the crossover cable, in user space. It needs neither
// the kernel's network nor root.
//
// A [Segment] is a switch. It listens on one unix socket for each machine that has a port on it, for QEMU's
//
//	-netdev stream,id=lan,server=off,addr.type=unix,addr.path=SOCKET
//
// which sends each frame behind its length in four octets, most significant first, and expects the same. A machine whose QEMU
// has closed the connection is one without power. [Port.Cut] is a cut inside of the switch: the carrier stays, no frame passes.
//
// On a segment the laboratory has stations of its own. A [Host] is a client with an address and a gateway. It can ask who has an
// address ([Host.Ask]) and ping through its gateway ([Host.Ping]). [Segment.Adverts] listens to the VRRP routers. Their records
// are values; what is judged from them, as in [Service], are pure functions, so that a story can be judged and drawn from what
// was recorded.
//
// Every moment is the time since an epoch, which all segments of a laboratory share. Nothing that a machine does, or does not do,
// holds anybody up: a frame that a machine does not fetch in time is dropped and counted.
package segment

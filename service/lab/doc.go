// Package lab is what the demonstration, the benchmark and the end-to-end tests share: the pair of routers that standfast was
// made for, built in the laboratory of package hwtest, the daemons that can run in it, and the stories that are told about it.
//
// The pair:
//
//	            crossover cable 10.255.0.0/30
//	     ┌──p4p1 ─────────────────────────── p4p1──┐
//	┌────┴────┐                               ┌────┴────┐
//	│ A   100 │                               │ B    50 │
//	└─┬──┬──┬─┘                               └─┬──┬──┬─┘
//	  │  │  └p3p1──── LAN 192.168.10.0/24 ──p3p1┘  │  │
//	  │  └───p3p2──── LAN 192.168.20.0/24 ──p3p2───┘  │
//	  └──────p1p1──── LAN 203.0.113.0/24  ──p1p1──────┘
//
// Each LAN has a gateway (.254), which is a witness, and a client (.100), from which the pair is observed. The routers' ports
// on the LANs have no address of their own but the virtual one, unless asked for. Port p1p2 of each router is on a switch that
// serves nobody: its carrier can change without meaning anything.
//
// Nothing here waits by sleeping: what is awaited is observed.
package lab

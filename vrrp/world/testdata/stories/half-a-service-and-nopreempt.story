# Once violated I3: with nopreempt a healthy BACKUP obeyed a MASTER that served on half of its ports, for as long as that
# one liked. What nopreempt protects is a router that serves.
scene seed=0x1 advert_int=100ms nopreempt fibre
             20.8s  B p3p1 is set down for 10s
             20.9s  the switch of lan10 is dead for 200ms and mute for 0s more
             29.9s  heal
----
    0.000000  adverts every 100ms on p4p1 through a crossover cable
    0.000000  VI_1: 192.168.10.1 on p3p1, 192.168.20.1 on p3p2, 192.168.30.1 on p1p1; priorities A 200, B 150
    0.000000  A starts
    0.000000  A VI_1: INIT -> BACKUP (started; listening for a MASTER)
    0.113337  B starts
    0.113337  B VI_1: INIT -> BACKUP (started; listening for a MASTER)
    0.322004  A peer in doubt: no MASTER is heard
    0.328270  A verdict unproven [backup-7-unproven]: Nothing proves that the peer died and nothing that it
                serves, so fault_prior decides at the master-down deadline (nothing was heard of the peer
                since the doubt began; nobody answers for the virtual address on any port; where it is
                silent, it did not answer within the last minute or no witness answers now; every serving
                port has carrier; the heartbeat port has carrier).
    0.328270  A VI_1: BACKUP -> MASTER (Nothing proves that the peer died and nothing that it serves, so
                fault_prior decides at the master-down deadline (nothing was heard of the peer since the
                doubt began; nobody answers for the virtual address on any port; where it is silent, it did
                not answer within the last minute or no witness answers now; every serving port has carrier;
                the heartbeat port has carrier).)
    0.328839  A has 192.168.10.1, 192.168.20.1, 192.168.30.1
   20.800000  >>> B p3p1 is set down for 10s
   20.800000  B p3p1 carrier down
   20.800200  B cannot serve: p3p1: administratively down
   20.800200  B VI_1: BACKUP -> FAULT (p3p1: administratively down)
   20.900000  >>> the switch of lan10 is dead for 200ms and mute for 0s more
   20.900200  A p3p1 carrier down
   20.900400  A cannot serve: p3p1: no carrier
   20.900400  A VI_1: MASTER -> FAULT (p3p1: no carrier)
   20.900718  A lets go of 192.168.10.1, 192.168.20.1, 192.168.30.1
   21.100000  <<< over: the switch of lan10 is dead
   21.167289  A p3p1 carrier up
   21.167489  A no longer a hindrance: p3p1: no carrier
   21.167489  A VI_1: FAULT -> BACKUP (every port that serves is in service again)
   21.489521  A peer in doubt: no MASTER is heard
   21.489571  B partial service at priority 1: p3p1: administratively down, and nobody answers on the other
                ports
   21.489571  B VI_1: FAULT -> BACKUP (every port that serves is in service again)
   21.489571  B VI_1: BACKUP -> MASTER (partial: nobody answers on the ports that still work)
   21.490157  B has 192.168.20.1, 192.168.30.1
   21.493891  A verdict contested [backup-3-contested]: The peer still answers for the virtual address,
                confirmed, so it serves although it cannot be heard, and fault_contested decides (the peer's
                box was heard since the doubt began, but not that it serves; the heartbeat port has carrier).
   21.495808  A the peer is heard again, no doubt is left
   21.817718  A VI_1: BACKUP -> MASTER (the MASTER has a lower priority)
   21.817765  B VI_1: MASTER -> BACKUP (a MASTER that outranks this router was heard)
   21.817765  B partial service ends: another MASTER serves
   21.817765  B VI_1: BACKUP -> FAULT (p3p1: administratively down)
   21.818102  B lets go of 192.168.20.1, 192.168.30.1
   21.818206  A has 192.168.10.1, 192.168.20.1, 192.168.30.1
   29.900000  === everything heals
   29.900000  <<< over: B p3p1 is set down
   29.900200  B cannot serve: p3p1: no carrier
   29.900200  B no longer a hindrance: p3p1: administratively down
   29.926826  B p3p1 carrier up
   29.927026  B no longer a hindrance: p3p1: no carrier
   29.927026  B VI_1: FAULT -> BACKUP (every port that serves is in service again)
holds

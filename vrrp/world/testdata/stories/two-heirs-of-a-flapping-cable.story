# Once violated I1: as in two-heirs-on-the-lan, where a cable that flaps hides the routers from each other.
scene seed=0x0 routers=3 owned switched
               28s  the switch of lan10 reboots: off for 3s and mute for 0s more
               28s  A panics and is reset after 0s
               28s  the cable of p4p1 flaps 2 times within 4s
               31s  heal
----
    0.000000  adverts every 1s on p4p1 through a switch
    0.000000  VI_1: 192.168.10.1 on p3p1, 192.168.20.1 on p3p2, 192.168.30.1 on p1p1; priorities A 200, B
                150, C 100
    0.000000  A starts its process
    0.000000  A VI_1: INIT -> BACKUP (started; listening for a MASTER)
    1.848795  B starts its process
    1.848795  B VI_1: INIT -> BACKUP (started; listening for a MASTER)
    2.821017  C starts its process
    2.821017  C VI_1: INIT -> BACKUP (started; listening for a MASTER)
    3.218902  A VI_1: peer in doubt: no MASTER is heard
    3.225207  A VI_1: verdict unproven [backup-7-unproven]: Nothing proves that the peer died and nothing
                that it serves, so fault_prior decides at the master-down deadline (nothing was heard of the
                peer since the doubt began; nobody answers for the virtual address on any port; where it is
                silent, it did not answer within the last minute or no witness answers now; every serving
                port has carrier; the heartbeat port has carrier).
    3.225207  A VI_1: BACKUP -> MASTER
    3.225708  A has 192.168.10.1, 192.168.20.1, 192.168.30.1
   28.000000  >>> the switch of lan10 reboots: off for 3s and mute for 0s more
   28.000000  >>> A panics and is reset after 0s
   28.000000  <<< over: A panics
   28.000000  A lets go of 192.168.10.1, 192.168.20.1, 192.168.30.1
   28.000000  >>> the cable of p4p1 flaps 2 times within 4s
   28.350000  B p3p1 carrier down
   28.350200  B VI_1: cannot serve: p3p1: no carrier
   28.350200  B VI_1: BACKUP -> FAULT
   28.433959  A p4p1 carrier down
   28.433959  C p4p1 carrier down
   28.434050  C VI_1: peer in doubt: carrier lost on the heartbeat port
   28.440276  C VI_1: verdict peer-dead [backup-5-peer-dead]: The peer does not serve: the virtual address is
                silent on a port where it answered within the last minute and a witness answers now (nothing
                was heard of the peer since the doubt began; nobody answers for the virtual address on any
                port; every serving port has carrier; the heartbeat port has no carrier, by its cable, its
                transceiver or the far side).
   28.440276  C VI_1: BACKUP -> MASTER
   28.440714  C has 192.168.10.1, 192.168.20.1, 192.168.30.1
   28.750000  A p3p1 carrier down
   28.750000  C p3p1 carrier down
   28.833959  B p4p1 carrier down
   29.434159  C VI_1: cannot serve: p3p1: no carrier
   29.434159  C VI_1: MASTER -> FAULT
   29.434722  C lets go of 192.168.10.1, 192.168.20.1, 192.168.30.1
   31.000000  <<< over: the switch of lan10 reboots
   31.000000  === everything heals
   31.000000  <<< over: the cable of p4p1 flaps 2 times
   31.000000  A starts its process
   31.000000  A VI_1: cannot serve: p3p1: no carrier
   31.671142  C p4p1 carrier up
   31.769279  A p4p1 carrier up
   31.769479  A VI_1: INIT -> FAULT (started)
   32.026835  A p3p1 carrier up
   32.027035  A VI_1: no longer a hindrance: p3p1: no carrier
   32.027035  A VI_1: FAULT -> BACKUP (every port that serves is in service again)
   32.027035  A VI_1: peer in doubt: carrier lost on the heartbeat port
   32.056675  B p4p1 carrier up
   32.088080  A VI_1: verdict unproven [backup-7-unproven]: Nothing proves that the peer died and nothing
                that it serves, so fault_prior decides at the master-down deadline (nothing was heard of the
                peer since the doubt began; nobody answers for the virtual address on any port; where it is
                silent, it did not answer within the last minute or no witness answers now; every serving
                port has carrier; the heartbeat port has carrier).
   33.614189  B p3p1 carrier up
   33.614389  B VI_1: no longer a hindrance: p3p1: no carrier
   33.614389  B VI_1: FAULT -> BACKUP (every port that serves is in service again)
   33.614389  B VI_1: peer in doubt: carrier lost on the heartbeat port
   33.620757  B VI_1: verdict peer-dead [backup-5-peer-dead]: The peer does not serve: the virtual address is
                silent on a port where it answered within the last minute and a witness answers now (nothing
                was heard of the peer since the doubt began; nobody answers for the virtual address on any
                port; every serving port has carrier; the heartbeat port has carrier).
   33.620757  B VI_1: BACKUP -> MASTER
   33.620798  A VI_1: the peer is heard again, no doubt is left
   33.621102  B has 192.168.10.1, 192.168.20.1, 192.168.30.1
   33.721554  C p3p1 carrier up
   33.721754  C VI_1: no longer a hindrance: p3p1: no carrier
   33.721754  C VI_1: FAULT -> BACKUP (every port that serves is in service again)
   35.245786  A VI_1: BACKUP -> MASTER (the MASTER has a lower priority)
   35.245869  B VI_1: MASTER -> BACKUP (a MASTER that outranks this router was heard)
   35.245929  A VI_1: verdict contested [master-2-order]: Adverts pass between the two who serve, so the
                order of the protocol decides (adverts have passed for less than two intervals).
   35.246280  B lets go of 192.168.10.1, 192.168.20.1, 192.168.30.1
   35.246289  A has 192.168.10.1, 192.168.20.1, 192.168.30.1
   37.246227  A VI_1: verdict none [master-3-unrivalled]: Nothing shows that anybody else serves (nobody else
                answers for the virtual addresses; no adverts pass that would decide).
holds

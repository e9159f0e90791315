# Once violated I3: with nopreempt a healthy BACKUP obeyed a MASTER that served on half of its ports, for as long as that
# one liked. What nopreempt protects is a router that serves.
scene seed=0x1 advert_int=100ms nopreempt fibre
             20.8s  B p3p1 is set down for 10s
             20.9s  the switch of lan10 is dead for 200ms and mute for 0s more
             29.9s  heal
----
    0.000000  adverts every 100ms on p4p1 through a crossover cable
    0.000000  VI_1: 192.168.10.1 on p3p1, 192.168.20.1 on p3p2, 192.168.30.1 on p1p1; priorities A 200, B 150
    0.000000  A starts its process
    0.000000  A VI_1: INIT -> BACKUP (started; listening for a MASTER)
    0.113337  B starts its process
    0.113337  B VI_1: INIT -> BACKUP (started; listening for a MASTER)
    0.322004  A VI_1: peer in doubt: no MASTER is heard
    0.328270  A VI_1: verdict unproven [backup-7-unproven]: Nothing proves that the peer died and nothing
                that it serves, so fault_prior decides at the master-down deadline (nothing was heard of the
                peer since the doubt began; nobody answers for the virtual address on any port; where it is
                silent, it did not answer within the last minute or no witness answers now; every serving
                port has carrier; the heartbeat port has carrier).
    0.328270  A VI_1: BACKUP -> MASTER
    0.328839  A has 192.168.10.1, 192.168.20.1, 192.168.30.1
   20.800000  >>> B p3p1 is set down for 10s
   20.800000  B p3p1 carrier down
   20.800200  B VI_1: cannot serve: p3p1: administratively down
   20.800200  B VI_1: BACKUP -> FAULT
   20.900000  >>> the switch of lan10 is dead for 200ms and mute for 0s more
   20.900200  A p3p1 carrier down
   20.900400  A VI_1: cannot serve: p3p1: no carrier
   20.900400  A VI_1: MASTER -> FAULT
   20.900994  A lets go of 192.168.10.1, 192.168.20.1, 192.168.30.1
   21.100000  <<< over: the switch of lan10 is dead
   21.142637  A p3p1 carrier up
   21.142837  A VI_1: no longer a hindrance: p3p1: no carrier
   21.142837  A VI_1: FAULT -> BACKUP (every port that serves is in service again)
   21.464861  A VI_1: peer in doubt: no MASTER is heard
   21.471355  A VI_1: verdict unproven [backup-7-unproven]: Nothing proves that the peer died and nothing
                that it serves, so fault_prior decides at the master-down deadline (the peer's box was heard
                since the doubt began, but not that it serves; nobody answers for the virtual address on any
                port; where it is silent, it did not answer within the last minute or no witness answers now;
                every serving port has carrier; the heartbeat port has carrier).
   21.471355  A VI_1: BACKUP -> MASTER
   21.471735  A has 192.168.10.1, 192.168.20.1, 192.168.30.1
   29.900000  === everything heals
   29.900000  <<< over: B p3p1 is set down
   29.900200  B VI_1: cannot serve: p3p1: no carrier
   29.900200  B VI_1: no longer a hindrance: p3p1: administratively down
   29.954743  B p3p1 carrier up
   29.954943  B VI_1: no longer a hindrance: p3p1: no carrier
   29.954943  B VI_1: FAULT -> BACKUP (every port that serves is in service again)
holds

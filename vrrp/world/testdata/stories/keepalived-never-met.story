# Once violated I1: B, a keepalived that was never MASTER, takes over when its cable goes dark. To A it was a stranger
# with a wrong address, against whom one defends oneself, and both served for as long as the cable was out. Who serves on two ports at
# once is a router.
scene seed=0x0 b=keepalived-dont-track
               28s  B p4p1 is unplugged for 4s
               34s  heal
----
    0.000000  adverts every 1s on p4p1 through a crossover cable
    0.000000  VI_1: 192.168.10.1 on p3p1, 192.168.20.1 on p3p2, 192.168.30.1 on p1p1; priorities A 200, B 150
    0.000000  B runs keepalived-dont-track
    0.000000  A starts its process
    0.000000  A VI_1: INIT -> BACKUP (started; listening for a MASTER)
    1.449434  B starts its process
    1.449434  B VI_1: INIT -> BACKUP (started)
    3.218945  A VI_1: peer in doubt: no MASTER is heard
    3.225278  A VI_1: verdict unproven [backup-7-unproven]: Nothing proves that the peer died and nothing
                that it serves, so fault_prior decides at the master-down deadline (nothing was heard of the
                peer since the doubt began; nobody answers for the virtual address on any port; where it is
                silent, it did not answer within the last minute or no witness answers now; every serving
                port has carrier; the heartbeat port has carrier).
    3.225278  A VI_1: BACKUP -> MASTER
    3.225585  A has 192.168.10.1, 192.168.20.1, 192.168.30.1
   28.000000  >>> B p4p1 is unplugged for 4s
   28.350000  A p4p1 carrier down
   28.486744  A VI_1: the heartbeat port is dark, this router serves on: Nothing shows that anybody else
                serves (nobody else answers for the virtual addresses; no adverts pass that would decide).
   28.750000  B p4p1 carrier down
   30.639692  B VI_1: BACKUP -> MASTER (silence)
   30.640104  B has 192.168.10.1, 192.168.20.1, 192.168.30.1
   30.640148  A VI_1: verdict contested [master-4-stranger]: A station never tied to the peer answers for one
                virtual address, as a host with a wrong address would, so this router defends it (no adverts
                pass that would decide; this router has long served before a witness).
   30.640160  A VI_1: verdict contested [master-6-ask]: Somebody else seems to serve too, so this router
                announces itself, waits and asks again (the peer answers for a virtual address; no adverts
                pass that would decide; this router has long served before a witness).
   31.277765  A VI_1: verdict contested [master-7-answered]: Somebody else still serves after this router has
                announced itself and asked again, so it gives way (the peer answers for a virtual address; it
                answers on every serving port that has a witness; no adverts pass that would decide).
   31.277765  A VI_1: MASTER -> BACKUP
   31.277765  A VI_1: peer in doubt: carrier lost on the heartbeat port
   31.278271  A lets go of 192.168.10.1, 192.168.20.1, 192.168.30.1
   31.279900  A VI_1: verdict contested [backup-3-contested]: The peer still answers for the virtual address,
                confirmed, so it serves although it cannot be heard, and fault_contested decides (nothing was
                heard of the peer since the doubt began; the heartbeat port has no carrier, by its cable, its
                transceiver or the far side).
   32.000000  <<< over: B p4p1 is unplugged
   33.222677  B p4p1 carrier up
   34.000000  === everything heals
   34.189901  A p4p1 carrier up
   34.639807  A VI_1: the peer is heard again, no doubt is left
   34.750176  A VI_1: BACKUP -> MASTER (the MASTER has a lower priority)
   34.750272  B VI_1: MASTER -> BACKUP (outranked)
   34.750583  B lets go of 192.168.10.1, 192.168.20.1, 192.168.30.1
   34.750766  A has 192.168.10.1, 192.168.20.1, 192.168.30.1
holds

# Once violated I1: A hangs while no router hears another, so B and C take over at once. Neither had ever advertised, so each was a
# stranger with a wrong address to the other, and both went on serving beside the other.
scene seed=0x70f routers=3 shape=on-lan owned switched
               28s  A hangs with its links up and is reset after 0s
               28s  lan10 carries nothing between routers for 4s
               35s  heal
----
    0.000000  adverts every 1s on p3p1 through lan10, which also serves
    0.000000  VI_1: 192.168.10.1 on p3p1, 192.168.20.1 on p3p2, 192.168.30.1 on p1p1; priorities A 200, B
                150, C 100
    0.000000  A starts its process
    0.000000  A VI_1: INIT -> BACKUP (started; listening for a MASTER)
    1.923802  B starts its process
    1.923802  B VI_1: INIT -> BACKUP (started; listening for a MASTER)
    2.668503  C starts its process
    2.668503  C VI_1: INIT -> BACKUP (started; listening for a MASTER)
    3.218861  A VI_1: peer in doubt: no MASTER is heard
    3.225062  A VI_1: verdict unproven [backup-7-unproven]: Nothing proves that the peer died and nothing
                that it serves, so fault_prior decides at the master-down deadline (nothing was heard of the
                peer since the doubt began; nobody answers for the virtual address on any port; where it is
                silent, it did not answer within the last minute or no witness answers now; every serving
                port has carrier; the heartbeat port has carrier).
    3.225062  A VI_1: BACKUP -> MASTER
    3.225626  A has 192.168.10.1, 192.168.20.1, 192.168.30.1
   28.000000  >>> A hangs with its links up and is reset after 0s
   28.000000  <<< over: A hangs with its links up
   28.000000  A lets go of 192.168.10.1, 192.168.20.1, 192.168.30.1
   28.000000  >>> lan10 carries nothing between routers for 4s
   29.139469  B VI_1: peer in doubt: adverts stopped
   29.145863  B VI_1: verdict peer-dead [backup-5-peer-dead]: The peer does not serve: the virtual address is
                silent on a port where it answered within the last minute and a witness answers now (nothing
                was heard of the peer since the doubt began; nobody answers for the virtual address on any
                port; every serving port has carrier; the heartbeat port has carrier).
   29.145863  B VI_1: BACKUP -> MASTER
   29.146250  B has 192.168.10.1, 192.168.20.1, 192.168.30.1
   29.334771  C VI_1: peer in doubt: adverts stopped
   29.334930  C p1p1: a stranger (02:00:00:00:02:03) answers for the virtual address 192.168.30.1
   29.334940  C p3p2: a stranger (02:00:00:00:02:02) answers for the virtual address 192.168.20.1
   29.345586  C VI_1: verdict peer-dead [backup-5-peer-dead]: The peer does not serve: the virtual address is
                silent on a port where it answered within the last minute and a witness answers now (nothing
                was heard of the peer since the doubt began; only broadcasts for the virtual address are
                answered, as a fabric's cache does for the dead; every serving port has carrier; the
                heartbeat port has carrier).
   29.345586  C VI_1: BACKUP -> MASTER
   29.345882  C VI_1: verdict contested [master-5-young]: Somebody else already serves, and this router has
                only just begun, so it gives way (the peer answers for a virtual address; no adverts pass
                that would decide; this router has served before a witness for less than a master-down
                interval).
   29.345882  C VI_1: MASTER -> BACKUP
   29.345882  C VI_1: peer in doubt: adverts stopped
   29.346076  C VI_1: verdict contested [backup-3-contested]: The peer still answers for the virtual address,
                confirmed, so it serves although it cannot be heard, and fault_contested decides (the peer's
                box was heard since the doubt began, but not that it serves; the heartbeat port has carrier).
   32.000000  <<< over: lan10 carries nothing between routers
   32.088420  A starts its process
   32.088420  A VI_1: INIT -> BACKUP (started; listening for a MASTER)
   32.146048  C VI_1: the peer is heard again, no doubt is left
   35.000000  === everything heals
   35.307302  A VI_1: BACKUP -> MASTER (the MASTER has a lower priority)
   35.307348  B VI_1: MASTER -> BACKUP (a MASTER that outranks this router was heard)
   35.307445  A VI_1: verdict contested [master-2-order]: Adverts pass between the two who serve, so the
                order of the protocol decides (adverts have passed for less than two intervals).
   35.307718  A has 192.168.10.1, 192.168.20.1, 192.168.30.1
   35.307893  B lets go of 192.168.10.1, 192.168.20.1, 192.168.30.1
   37.307657  A VI_1: verdict none [master-3-unrivalled]: Nothing shows that anybody else serves (nobody else
                answers for the virtual addresses; no adverts pass that would decide).
holds

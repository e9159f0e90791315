# Once violated I2: as in stranger-in-a-group, for one of two neighbours.
scene seed=0x0 shape=neighbours nopreempt owned
               28s  a stranger on lan10 has a virtual address for 1s
            28.76s  heal
----
    0.000000  adverts every 1s on p4p1 through a crossover cable
    0.000000  VI_1: 192.168.10.1 on p3p1; priorities A 200, B 150
    0.000000  VI_2: 192.168.10.2 on p3p1, 192.168.30.2 on p1p1; priorities A 150, B 200
    0.000000  A starts its process
    0.000000  A VI_1: INIT -> BACKUP (started; listening for a MASTER)
    0.000000  A VI_2: INIT -> BACKUP (started; listening for a MASTER)
    1.485273  B starts its process
    1.485273  B VI_1: INIT -> BACKUP (started; listening for a MASTER)
    1.485273  B VI_2: INIT -> BACKUP (started; listening for a MASTER)
    3.218902  A VI_1: peer in doubt: no MASTER is heard
    3.225322  A VI_1: verdict unproven [backup-7-unproven]: Nothing proves that the peer died and nothing
                that it serves, so fault_prior decides at the master-down deadline (nothing was heard of the
                peer since the doubt began; nobody answers for the virtual address on any port; where it is
                silent, it did not answer within the last minute or no witness answers now; every serving
                port has carrier; the heartbeat port has carrier).
    3.225322  A VI_1: BACKUP -> MASTER
    3.225807  A has 192.168.10.1
    3.414202  A VI_2: peer in doubt: no MASTER is heard
    3.420579  A VI_2: verdict unproven [backup-7-unproven]: Nothing proves that the peer died and nothing
                that it serves, so fault_prior decides at the master-down deadline (nothing was heard of the
                peer since the doubt began; nobody answers for the virtual address on any port; where it is
                silent, it did not answer within the last minute or no witness answers now; every serving
                port has carrier; the heartbeat port has carrier).
    3.420579  A VI_2: BACKUP -> MASTER
    3.420929  A has 192.168.10.2, 192.168.30.2
   28.000000  >>> a stranger on lan10 has a virtual address for 1s
   28.000000  A VI_1: verdict contested [master-4-stranger]: A station never tied to the peer answers for one
                virtual address, as a host with a wrong address would, so this router defends it (no adverts
                pass that would decide; this router has long served before a witness).
   28.760000  === everything heals
   28.760000  <<< over: a stranger on lan10 has a virtual address
   31.736109  A VI_1: verdict none [master-3-unrivalled]: Nothing shows that anybody else serves (nobody else
                answers for the virtual addresses; no adverts pass that would decide).
holds

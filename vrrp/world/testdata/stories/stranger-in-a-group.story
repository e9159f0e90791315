# Once violated I2: a station that claims one address on one port drove a MASTER away whose peer had never been
# met on that port. A printer with a wrong address does that. An old MASTER now wants more of a rival.
scene seed=0x22 shape=grouped owned
               28s  a stranger on wan has a virtual address for 900ms
             28.9s  heal
----
    0.000000  adverts every 1s on p4p1 through a crossover cable
    0.000000  VI_IN: 192.168.10.1 on p3p1, 192.168.20.1 on p3p2; priorities A 200, B 150
    0.000000  VI_OUT: 192.168.30.1 on p1p1; priorities A 200, B 150
    0.000000  A starts its process
    0.000000  A VI_IN: INIT -> BACKUP (started; listening for a MASTER)
    0.000000  A VI_OUT: INIT -> BACKUP (started; listening for a MASTER)
    0.000000  A group G: BACKUP
    0.026742  B starts its process
    0.026742  B VI_IN: INIT -> BACKUP (started; listening for a MASTER)
    0.026742  B VI_OUT: INIT -> BACKUP (started; listening for a MASTER)
    0.026742  B group G: BACKUP
    3.218891  A VI_IN: peer in doubt: no MASTER is heard
    3.218891  A VI_OUT: peer in doubt: no MASTER is heard
    3.225119  A VI_IN: verdict unproven [backup-7-unproven]: Nothing proves that the peer died and nothing
                that it serves, so fault_prior decides at the master-down deadline (nothing was heard of the
                peer since the doubt began; nobody answers for the virtual address on any port; where it is
                silent, it did not answer within the last minute or no witness answers now; every serving
                port has carrier; the heartbeat port has carrier).
    3.225119  A VI_IN: BACKUP -> MASTER
    3.225119  A VI_OUT: verdict unproven [backup-7-unproven]: Nothing proves that the peer died and nothing
                that it serves, so fault_prior decides at the master-down deadline (nothing was heard of the
                peer since the doubt began; not every serving port has been asked for the virtual address; no
                serving port was silent when asked; every serving port has carrier; the heartbeat port has
                carrier).
    3.225119  A VI_OUT: BACKUP -> MASTER (group G: Nothing proves that the peer died and nothing that it
                serves, so fault_prior decides at the master-down deadline (nothing was heard of the peer
                since the doubt began; nobody answers for the virtual address on any port; where it is
                silent, it did not answer within the last minute or no witness answers now; every serving
                port has carrier; the heartbeat port has carrier).)
    3.225119  A group G: MASTER
    3.225479  A has 192.168.30.1
    3.225694  A has 192.168.10.1, 192.168.20.1
   28.000000  >>> a stranger on wan has a virtual address for 900ms
   28.000000  A VI_OUT: verdict contested [master-4-stranger]: A station never tied to the peer answers for
                one virtual address, as a host with a wrong address would, so this router defends it (no
                adverts pass that would decide; this router has long served before a witness).
   28.900000  <<< over: a stranger on wan has a virtual address
   28.900000  === everything heals
   31.735305  A VI_OUT: verdict none [master-3-unrivalled]: Nothing shows that anybody else serves (nobody
                else answers for the virtual addresses; no adverts pass that would decide).
holds

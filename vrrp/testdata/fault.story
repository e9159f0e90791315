# A MASTER that cannot do the job says goodbye, and hears nobody in FAULT.
router version=2 priority=100 interval=1s patience=50ms
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 1s ruled ruling=take-over
    send 100
    BACKUP > MASTER (ruling)
    = MASTER since 1s, priority 100, deadline 2s, interval 1s, skew 609.375ms, down 3.609375s
  2s expired
    send 100
    = MASTER since 1s, priority 100, deadline 3s, interval 1s, skew 609.375ms, down 3.609375s
at 2.5s failed
    send 0
    MASTER > FAULT (failed)
    = FAULT since 2.5s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 3s heard priority=200 from=192.0.2.200
    = FAULT since 2.5s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 3s ruled ruling=take-over
    = FAULT since 2.5s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 4s failed
    = FAULT since 2.5s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
until 60s
# Repaired, it is a BACKUP for a full master-down interval.
at 60s repaired
    FAULT > BACKUP (repaired)
    = BACKUP since 1m0s, priority 100, deadline 1m3.609375s, interval 1s, skew 609.375ms, down 3.609375s
until 63.7s
  1m3.609375s expired
    consult silence until 1m3.659375s
    = BACKUP since 1m0s, priority 100, consulting until 1m3.659375s, interval 1s, skew 609.375ms, down 3.609375s
  1m3.659375s expired
    send 100
    BACKUP > MASTER (silence)
    = MASTER since 1m3.659375s, priority 100, deadline 1m4.659375s, interval 1s, skew 609.375ms, down 3.609375s

# A router may fail before it starts; it then starts by being repaired.
router version=2 priority=255 interval=1s
    = INIT since 0s, priority 255, no deadline, interval 1s, skew 3.90625ms, down 3.00390625s
at 0s failed
    INIT > FAULT (failed)
    = FAULT since 0s, priority 255, no deadline, interval 1s, skew 3.90625ms, down 3.00390625s
at 1s start source=192.0.2.1
    = FAULT since 0s, priority 255, no deadline, interval 1s, skew 3.90625ms, down 3.00390625s
at 2s repaired
    FAULT > BACKUP (repaired)
    = BACKUP since 2s, priority 255, deadline 5.00390625s, interval 1s, skew 3.90625ms, down 3.00390625s
until 5.1s
  5.00390625s expired
    send 255
    BACKUP > MASTER (silence)
    = MASTER since 5.00390625s, priority 255, deadline 6.00390625s, interval 1s, skew 3.90625ms, down 3.00390625s

# Stopped in FAULT there is no goodbye: nobody believes it is MASTER.
router version=2 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 1s failed
    BACKUP > FAULT (failed)
    = FAULT since 1s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 2s stop
    FAULT > INIT (stopped)
    = INIT since 2s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
until 100s

# The owner of the addresses is MASTER at once, with nobody to consult.
router version=3 priority=255 interval=1s
    = INIT since 0s, priority 255, no deadline, interval 1s, skew 3.90625ms, down 3.00390625s
at 0s start source=192.0.2.1
    send 255
    INIT > MASTER (owner)
    = MASTER since 0s, priority 255, deadline 1s, interval 1s, skew 3.90625ms, down 3.00390625s
until 2s
  1s expired
    send 255
    = MASTER since 0s, priority 255, deadline 2s, interval 1s, skew 3.90625ms, down 3.00390625s
  2s expired
    send 255
    = MASTER since 0s, priority 255, deadline 3s, interval 1s, skew 3.90625ms, down 3.00390625s

# With a judge it asks once before its first advert.
router version=3 priority=255 interval=1s patience=50ms
    = INIT since 0s, priority 255, no deadline, interval 1s, skew 3.90625ms, down 3.00390625s
at 0s start source=192.0.2.1
    consult owner until 50ms
    = INIT since 0s, priority 255, consulting until 50ms, interval 1s, skew 3.90625ms, down 3.00390625s
at 0.01s heard priority=100 from=192.0.2.100
    = INIT since 0s, priority 255, consulting until 50ms, interval 1s, skew 3.90625ms, down 3.00390625s
until 0.1s
  50ms expired
    send 255
    INIT > MASTER (owner)
    = MASTER since 50ms, priority 255, deadline 1.05s, interval 1s, skew 3.90625ms, down 3.00390625s

# Somebody else answers for the addresses: the owner is held, as a BACKUP.
router version=3 priority=255 interval=1s patience=50ms
    = INIT since 0s, priority 255, no deadline, interval 1s, skew 3.90625ms, down 3.00390625s
at 0s start source=192.0.2.1
    consult owner until 50ms
    = INIT since 0s, priority 255, consulting until 50ms, interval 1s, skew 3.90625ms, down 3.00390625s
at 0.02s ruled ruling=hold
    INIT > BACKUP (ruling)
    = BACKUP since 20ms, priority 255, deadline 3.02390625s, interval 1s, skew 3.90625ms, down 3.00390625s
at 1s heard priority=100 from=192.0.2.100
    = BACKUP since 20ms, priority 255, deadline 3.02390625s, interval 1s, skew 3.90625ms, down 3.00390625s
until 3.1s
  3.02390625s expired
    consult preempt until 3.07390625s
    = BACKUP since 20ms, priority 255, consulting until 3.07390625s, interval 1s, skew 3.90625ms, down 3.00390625s
  3.07390625s expired
    send 255
    BACKUP > MASTER (preempt)
    = MASTER since 3.07390625s, priority 255, deadline 4.07390625s, interval 1s, skew 3.90625ms, down 3.00390625s

# Two owners: the lower address yields, and comes back when the other is silent.
router version=3 priority=255 interval=1s
    = INIT since 0s, priority 255, no deadline, interval 1s, skew 3.90625ms, down 3.00390625s
at 0s start source=192.0.2.1
    send 255
    INIT > MASTER (owner)
    = MASTER since 0s, priority 255, deadline 1s, interval 1s, skew 3.90625ms, down 3.00390625s
at 0.3s heard priority=255 from=192.0.2.2
    MASTER > BACKUP (outranked)
    = BACKUP since 300ms, priority 255, deadline 3.30390625s, interval 1s, skew 3.90625ms, down 3.00390625s, obeyed 192.0.2.2/255 at 300ms
at 1.3s heard priority=255 from=192.0.2.2
    = BACKUP since 300ms, priority 255, deadline 4.30390625s, interval 1s, skew 3.90625ms, down 3.00390625s, obeyed 192.0.2.2/255 at 1.3s
until 5s
  4.30390625s expired
    send 255
    BACKUP > MASTER (silence)
    = MASTER since 4.30390625s, priority 255, deadline 5.30390625s, interval 1s, skew 3.90625ms, down 3.00390625s, obeyed 192.0.2.2/255 at 1.3s

# After a fault even the owner listens first, and nopreempt means nothing to it.
router version=3 priority=255 interval=1s preempt=false
    = INIT since 0s, priority 255, no deadline, interval 1s, skew 3.90625ms, down 3.00390625s
at 0s start source=192.0.2.1
    send 255
    INIT > MASTER (owner)
    = MASTER since 0s, priority 255, deadline 1s, interval 1s, skew 3.90625ms, down 3.00390625s
at 0.5s failed
    send 0
    MASTER > FAULT (failed)
    = FAULT since 500ms, priority 255, no deadline, interval 1s, skew 3.90625ms, down 3.00390625s
at 5s repaired
    FAULT > BACKUP (repaired)
    = BACKUP since 5s, priority 255, deadline 8.00390625s, interval 1s, skew 3.90625ms, down 3.00390625s
at 5.5s heard priority=100 from=192.0.2.100
    = BACKUP since 5s, priority 255, deadline 8.00390625s, interval 1s, skew 3.90625ms, down 3.00390625s
until 8.1s
  8.00390625s expired
    send 255
    BACKUP > MASTER (preempt)
    = MASTER since 8.00390625s, priority 255, deadline 9.00390625s, interval 1s, skew 3.90625ms, down 3.00390625s

# An owner that is not allowed to be one any more, before it was MASTER.
router version=3 priority=255 interval=1s patience=50ms
    = INIT since 0s, priority 255, no deadline, interval 1s, skew 3.90625ms, down 3.00390625s
at 0s start source=192.0.2.1
    consult owner until 50ms
    = INIT since 0s, priority 255, consulting until 50ms, interval 1s, skew 3.90625ms, down 3.00390625s
at 0.01s reprioritized priority=1
    INIT > BACKUP (started)
    = BACKUP since 10ms, priority 1, deadline 4.00609375s, interval 1s, skew 996.09375ms, down 3.99609375s
at 0.02s reprioritized priority=255
    = BACKUP since 10ms, priority 255, deadline 3.01390625s, interval 1s, skew 3.90625ms, down 3.00390625s
until 4s
  3.01390625s expired
    consult silence until 3.06390625s
    = BACKUP since 10ms, priority 255, consulting until 3.06390625s, interval 1s, skew 3.90625ms, down 3.00390625s
  3.06390625s expired
    send 255
    BACKUP > MASTER (silence)
    = MASTER since 3.06390625s, priority 255, deadline 4.06390625s, interval 1s, skew 3.90625ms, down 3.00390625s

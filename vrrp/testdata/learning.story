# Version 3: a BACKUP counts in the interval of the MASTER that it obeys, and in its
# own as soon as it is MASTER.
router version=3 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 0.5s heard priority=200 from=192.0.2.200 interval=100ms
    = BACKUP since 0s, priority 100, deadline 860.9375ms, interval 100ms, skew 60.9375ms, down 360.9375ms, obeyed 192.0.2.200/200 at 500ms
at 0.6s heard priority=200 from=192.0.2.200 interval=5s
    = BACKUP since 0s, priority 100, deadline 18.646875s, interval 5s, skew 3.046875s, down 18.046875s, obeyed 192.0.2.200/200 at 600ms
at 1s heard priority=200 from=192.0.2.200 interval=10ms
    = BACKUP since 0s, priority 100, deadline 1.03609375s, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed 192.0.2.200/200 at 1s
until 3s
  1.03609375s expired
    send 100
    BACKUP > MASTER (silence)
    = MASTER since 1.03609375s, priority 100, deadline 2.03609375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
  2.03609375s expired
    send 100
    = MASTER since 1.03609375s, priority 100, deadline 3.03609375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
  3.03609375s expired
    send 100
    = MASTER since 1.03609375s, priority 100, deadline 4.03609375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
# Yielding to a better MASTER, its interval is learned with that very advert.
at 3.1s heard priority=200 from=192.0.2.200 interval=20ms
    MASTER > BACKUP (outranked)
    = BACKUP since 3.1s, priority 100, deadline 3.1721875s, interval 20ms, skew 12.1875ms, down 72.1875ms, obeyed 192.0.2.200/200 at 3.1s
# An advert that is not obeyed teaches nothing.
at 3.11s heard priority=50 from=192.0.2.50 interval=10s
    = BACKUP since 3.1s, priority 100, deadline 3.1721875s, interval 20ms, skew 12.1875ms, down 72.1875ms, obeyed 192.0.2.200/200 at 3.1s
until 3.2s
  3.1721875s expired
    send 100
    BACKUP > MASTER (preempt)
    = MASTER since 3.1721875s, priority 100, deadline 4.1721875s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 3.1s

# Version 2 knows its own interval only; Receive drops adverts with another.
router version=2 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 0.5s heard priority=200 from=192.0.2.200 interval=10s
    = BACKUP since 0s, priority 100, deadline 4.109375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 500ms
until 5s
  4.109375s expired
    send 100
    BACKUP > MASTER (silence)
    = MASTER since 4.109375s, priority 100, deadline 5.109375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 500ms

# FAULT forgets what was learned.
router version=3 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 0.5s heard priority=200 from=192.0.2.200 interval=10s
    = BACKUP since 0s, priority 100, deadline 36.59375s, interval 10s, skew 6.09375s, down 36.09375s, obeyed 192.0.2.200/200 at 500ms
at 1s failed
    BACKUP > FAULT (failed)
    = FAULT since 1s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 500ms
at 2s repaired
    FAULT > BACKUP (repaired)
    = BACKUP since 2s, priority 100, deadline 5.609375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 500ms

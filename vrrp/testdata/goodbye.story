# The MASTER leaves with priority 0: the BACKUP waits for its skew only.
router version=2 priority=100 interval=1s patience=50ms
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 1s heard priority=200 from=192.0.2.200
    = BACKUP since 0s, priority 100, deadline 4.609375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
at 1.3s heard priority=0 from=192.0.2.200
    = BACKUP since 0s, priority 100, deadline 1.909375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
# keepalived says goodbye twice
at 1.301s heard priority=0 from=192.0.2.200
    = BACKUP since 0s, priority 100, deadline 1.910375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
until 2s
  1.910375s expired
    consult goodbye until 1.960375s
    = BACKUP since 0s, priority 100, consulting until 1.960375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
  1.960375s expired
    send 100
    BACKUP > MASTER (goodbye)
    = MASTER since 1.960375s, priority 100, deadline 2.960375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
# Another router that leaves is told that somebody is here, and the beat starts anew.
at 2.5s heard priority=0 from=192.0.2.50
    send 100
    = MASTER since 1.960375s, priority 100, deadline 3.5s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
until 3.6s
  3.5s expired
    send 100
    = MASTER since 1.960375s, priority 100, deadline 4.5s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s

# The skew of version 3 is that of the MASTER's interval.
router version=3 priority=100 interval=100ms
    = INIT since 0s, priority 100, no deadline, interval 100ms, skew 60.9375ms, down 360.9375ms
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 360.9375ms, interval 100ms, skew 60.9375ms, down 360.9375ms
at 0.1s heard priority=200 from=192.0.2.200 interval=10ms
    = BACKUP since 0s, priority 100, deadline 136.09375ms, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed 192.0.2.200/200 at 100ms
at 0.11s heard priority=0 from=192.0.2.200 interval=10ms
    = BACKUP since 0s, priority 100, deadline 116.09375ms, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed 192.0.2.200/200 at 100ms
until 0.12s
  116.09375ms expired
    send 100
    BACKUP > MASTER (goodbye)
    = MASTER since 116.09375ms, priority 100, deadline 216.09375ms, interval 100ms, skew 60.9375ms, down 360.9375ms, obeyed 192.0.2.200/200 at 100ms

# Somebody better speaks before the skew is over: it is the MASTER now.
router version=2 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 1s heard priority=200 from=192.0.2.200
    = BACKUP since 0s, priority 100, deadline 4.609375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
at 2s heard priority=0 from=192.0.2.200
    = BACKUP since 0s, priority 100, deadline 2.609375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
at 2.4s heard priority=150 from=192.0.2.150
    = BACKUP since 0s, priority 100, deadline 6.009375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.150/150 at 2.4s
until 5s

# Somebody worse speaks before the skew is over: that is a preemption.
router version=2 priority=100 interval=1s patience=50ms
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 1s heard priority=200 from=192.0.2.200
    = BACKUP since 0s, priority 100, deadline 4.609375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
at 2s heard priority=0 from=192.0.2.200
    = BACKUP since 0s, priority 100, deadline 2.609375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
at 2.4s heard priority=50 from=192.0.2.50
    = BACKUP since 0s, priority 100, deadline 2.609375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
until 2.7s
  2.609375s expired
    consult preempt until 2.659375s
    = BACKUP since 0s, priority 100, consulting until 2.659375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s
  2.659375s expired
    send 100
    BACKUP > MASTER (preempt)
    = MASTER since 2.659375s, priority 100, deadline 3.659375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.200/200 at 1s

# Version 3 over IPv6 is the same machine.
router version=3 priority=100 interval=10ms addresses=fe80::1,2001:db8::1 patience=2ms
    = INIT since 0s, priority 100, no deadline, interval 10ms, skew 6.09375ms, down 36.09375ms
at 0s start source=fe80::64
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 36.09375ms, interval 10ms, skew 6.09375ms, down 36.09375ms
at 0.005s heard priority=200 from=fe80::c8
    = BACKUP since 0s, priority 100, deadline 41.09375ms, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed fe80::c8/200 at 5ms
at 0.015s heard priority=200 from=fe80::c8
    = BACKUP since 0s, priority 100, deadline 51.09375ms, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed fe80::c8/200 at 15ms
until 0.06s
  51.09375ms expired
    consult silence until 53.09375ms
    = BACKUP since 0s, priority 100, consulting until 53.09375ms, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed fe80::c8/200 at 15ms
  53.09375ms expired
    send 100
    BACKUP > MASTER (silence)
    = MASTER since 53.09375ms, priority 100, deadline 63.09375ms, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed fe80::c8/200 at 15ms
at 0.0605s heard priority=200 from=fe80::c8
    MASTER > BACKUP (outranked)
    = BACKUP since 60.5ms, priority 100, deadline 96.59375ms, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed fe80::c8/200 at 60.5ms
at 0.061s heard priority=0 from=fe80::c8
    = BACKUP since 60.5ms, priority 100, deadline 67.09375ms, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed fe80::c8/200 at 60.5ms
until 0.08s
  67.09375ms expired
    consult goodbye until 69.09375ms
    = BACKUP since 60.5ms, priority 100, consulting until 69.09375ms, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed fe80::c8/200 at 60.5ms
  69.09375ms expired
    send 100
    BACKUP > MASTER (goodbye)
    = MASTER since 69.09375ms, priority 100, deadline 79.09375ms, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed fe80::c8/200 at 60.5ms
  79.09375ms expired
    send 100
    = MASTER since 69.09375ms, priority 100, deadline 89.09375ms, interval 10ms, skew 6.09375ms, down 36.09375ms, obeyed fe80::c8/200 at 60.5ms

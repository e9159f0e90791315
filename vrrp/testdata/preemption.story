# A MASTER of lower priority is not obeyed: the timer runs on from the start, and at its
# end the better router takes over. The occasion is preemption, not silence.
router version=2 priority=200 interval=1s patience=50ms
    = INIT since 0s, priority 200, no deadline, interval 1s, skew 218.75ms, down 3.21875s
at 10s start source=192.0.2.200
    INIT > BACKUP (started)
    = BACKUP since 10s, priority 200, deadline 13.21875s, interval 1s, skew 218.75ms, down 3.21875s
at 10.4s heard priority=100 from=192.0.2.100
    = BACKUP since 10s, priority 200, deadline 13.21875s, interval 1s, skew 218.75ms, down 3.21875s
at 11.4s heard priority=100 from=192.0.2.100
    = BACKUP since 10s, priority 200, deadline 13.21875s, interval 1s, skew 218.75ms, down 3.21875s
at 12.4s heard priority=100 from=192.0.2.100
    = BACKUP since 10s, priority 200, deadline 13.21875s, interval 1s, skew 218.75ms, down 3.21875s
until 13.24s
  13.21875s expired
    consult preempt until 13.26875s
    = BACKUP since 10s, priority 200, consulting until 13.26875s, interval 1s, skew 218.75ms, down 3.21875s
  13.26875s expired
    send 200
    BACKUP > MASTER (preempt)
    = MASTER since 13.26875s, priority 200, deadline 14.26875s, interval 1s, skew 218.75ms, down 3.21875s
# The loser has one advert under way: answered, and the segments are told again.
at 13.275s heard priority=100 from=192.0.2.100
    send 200
    reannounce
    = MASTER since 13.26875s, priority 200, deadline 14.26875s, interval 1s, skew 218.75ms, down 3.21875s
until 14.3s
  14.26875s expired
    send 200
    = MASTER since 13.26875s, priority 200, deadline 15.26875s, interval 1s, skew 218.75ms, down 3.21875s

# The lower MASTER dies within the timer: it was heard since the timer began, so the
# occasion is still preemption.
router version=2 priority=200 interval=1s patience=50ms
    = INIT since 0s, priority 200, no deadline, interval 1s, skew 218.75ms, down 3.21875s
at 0s start source=192.0.2.200
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 200, deadline 3.21875s, interval 1s, skew 218.75ms, down 3.21875s
at 0.1s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 3.21875s, interval 1s, skew 218.75ms, down 3.21875s
until 4s
  3.21875s expired
    consult preempt until 3.26875s
    = BACKUP since 0s, priority 200, consulting until 3.26875s, interval 1s, skew 218.75ms, down 3.21875s
  3.26875s expired
    send 200
    BACKUP > MASTER (preempt)
    = MASTER since 3.26875s, priority 200, deadline 4.26875s, interval 1s, skew 218.75ms, down 3.21875s

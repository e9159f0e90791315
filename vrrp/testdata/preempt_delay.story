# preempt_delay begins with the first lower advert. Until it is over lower adverts are
# obeyed; from then on the timer of the last obeyed one runs on.
router version=2 priority=200 interval=1s preempt_delay=2.5s patience=50ms
    = INIT since 0s, priority 200, no deadline, interval 1s, skew 218.75ms, down 3.21875s
at 0s start source=192.0.2.200
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 200, deadline 3.21875s, interval 1s, skew 218.75ms, down 3.21875s
at 1s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 4.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 1s
at 2s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 5.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 2s
at 3s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 6.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 3s
at 4s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 6.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 3s
at 5s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 6.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 3s
at 6s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 6.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 3s
until 6.28s
  6.21875s expired
    consult preempt until 6.26875s
    = BACKUP since 0s, priority 200, consulting until 6.26875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 3s
  6.26875s expired
    send 200
    BACKUP > MASTER (preempt)
    = MASTER since 6.26875s, priority 200, deadline 7.26875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 3s

# A better MASTER makes the delay begin anew.
router version=2 priority=200 interval=1s preempt_delay=2.5s
    = INIT since 0s, priority 200, no deadline, interval 1s, skew 218.75ms, down 3.21875s
at 0s start source=192.0.2.200
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 200, deadline 3.21875s, interval 1s, skew 218.75ms, down 3.21875s
at 1s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 4.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 1s
at 2s heard priority=220 from=192.0.2.220
    = BACKUP since 0s, priority 200, deadline 5.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.220/220 at 2s
at 4s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 7.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 4s
at 6s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 9.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 6s
at 6.5s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 9.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 6s
until 9.3s
  9.21875s expired
    send 200
    BACKUP > MASTER (preempt)
    = MASTER since 9.21875s, priority 200, deadline 10.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 6s

# It does not delay a takeover from silence.
router version=2 priority=200 interval=1s preempt_delay=1000s
    = INIT since 0s, priority 200, no deadline, interval 1s, skew 218.75ms, down 3.21875s
at 0s start source=192.0.2.200
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 200, deadline 3.21875s, interval 1s, skew 218.75ms, down 3.21875s
at 1s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 4.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 1s
until 4.3s
  4.21875s expired
    send 200
    BACKUP > MASTER (silence)
    = MASTER since 4.21875s, priority 200, deadline 5.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 1s

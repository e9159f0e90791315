# nopreempt: a MASTER of lower priority is obeyed as long as it speaks.
router version=2 priority=200 interval=1s preempt=false patience=50ms
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
    = BACKUP since 0s, priority 200, deadline 7.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 4s
# It falls silent: that is no preemption.
until 8s
  7.21875s expired
    consult silence until 7.26875s
    = BACKUP since 0s, priority 200, consulting until 7.26875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 4s
  7.26875s expired
    send 200
    BACKUP > MASTER (silence)
    = MASTER since 7.26875s, priority 200, deadline 8.26875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 4s

# A MASTER with nopreempt that meets a better one yields all the same.
at 8.1s heard priority=201 from=192.0.2.9
    MASTER > BACKUP (outranked)
    = BACKUP since 8.1s, priority 200, deadline 11.31875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.9/201 at 8.1s

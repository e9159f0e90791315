# The judge delays a preemption (a serving port is still mute). The MASTER of lower
# priority goes on speaking, so the occasion stays preemption after the hold.
router version=3 priority=200 interval=1s patience=50ms
    = INIT since 0s, priority 200, no deadline, interval 1s, skew 218.75ms, down 3.21875s
at 0s start source=192.0.2.200
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 200, deadline 3.21875s, interval 1s, skew 218.75ms, down 3.21875s
at 3.2s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 3.21875s, interval 1s, skew 218.75ms, down 3.21875s
until 3.22s
  3.21875s expired
    consult preempt until 3.26875s
    = BACKUP since 0s, priority 200, consulting until 3.26875s, interval 1s, skew 218.75ms, down 3.21875s
at 3.23s ruled ruling=hold for=500ms
    = BACKUP since 0s, priority 200, deadline 3.73s, interval 1s, skew 218.75ms, down 3.21875s
until 3.75s
  3.73s expired
    consult preempt until 3.78s
    = BACKUP since 0s, priority 200, consulting until 3.78s, interval 1s, skew 218.75ms, down 3.21875s
at 3.76s ruled ruling=hold for=5s
    = BACKUP since 0s, priority 200, deadline 8.76s, interval 1s, skew 218.75ms, down 3.21875s
# Now the lower MASTER falls silent: after a master-down interval it does not count.
until 8.9s
  8.76s expired
    consult silence until 8.81s
    = BACKUP since 0s, priority 200, consulting until 8.81s, interval 1s, skew 218.75ms, down 3.21875s
  8.81s expired
    send 200
    BACKUP > MASTER (silence)
    = MASTER since 8.81s, priority 200, deadline 9.81s, interval 1s, skew 218.75ms, down 3.21875s

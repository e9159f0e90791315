# The judge says that the peer is dead, unasked: MASTER at once, not after the silence.
router version=2 priority=50 interval=1s patience=100ms
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 1s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 50, deadline 4.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1s
at 1.207s ruled ruling=take-over
    send 50
    BACKUP > MASTER (ruling)
    = MASTER since 1.207s, priority 50, deadline 2.207s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1s
until 3s
  2.207s expired
    send 50
    = MASTER since 1.207s, priority 50, deadline 3.207s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1s

# Asked at the deadline, it answers.
router version=2 priority=50 interval=1s patience=100ms
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 1s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 50, deadline 4.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1s
until 4.81s
  4.8046875s expired
    consult silence until 4.9046875s
    = BACKUP since 0s, priority 50, consulting until 4.9046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1s
at 4.82s ruled ruling=take-over
    send 50
    BACKUP > MASTER (ruling)
    = MASTER since 4.82s, priority 50, deadline 5.82s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1s

# Asked, it holds: for a master-down interval, and then for a time of its own. Each
# time it is asked again.
router version=2 priority=50 interval=1s patience=100ms
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
until 3.81s
  3.8046875s expired
    consult silence until 3.9046875s
    = BACKUP since 0s, priority 50, consulting until 3.9046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 3.82s ruled ruling=hold
    = BACKUP since 0s, priority 50, deadline 7.6246875s, interval 1s, skew 804.6875ms, down 3.8046875s
until 7.63s
  7.6246875s expired
    consult silence until 7.7246875s
    = BACKUP since 0s, priority 50, consulting until 7.7246875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 7.65s ruled ruling=hold for=1s
    = BACKUP since 0s, priority 50, deadline 8.65s, interval 1s, skew 804.6875ms, down 3.8046875s
until 8.7s
  8.65s expired
    consult silence until 8.75s
    = BACKUP since 0s, priority 50, consulting until 8.75s, interval 1s, skew 804.6875ms, down 3.8046875s
# a hold before the deadline counts from now as well
at 8.71s ruled ruling=hold for=3s
    = BACKUP since 0s, priority 50, deadline 11.71s, interval 1s, skew 804.6875ms, down 3.8046875s
at 9s ruled ruling=hold for=10ms
    = BACKUP since 0s, priority 50, deadline 9.01s, interval 1s, skew 804.6875ms, down 3.8046875s
until 9.2s
  9.01s expired
    consult silence until 9.11s
    = BACKUP since 0s, priority 50, consulting until 9.11s, interval 1s, skew 804.6875ms, down 3.8046875s
  9.11s expired
    send 50
    BACKUP > MASTER (silence)
    = MASTER since 9.11s, priority 50, deadline 10.11s, interval 1s, skew 804.6875ms, down 3.8046875s

# Two who serve: the judge makes the MASTER step down, without a goodbye.
router version=2 priority=50 interval=1s patience=100ms
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 1s ruled ruling=take-over
    send 50
    BACKUP > MASTER (ruling)
    = MASTER since 1s, priority 50, deadline 2s, interval 1s, skew 804.6875ms, down 3.8046875s
at 1.5s ruled ruling=step-down
    MASTER > BACKUP (ruling)
    = BACKUP since 1.5s, priority 50, deadline 5.3046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 2s ruled ruling=take-over
    send 50
    BACKUP > MASTER (ruling)
    = MASTER since 2s, priority 50, deadline 3s, interval 1s, skew 804.6875ms, down 3.8046875s
at 2.5s ruled ruling=step-down for=700ms
    MASTER > BACKUP (ruling)
    = BACKUP since 2.5s, priority 50, deadline 3.2s, interval 1s, skew 804.6875ms, down 3.8046875s
until 4s
  3.2s expired
    consult silence until 3.3s
    = BACKUP since 2.5s, priority 50, consulting until 3.3s, interval 1s, skew 804.6875ms, down 3.8046875s
  3.3s expired
    send 50
    BACKUP > MASTER (silence)
    = MASTER since 3.3s, priority 50, deadline 4.3s, interval 1s, skew 804.6875ms, down 3.8046875s

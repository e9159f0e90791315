# No ruling comes: what the RFC says happens. The ruling that comes too late finds a
# MASTER, and neither holds it nor makes it take over again.
router version=2 priority=50 interval=1s patience=100ms
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
until 4s
  3.8046875s expired
    consult silence until 3.9046875s
    = BACKUP since 0s, priority 50, consulting until 3.9046875s, interval 1s, skew 804.6875ms, down 3.8046875s
  3.9046875s expired
    send 50
    BACKUP > MASTER (silence)
    = MASTER since 3.9046875s, priority 50, deadline 4.9046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 4.01s ruled ruling=hold
    = MASTER since 3.9046875s, priority 50, deadline 4.9046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 4.02s ruled ruling=take-over
    = MASTER since 3.9046875s, priority 50, deadline 4.9046875s, interval 1s, skew 804.6875ms, down 3.8046875s
until 5s
  4.9046875s expired
    send 50
    = MASTER since 3.9046875s, priority 50, deadline 5.9046875s, interval 1s, skew 804.6875ms, down 3.8046875s

# An advert comes while the judge thinks: the question is over. A late hold waits from
# now; silence is then counted from the hold.
router version=2 priority=50 interval=1s patience=100ms
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
until 3.81s
  3.8046875s expired
    consult silence until 3.9046875s
    = BACKUP since 0s, priority 50, consulting until 3.9046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 3.85s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 50, deadline 7.6546875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 3.85s
at 3.86s ruled ruling=hold
    = BACKUP since 0s, priority 50, deadline 7.6646875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 3.85s
until 8s
  7.6646875s expired
    consult silence until 7.7646875s
    = BACKUP since 0s, priority 50, consulting until 7.7646875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 3.85s
  7.7646875s expired
    send 50
    BACKUP > MASTER (silence)
    = MASTER since 7.7646875s, priority 50, deadline 8.7646875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 3.85s

# A goodbye while the judge thinks does not put the question off.
router version=2 priority=50 interval=1s patience=100ms
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
until 3.81s
  3.8046875s expired
    consult silence until 3.9046875s
    = BACKUP since 0s, priority 50, consulting until 3.9046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 3.85s heard priority=0 from=192.0.2.100
    = BACKUP since 0s, priority 50, consulting until 3.9046875s, interval 1s, skew 804.6875ms, down 3.8046875s
until 4s
  3.9046875s expired
    send 50
    BACKUP > MASTER (silence)
    = MASTER since 3.9046875s, priority 50, deadline 4.9046875s, interval 1s, skew 804.6875ms, down 3.8046875s

# Nobody is consulted: no patience, no question.
router version=2 priority=50 interval=1s
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
until 4s
  3.8046875s expired
    send 50
    BACKUP > MASTER (silence)
    = MASTER since 3.8046875s, priority 50, deadline 4.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s

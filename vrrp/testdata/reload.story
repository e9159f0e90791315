# A MASTER loses nothing by a reload. A longer interval is told with the next beat of
# the shorter one; a shorter one begins at once.
router version=3 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 0s ruled ruling=take-over
    send 100
    BACKUP > MASTER (ruling)
    = MASTER since 0s, priority 100, deadline 1s, interval 1s, skew 609.375ms, down 3.609375s
at 0.4s reconfigured interval=5s
    = MASTER since 0s, priority 100, deadline 1s, interval 5s, skew 3.046875s, down 18.046875s
until 7s
  1s expired
    send 100
    = MASTER since 0s, priority 100, deadline 6s, interval 5s, skew 3.046875s, down 18.046875s
  6s expired
    send 100
    = MASTER since 0s, priority 100, deadline 11s, interval 5s, skew 3.046875s, down 18.046875s
at 7.2s reconfigured interval=500ms
    = MASTER since 0s, priority 100, deadline 7.7s, interval 500ms, skew 304.6875ms, down 1.8046875s
until 8s
  7.7s expired
    send 100
    = MASTER since 0s, priority 100, deadline 8.2s, interval 500ms, skew 304.6875ms, down 1.8046875s
at 8s reconfigured addresses=192.168.10.1,192.168.10.2
    = MASTER since 0s, priority 100, deadline 8.2s, interval 500ms, skew 304.6875ms, down 1.8046875s
at 8.1s reconfigured priority=150
    = MASTER since 0s, priority 150, deadline 8.2s, interval 500ms, skew 207.03125ms, down 1.70703125s
until 8.2s
  8.2s expired
    send 150
    = MASTER since 0s, priority 150, deadline 8.7s, interval 500ms, skew 207.03125ms, down 1.70703125s

# A BACKUP keeps its timer unless its master-down interval changed.
router version=2 priority=50 interval=1s
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 1s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 50, deadline 4.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1s
at 2s reconfigured addresses=192.168.10.1,192.168.10.2
    = BACKUP since 0s, priority 50, deadline 4.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1s
at 2.1s reconfigured preempt=false
    = BACKUP since 0s, priority 50, deadline 4.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1s
at 2.2s reconfigured interval=10s
    = BACKUP since 0s, priority 50, deadline 33.0046875s, interval 10s, skew 804.6875ms, down 30.8046875s, obeyed 192.0.2.100/100 at 1s
at 20s reconfigured interval=1s
    = BACKUP since 0s, priority 50, deadline 23.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1s
at 22s reconfigured priority=200
    = BACKUP since 0s, priority 200, deadline 25.21875s, interval 1s, skew 218.75ms, down 3.21875s, obeyed 192.0.2.100/100 at 1s
at 23s reconfigured adverts=1
    = BACKUP since 0s, priority 200, deadline 24.21875s, interval 1s, skew 218.75ms, down 1.21875s, obeyed 192.0.2.100/100 at 1s
until 25s
  24.21875s expired
    send 200
    BACKUP > MASTER (silence)
    = MASTER since 24.21875s, priority 200, deadline 25.21875s, interval 1s, skew 218.75ms, down 1.21875s, obeyed 192.0.2.100/100 at 1s

# Version 3 counts in the MASTER's interval, so its own does not matter meanwhile.
router version=3 priority=50 interval=1s
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 1s heard priority=100 from=192.0.2.100 interval=200ms
    = BACKUP since 0s, priority 50, deadline 1.7609375s, interval 200ms, skew 160.9375ms, down 760.9375ms, obeyed 192.0.2.100/100 at 1s
at 1.1s reconfigured interval=10s
    = BACKUP since 0s, priority 50, deadline 1.7609375s, interval 200ms, skew 160.9375ms, down 760.9375ms, obeyed 192.0.2.100/100 at 1s
until 2s
  1.7609375s expired
    send 50
    BACKUP > MASTER (silence)
    = MASTER since 1.7609375s, priority 50, deadline 11.7609375s, interval 10s, skew 8.046875s, down 38.046875s, obeyed 192.0.2.100/100 at 1s

# What is tracked keeps its weight through a reload that does not touch the priority.
router version=2 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 1s reprioritized priority=60
    = BACKUP since 0s, priority 60, deadline 3.765625s, interval 1s, skew 765.625ms, down 3.765625s
at 2s reconfigured addresses=192.168.10.1,192.168.10.2
    = BACKUP since 0s, priority 60, deadline 3.765625s, interval 1s, skew 765.625ms, down 3.765625s
at 3s reconfigured priority=110
    = BACKUP since 0s, priority 110, deadline 6.5703125s, interval 1s, skew 570.3125ms, down 3.5703125s

# A reload during a question does not answer it, nor does it end a farewell or a hold.
router version=2 priority=100 interval=1s patience=100ms
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
until 3.61s
  3.609375s expired
    consult silence until 3.709375s
    = BACKUP since 0s, priority 100, consulting until 3.709375s, interval 1s, skew 609.375ms, down 3.609375s
at 3.65s reconfigured interval=2s patience=10s
    = BACKUP since 0s, priority 100, consulting until 3.709375s, interval 2s, skew 609.375ms, down 6.609375s
at 3.66s ruled ruling=hold for=1s
    = BACKUP since 0s, priority 100, deadline 4.66s, interval 2s, skew 609.375ms, down 6.609375s
at 3.7s reconfigured interval=1s
    = BACKUP since 0s, priority 100, deadline 4.66s, interval 1s, skew 609.375ms, down 3.609375s
at 3.8s heard priority=0 from=192.0.2.200
    = BACKUP since 0s, priority 100, deadline 4.409375s, interval 1s, skew 609.375ms, down 3.609375s
at 3.9s reconfigured interval=5s
    = BACKUP since 0s, priority 100, deadline 4.409375s, interval 5s, skew 609.375ms, down 15.609375s
until 20s
  4.409375s expired
    consult goodbye until 14.409375s
    = BACKUP since 0s, priority 100, consulting until 14.409375s, interval 5s, skew 609.375ms, down 15.609375s
  14.409375s expired
    send 100
    BACKUP > MASTER (goodbye)
    = MASTER since 14.409375s, priority 100, deadline 19.409375s, interval 5s, skew 609.375ms, down 15.609375s
  19.409375s expired
    send 100
    = MASTER since 14.409375s, priority 100, deadline 24.409375s, interval 5s, skew 609.375ms, down 15.609375s

# A change of the effective priority moves the running timer by the difference of the
# skews: 100 more is 100/256 s earlier.
router version=2 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 1s reprioritized priority=200
    = BACKUP since 0s, priority 200, deadline 3.21875s, interval 1s, skew 218.75ms, down 3.21875s
at 2s reprioritized priority=1
    = BACKUP since 0s, priority 1, deadline 3.99609375s, interval 1s, skew 996.09375ms, down 3.99609375s
at 2.5s reprioritized priority=1
    = BACKUP since 0s, priority 1, deadline 3.99609375s, interval 1s, skew 996.09375ms, down 3.99609375s
# 0 would be a goodbye and 255 belongs to owners
at 2.6s reprioritized priority=0
    = BACKUP since 0s, priority 1, deadline 3.99609375s, interval 1s, skew 996.09375ms, down 3.99609375s
at 2.7s reprioritized priority=255
    = BACKUP since 0s, priority 254, deadline 3.0078125s, interval 1s, skew 7.8125ms, down 3.0078125s
until 4s
  3.0078125s expired
    send 254
    BACKUP > MASTER (silence)
    = MASTER since 3.0078125s, priority 254, deadline 4.0078125s, interval 1s, skew 7.8125ms, down 3.0078125s
  4.0078125s expired
    send 254
    = MASTER since 3.0078125s, priority 254, deadline 5.0078125s, interval 1s, skew 7.8125ms, down 3.0078125s
# A MASTER speaks with it from the next beat on.
at 4.05s reprioritized priority=10
    = MASTER since 3.0078125s, priority 10, deadline 5.0078125s, interval 1s, skew 960.9375ms, down 3.9609375s
until 4.1s
at 4.2s heard priority=11 from=192.0.2.11
    MASTER > BACKUP (outranked)
    = BACKUP since 4.2s, priority 10, deadline 8.1609375s, interval 1s, skew 960.9375ms, down 3.9609375s, obeyed 192.0.2.11/11 at 4.2s

# The timer may then be due at once.
router version=2 priority=1 interval=1s
    = INIT since 0s, priority 1, no deadline, interval 1s, skew 996.09375ms, down 3.99609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 1, deadline 3.99609375s, interval 1s, skew 996.09375ms, down 3.99609375s
at 3.5s reprioritized priority=254
    = BACKUP since 0s, priority 254, deadline 3.0078125s, interval 1s, skew 7.8125ms, down 3.0078125s
until 3.5s
  3.5s expired
    send 254
    BACKUP > MASTER (silence)
    = MASTER since 3.5s, priority 254, deadline 4.5s, interval 1s, skew 7.8125ms, down 3.0078125s

# After a goodbye the timer is a skew, and moves as well. One that a ruling set has none.
router version=3 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 1s heard priority=0 from=192.0.2.200
    = BACKUP since 0s, priority 100, deadline 1.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 1.1s reprioritized priority=200
    = BACKUP since 0s, priority 200, deadline 1.21875s, interval 1s, skew 218.75ms, down 3.21875s
at 1.2s ruled ruling=hold for=10s
    = BACKUP since 0s, priority 200, deadline 11.2s, interval 1s, skew 218.75ms, down 3.21875s
at 1.3s reprioritized priority=100
    = BACKUP since 0s, priority 100, deadline 11.2s, interval 1s, skew 609.375ms, down 3.609375s

# A MASTER that was not woken for ten intervals sends once, and then keeps a beat from
# there: no burst.
router version=2 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 0s ruled ruling=take-over
    send 100
    BACKUP > MASTER (ruling)
    = MASTER since 0s, priority 100, deadline 1s, interval 1s, skew 609.375ms, down 3.609375s
until 1s
  1s expired
    send 100
    = MASTER since 0s, priority 100, deadline 2s, interval 1s, skew 609.375ms, down 3.609375s
asleep 11.7s
until 13s
  11.7s expired
    send 100
    = MASTER since 0s, priority 100, deadline 12.7s, interval 1s, skew 609.375ms, down 3.609375s
  12.7s expired
    send 100
    = MASTER since 0s, priority 100, deadline 13.7s, interval 1s, skew 609.375ms, down 3.609375s
# One that is a little late does not shift its beat.
asleep 13.9s
until 15s
  13.9s expired
    send 100
    = MASTER since 0s, priority 100, deadline 14.7s, interval 1s, skew 609.375ms, down 3.609375s
  14.7s expired
    send 100
    = MASTER since 0s, priority 100, deadline 15.7s, interval 1s, skew 609.375ms, down 3.609375s
asleep 15.6s
until 15.8s
  15.7s expired
    send 100
    = MASTER since 0s, priority 100, deadline 16.7s, interval 1s, skew 609.375ms, down 3.609375s

# A BACKUP that slept finds adverts in its queue: they are heard before any expiry, so
# there was no silence.
router version=2 priority=50 interval=1s patience=100ms
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 1s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 50, deadline 4.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1s
asleep 20s
queued heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 50, deadline 23.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 20s
until 20s
# With an empty queue it asks, and the judge gets all of its time.
asleep 40s
until 40.05s
  40s expired
    consult silence until 40.1s
    = BACKUP since 0s, priority 50, consulting until 40.1s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 20s
asleep 50s
until 50.5s
  50s expired
    send 50
    BACKUP > MASTER (silence)
    = MASTER since 50s, priority 50, deadline 51s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 20s

# Of a lower advert that is long past nothing is left: this is silence.
router version=2 priority=200 interval=1s patience=100ms
    = INIT since 0s, priority 200, no deadline, interval 1s, skew 218.75ms, down 3.21875s
at 0s start source=192.0.2.200
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 200, deadline 3.21875s, interval 1s, skew 218.75ms, down 3.21875s
at 1s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 200, deadline 3.21875s, interval 1s, skew 218.75ms, down 3.21875s
asleep 20s
until 20s
  20s expired
    consult silence until 20.1s
    = BACKUP since 0s, priority 200, consulting until 20.1s, interval 1s, skew 218.75ms, down 3.21875s

# Two MASTERs of equal priority: the higher address stays, the lower one yields.
router version=3 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 0s ruled ruling=take-over
    send 100
    BACKUP > MASTER (ruling)
    = MASTER since 0s, priority 100, deadline 1s, interval 1s, skew 609.375ms, down 3.609375s
at 0.5s heard priority=100 from=192.0.2.99
    send 100
    reannounce
    = MASTER since 0s, priority 100, deadline 1s, interval 1s, skew 609.375ms, down 3.609375s
# our own advert, come back through a loop
at 0.6s heard priority=100 from=192.0.2.100
    = MASTER since 0s, priority 100, deadline 1s, interval 1s, skew 609.375ms, down 3.609375s
at 0.7s heard priority=100 from=192.0.2.101
    MASTER > BACKUP (outranked)
    = BACKUP since 700ms, priority 100, deadline 4.309375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 192.0.2.101/100 at 700ms

# Addresses compare without sign: 200 is higher than 100.
router version=3 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=200.0.0.1
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 0s ruled ruling=take-over
    send 100
    BACKUP > MASTER (ruling)
    = MASTER since 0s, priority 100, deadline 1s, interval 1s, skew 609.375ms, down 3.609375s
at 0.5s heard priority=100 from=100.0.0.1
    send 100
    reannounce
    = MASTER since 0s, priority 100, deadline 1s, interval 1s, skew 609.375ms, down 3.609375s
at 0.6s heard priority=100 from=200.0.0.2
    MASTER > BACKUP (outranked)
    = BACKUP since 600ms, priority 100, deadline 4.209375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 200.0.0.2/100 at 600ms

# No address of our own is the lowest, whether unknown or unspecified.
router version=3 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 0s ruled ruling=take-over
    send 100
    BACKUP > MASTER (ruling)
    = MASTER since 0s, priority 100, deadline 1s, interval 1s, skew 609.375ms, down 3.609375s
at 0.5s heard priority=100 from=10.0.0.1
    MASTER > BACKUP (outranked)
    = BACKUP since 500ms, priority 100, deadline 4.109375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 10.0.0.1/100 at 500ms
at 1s ruled ruling=take-over
    send 100
    BACKUP > MASTER (ruling)
    = MASTER since 1s, priority 100, deadline 2s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 10.0.0.1/100 at 500ms
at 1.1s addressed source=0.0.0.0
    = MASTER since 1s, priority 100, deadline 2s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 10.0.0.1/100 at 500ms
at 1.2s heard priority=100 from=10.0.0.1
    MASTER > BACKUP (outranked)
    = BACKUP since 1.2s, priority 100, deadline 4.809375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 10.0.0.1/100 at 1.2s
at 1.3s addressed
    = BACKUP since 1.2s, priority 100, deadline 4.809375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 10.0.0.1/100 at 1.2s
at 1.4s ruled ruling=take-over
    send 100
    BACKUP > MASTER (ruling)
    = MASTER since 1.4s, priority 100, deadline 2.4s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 10.0.0.1/100 at 1.2s
# two routers without an address cannot be told apart
at 1.5s heard priority=100 from=0.0.0.0
    = MASTER since 1.4s, priority 100, deadline 2.4s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 10.0.0.1/100 at 1.2s
at 1.6s ruled ruling=step-down
    MASTER > BACKUP (ruling)
    = BACKUP since 1.6s, priority 100, deadline 5.209375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 10.0.0.1/100 at 1.2s
at 2s ruled ruling=take-over
    send 100
    BACKUP > MASTER (ruling)
    = MASTER since 2s, priority 100, deadline 3s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 10.0.0.1/100 at 1.2s
at 2.1s addressed source=10.0.0.2
    = MASTER since 2s, priority 100, deadline 3s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 10.0.0.1/100 at 1.2s
at 2.2s heard priority=100 from=10.0.0.1
    send 100
    reannounce
    = MASTER since 2s, priority 100, deadline 3s, interval 1s, skew 609.375ms, down 3.609375s, obeyed 10.0.0.1/100 at 1.2s

# IPv6: the zone of a link-local address is no part of it.
router version=3 priority=100 interval=1s addresses=fe80::1,2001:db8::1
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=fe80::100%p4p1
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 0s ruled ruling=take-over
    send 100
    BACKUP > MASTER (ruling)
    = MASTER since 0s, priority 100, deadline 1s, interval 1s, skew 609.375ms, down 3.609375s
at 0.5s heard priority=100 from=fe80::99%p4p1
    send 100
    reannounce
    = MASTER since 0s, priority 100, deadline 1s, interval 1s, skew 609.375ms, down 3.609375s
at 0.6s heard priority=100 from=fe80::100
    = MASTER since 0s, priority 100, deadline 1s, interval 1s, skew 609.375ms, down 3.609375s
at 0.7s heard priority=100 from=fe80::101
    MASTER > BACKUP (outranked)
    = BACKUP since 700ms, priority 100, deadline 4.309375s, interval 1s, skew 609.375ms, down 3.609375s, obeyed fe80::101/100 at 700ms

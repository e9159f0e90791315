# A router with nobody to listen to is BACKUP for three intervals and its skew, then
# MASTER. It speaks on entering and then on an even beat.
router version=2 priority=100 interval=1s
    = INIT since 0s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
at 0s start source=192.0.2.100
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 100, deadline 3.609375s, interval 1s, skew 609.375ms, down 3.609375s
until 6s
  3.609375s expired
    send 100
    BACKUP > MASTER (silence)
    = MASTER since 3.609375s, priority 100, deadline 4.609375s, interval 1s, skew 609.375ms, down 3.609375s
  4.609375s expired
    send 100
    = MASTER since 3.609375s, priority 100, deadline 5.609375s, interval 1s, skew 609.375ms, down 3.609375s
  5.609375s expired
    send 100
    = MASTER since 3.609375s, priority 100, deadline 6.609375s, interval 1s, skew 609.375ms, down 3.609375s
at 6.2s stop
    send 0
    MASTER > INIT (stopped)
    = INIT since 6.2s, priority 100, no deadline, interval 1s, skew 609.375ms, down 3.609375s
until 20s

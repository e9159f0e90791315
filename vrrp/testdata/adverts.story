# The number of adverts that may be missed is a setting.
router version=2 priority=128 interval=1s adverts=1
    = INIT since 0s, priority 128, no deadline, interval 1s, skew 500ms, down 1.5s
at 0s start source=192.0.2.128
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 128, deadline 1.5s, interval 1s, skew 500ms, down 1.5s
until 1.5s
  1.5s expired
    send 128
    BACKUP > MASTER (silence)
    = MASTER since 1.5s, priority 128, deadline 2.5s, interval 1s, skew 500ms, down 1.5s

router version=3 priority=128 interval=1s adverts=10
    = INIT since 0s, priority 128, no deadline, interval 1s, skew 500ms, down 10.5s
at 0s start source=192.0.2.128
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 128, deadline 10.5s, interval 1s, skew 500ms, down 10.5s
at 1s heard priority=200 from=192.0.2.200 interval=100ms
    = BACKUP since 0s, priority 128, deadline 2.05s, interval 100ms, skew 50ms, down 1.05s, obeyed 192.0.2.200/200 at 1s
until 2.1s
  2.05s expired
    send 128
    BACKUP > MASTER (silence)
    = MASTER since 2.05s, priority 128, deadline 3.05s, interval 1s, skew 500ms, down 10.5s, obeyed 192.0.2.200/200 at 1s

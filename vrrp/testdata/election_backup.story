# A BACKUP hears a better MASTER, and each advert gives it a full master-down interval.
# When the voice stops, silence is borne for exactly that long.
router version=2 priority=50 interval=1s
    = INIT since 0s, priority 50, no deadline, interval 1s, skew 804.6875ms, down 3.8046875s
at 0s start source=192.0.2.50
    INIT > BACKUP (started)
    = BACKUP since 0s, priority 50, deadline 3.8046875s, interval 1s, skew 804.6875ms, down 3.8046875s
at 0.5s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 50, deadline 4.3046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 500ms
at 1.5s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 50, deadline 5.3046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 1.5s
at 2.5s heard priority=100 from=192.0.2.100
    = BACKUP since 0s, priority 50, deadline 6.3046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 2.5s
until 8s
  6.3046875s expired
    send 50
    BACKUP > MASTER (silence)
    = MASTER since 6.3046875s, priority 50, deadline 7.3046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 2.5s
  7.3046875s expired
    send 50
    = MASTER since 6.3046875s, priority 50, deadline 8.3046875s, interval 1s, skew 804.6875ms, down 3.8046875s, obeyed 192.0.2.100/100 at 2.5s

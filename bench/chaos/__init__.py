"""Chaos: the whole of Darkroom under faults, its processes killed all the while.

``python -m bench.chaos`` starts a local stack (a real server under ``appendfsync always``, a
gateway, two workers, the simulator with its faults on) under the supervisor that restarts what
dies. An origin submits generations at a steady rate, each with an idempotency key, which it
sends again until it has an answer. Meanwhile a random worker or the gateway is killed with
SIGKILL every few seconds, and now and then the Redis server. The origin's receiver refuses one
callback in ten. When all is submitted and the killing is over, everything gets some time to
finish; then the origin's list, the simulator's ledger, the gateway's records and the
receiver's log are compared, by id.

``build/chaos.json`` has the figures:

accepted               ids that the origin was answered with 2xx
finished               of these, records in a status with no moves left
lost                   of these, those without such a record
succeeded, failed      of the finished
uncertain              failed with ``submission_uncertain``: the price of never paying twice
uncertain_paid         of these, those that the simulator had accepted
uncertain_reasons      what their records say, and how often
paid_twice             generations with more than one entry in the simulator's ledger; none asks
                       for ``on_uncertain=resubmit``, so none may have two
callbacks_missing      finished generations of which no final callback that verifies was taken
                       (answered with 2xx)
callbacks_unverified   callbacks whose signature does not verify, or that contradict the record:
                       another status, output or error, an event that the record does not have,
                       or a repetition with another body
callbacks_duplicate    final callbacks that arrived again after they were answered with 2xx, by
                       ``webhook-id``; allowed, as delivery is at least once
distinct_ids           how many different ids the origin was given; as many as it submitted
replays                submissions that the origin sent again although it had an answer
replays_differing      of these, those that were answered with another id
refused                submissions that were answered with what no retry helps against
client_retries         submissions sent again for want of an answer (none, or a 5xx)
gateway_broke          of these, after an answer 5xx that was not 503: a fault of the gateway's
submissions            entries in the simulator's ledger
kills, redis_kills     processes that were killed: workers and gateway, and Redis
deaths                 how parts ended, and how often, kills included
longest_stall_s        the longest time in which nothing moved (no acceptance, no entry in the
                       ledger, no change of a status, no arrival of a callback) although some
                       generation was under way, from its first POST to its callback being taken

The exit code is 1 unless lost, paid_twice, callbacks_missing and callbacks_unverified are 0,
and everything that was to be submitted was accepted, under an id of its own, and has finished.
"""

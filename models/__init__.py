"""What learns: online clusterers with River's interface, snapshots, names, drift.

Nothing here touches Kafka, Redis, a clock or settings; `stream` feeds it and stores it.
"""

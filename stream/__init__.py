"""Agos, the running system: customer events in, live segments out.

The event's way: `transport` hands a whole fetched batch of one partition to an agent
(`agents`); `events` turns its bytes into records; `customer` folds them into what is
remembered of each customer; `features` makes vectors of that; `membership` decides the
segments; `store` writes state, offset, memberships and change records to Redis in one
atomic script. A panel of the vectors goes to the trainer agent, which learns with `models`
and publishes a snapshot that every worker scores with. The relay copies the change records
to Kafka.
"""

"""HTTP in: events of websites, as Segment's and RudderStack's SDKs send them, into Kafka.

An event's way: `body` reads it, `keyring` says whose it is, `calls` reads what was called,
`mapping` makes it a record of `stream.events`, and `gate` hands it to Kafka. The answer is 200
only when Kafka has acknowledged every record of the request with all replicas.
"""

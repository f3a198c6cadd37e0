"""Traces of some events' way by OpenTelemetry; needs the extra `tracing`.

The collector begins a trace for a share of the events and puts it into the record's Kafka header
`traceparent` (W3C Trace Context); whoever else sends events may do so too. A worker goes on with
every trace that it finds: `apply` lasts from when it has the record until Redis has what came of
it, and has the write and every entry and exit below it. No span says who the customer is.
"""

"""The page that ops leave open: reads Redis and where Kafka's logs end, and nothing else.

`live` looks once a second for all browsers together; `history` keeps what the charts show;
`figures` judges; `pages` draw. Nothing here looks at every customer.
"""

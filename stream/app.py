"""The Faust app, nothing else: settings become Faust's configuration."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.types import TP
from faust.types.auth import AuthProtocol

from stream.kafka_options import ssl_context
from stream.settings import Settings

#: Given the assigned partitions of the batched topics, says from which offset to read each.
Positions = Callable[[set[TP]], Awaitable[Mapping[TP, int]]]

#: Fetches that may wait between the fetcher and an agent.
_FETCHES_WAITING = 8
_MAX_REQUEST_BYTES = 4 * 1024 * 1024


class App(faust.App):
    """A Faust app that leaves the file system alone.

    Attributes
    ----------
    positions
        What the transport asks where to start, on every assignment.
    """

    positions: Positions
    #: Seconds a fetch may wait at the broker for the next event.
    fetch_wait_seconds: float = 0.5
    #: Set while the agents take more: until then nothing is taken out of the consumer.
    room: asyncio.Event

    def _create_directories(self) -> None:
        pass


def create_app(settings: Settings) -> App:
    """Faust app on the batching transport.

    Faust keeps no tables here, commits nothing, creates no topics and elects no leader: the
    offsets live in Redis, with the state.
    """
    brokers = ";".join(f"agos://{server.strip()}" for server in settings.kafka.split(","))
    app = App(
        settings.group,
        broker=brokers,
        broker_credentials=_credentials(settings),
        broker_session_timeout=settings.kafka_session_timeout,
        broker_heartbeat_interval=settings.kafka_session_timeout / 3,
        broker_rebalance_timeout=max(settings.kafka_session_timeout, 6.0),
        broker_request_timeout=max(settings.kafka_session_timeout, 30.0),
        broker_max_poll_records=settings.batch,
        broker_commit_interval=60.0,
        producer_max_request_size=_MAX_REQUEST_BYTES,
        stream_buffer_maxsize=_FETCHES_WAITING,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
    )
    app.fetch_wait_seconds = settings.kafka_fetch_wait
    return app


def _credentials(settings: Settings) -> SASLCredentials | SSLCredentials | None:
    context = ssl_context(settings)
    if settings.kafka_security.startswith("SASL"):
        credentials = SASLCredentials(
            username=settings.kafka_user,
            password=settings.kafka_password.get_secret_value(),
            mechanism=settings.kafka_sasl,
            ssl_context=context,
        )
        credentials.protocol = AuthProtocol(settings.kafka_security)
        return credentials
    return SSLCredentials(context) if context else None

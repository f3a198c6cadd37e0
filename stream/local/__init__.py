"""A broker and a Redis on this machine, and the processes of Agos beside them.

Process handling only: `process.py` starts and stops one, `servers.py` knows the two servers,
`supervisor.py` keeps our own commands running. Linux and macOS; on Linux nothing survives its
parent, not even when that is killed with SIGKILL (`launch.py`).
"""

from stream.local.process import Process, ProcessError, free_port
from stream.local.servers import EmbeddedBroker, EmbeddedRedis, Server, kafka_answers
from stream.local.supervisor import Supervisor, terminable

__all__ = [
    "EmbeddedBroker",
    "EmbeddedRedis",
    "Process",
    "ProcessError",
    "Server",
    "Supervisor",
    "free_port",
    "kafka_answers",
    "terminable",
]

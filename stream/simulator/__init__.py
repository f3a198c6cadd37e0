"""A simulated shop: customers with personas who visit, search, buy, return and change.

It is a simulation and says so: no figure of it is a measurement of real people. It feeds demos,
benchmarks and tests. Pure but for `Simulator.live`, whose clock and sleep can be passed in, and
`load`, which sends to Kafka.
"""

from stream.simulator.faults import FAULTS, Faulty, with_faults
from stream.simulator.personas import PERSONAS, Persona
from stream.simulator.simulator import SimulatedEvent, Simulator

__all__ = [
    "FAULTS",
    "PERSONAS",
    "Faulty",
    "Persona",
    "SimulatedEvent",
    "Simulator",
    "with_faults",
]

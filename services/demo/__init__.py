"""`garonne demo`: a simulated Bordeaux from MQTT to a report, on the real path, without any server.

The broker is the embedded one; ingest and aggregator run as child processes with the command line that an operator
types; the devices are `services.simulator`, which knows MQTT and nothing else. What this package adds is a
configuration, figures, and the check that every message is accounted for.
"""

from services.demo.orchestration import DemoProblem, Options, run_demo

__all__ = ["DemoProblem", "Options", "run_demo"]

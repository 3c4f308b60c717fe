"""The services as child processes: started with the same command line that an operator types."""

import subprocess
import sys
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

__all__ = ["Service", "ServiceEnded"]

_STOP_S: Final = 30.0
_LINES: Final = 12


class ServiceEnded(Exception):
    """A service ended by itself; the text has the end of its log."""


class Service:
    """`garonne <command>` for as long as it is entered; what it says goes to `<command>.log` in the folder."""

    def __init__(self, command: str, configuration: Path) -> None:
        self.command = command
        self.log = configuration.parent / f"{command}.log"
        self._configuration = configuration
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self._output = self.log.open("wb")
        self._process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-m", "services", self.command, "--config", str(self._configuration)],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            # Ctrl-C at the terminal is for the demonstration: it stops the services in order.
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask it to stop, and wait until it has finished what is on its way."""
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._output is not None:
            self._output.close()

    def check(self) -> None:
        """Make sure that it runs.

        Raises:
            ServiceEnded: it does not.
        """
        if self._process is not None and self._process.poll() is not None:
            with self.log.open(encoding="utf-8", errors="replace") as lines:
                end = "".join(deque(lines, _LINES))
            raise ServiceEnded(f"`garonne {self.command}` ended with {self._process.returncode}:\n{end}")

"""Before each request of a write: is the batch in hand still ours? What knew less never replaces what knew more."""

from collections.abc import Sequence

from services.aggregator.ports import Incoming, Log, LogUnavailable, Partition

__all__ = ["Fence"]


class Fence:
    """Asks the event log, which knows how long its last answer is good for. Lets nothing out when it is not certain.

    A process may stand still anywhere: while it waits for an answer, or for a connection. So the store asks here each
    time right before it sends, tries again included, and not once for a batch.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._starts: dict[Partition, int] = {}

    def hold(self, batch: Sequence[Incoming]) -> None:
        """This batch is written from now on."""
        self._starts = {}
        for each in batch:
            self._starts.setdefault((each.topic, each.partition), each.offset)

    async def __call__(self) -> None:
        """Return if the batch is ours; between this and the next thing that is done nothing is waited for.

        Raises:
            LogUnavailable: it is not, or nobody can say; what is kept in memory is old.
        """
        if self._starts and not await self._log.holds(self._starts):
            raise LogUnavailable("this process is no sure member of its group any more: it begins anew")

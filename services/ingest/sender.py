"""Topic and payload name the same sender, where both name one.

The broker lets a device write under its own name alone, so the topic can be believed. A payload that names another
one is a forgery, or two devices that were set up as one: it is refused, and kept with its bytes. Families whose payload
alone names the meter have no such check: their topics are given to single gateways (`deploy/mosquitto/acl`).
"""

from services.ingest.profiles import Unparseable

__all__ = ["check_sender"]


def check_sender(said: object, topic: str, field: str) -> None:
    """Compare the name in a payload with that of the topic; a payload that names nobody is of its topic.

    Args:
        said: the name in the payload; what is no text, or empty, names nobody. Leading zeros do not count.
        topic: the name in the topic.
        field: where the payload says it.

    Raises:
        Unparseable: they differ.
    """
    if isinstance(said, str) and said and said != topic and said.lstrip("0") != topic.lstrip("0"):
        raise Unparseable("identity_mismatch", f"{field}: names another device than the topic")

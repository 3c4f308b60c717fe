"""The page of attacks, from the list that the tests try: so it says what was seen."""

from tests.security.catalogue import MODULES, attacks_of
from tests.security.registry import ATTACKS

__all__ = ["attacks_page"]

_HEAD = """<!-- Written by scripts/generate from tests/security; do not edit. -->
# What attackers try, and what refuses it

{number} attacks. Each is a function in `tests/security` that tries it, on the real Mosquitto, Kafka and InfluxDB with
the configuration, TLS, ACLs and tokens that are shipped, or on Garonne's own code; a test compares the refusal that it
met with the last column. A reason such as `bad_value` is that of a rejected message, which is kept, sealed, with its
bytes; a rule such as `no-consent` that of an ignored one, which is counted.
"""


def attacks_page() -> str:
    """The page, one table for each module of attacks."""
    text = _HEAD.format(number=len(ATTACKS))
    for module in MODULES:
        title = (module.__doc__ or "").splitlines()[0].rstrip(".")
        text += (
            f"\n## {title[0].upper()}{title[1:]}\n\n| attack | who | tries | met with |\n| --- | --- | --- | --- |\n"
        )
        for each in attacks_of(module):
            tries = each.tries.replace("|", "\\|")
            text += f"| `{each.name}` | {each.who} | {tries} | {each.refusal} |\n"
    return text

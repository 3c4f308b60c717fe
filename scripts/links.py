"""Ask every outside link of the documentation whether it still leads somewhere: `make links`. Not a part of CI.

Another's site may be down for an hour, so this is for a person to run and read: one line for each link that does not
answer, and 1 as the exit code if there is one.
"""

import re
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from scripts.site.pages import ROOT, pages

__all__ = ["main", "outside_links", "trouble_with"]

_LINK: Final = re.compile(r"\]\((https?://[^)\s]+)\)|<(https?://[^>\s]+)>")
_PATIENCE_S: Final = 20.0
_THERE_BUT_CLOSED: Final = frozenset({401, 403, 405, 429})
"""It leads somewhere; that place wants a browser or a person."""


def outside_links() -> dict[str, list[str]]:
    """Each link with the pages that have it."""
    found: dict[str, list[str]] = {}
    for name in (name for names in pages().values() for name in names):
        for marked, bare in _LINK.findall((ROOT / name).read_text("utf-8")):
            found.setdefault(marked or bare, []).append(name)
    return found


def trouble_with(link: str) -> str | None:
    """What is wrong with it; nothing if it answers."""
    request = urllib.request.Request(link, headers={"User-Agent": "garonne-docs"})  # noqa: S310 - http and https alone
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        return None if error.code in _THERE_BUT_CLOSED else f"answers {error.code}"
    except (OSError, ValueError) as error:
        return f"does not answer: {getattr(error, 'reason', error)}"


def main() -> int:
    """Ask all; 1 if one leads nowhere."""
    links = outside_links()
    with ThreadPoolExecutor(8) as workers:
        answers = dict(zip(links, workers.map(trouble_with, links), strict=True))
    broken = {link: why for link, why in answers.items() if why}
    for link, why in sorted(broken.items()):
        print(f"{link} {why} ({', '.join(links[link])})")
    print(f"{len(links)} outside links, {len(broken)} of them lead nowhere")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

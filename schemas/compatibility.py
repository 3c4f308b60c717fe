"""Whether a reader with the new schemas can read events written under the old ones.

Records are closed and leave out defaults, so an old event breaks a new reader when a property goes, a
property becomes required, a value or type is no longer allowed, a bound gets tighter, or a default changes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["breaks"]

Schema = Mapping[str, Any]

_TIGHTER_IF_GREATER = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_TIGHTER_IF_SMALLER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")


def breaks(old: Schema, new: Schema) -> list[str]:
    """What an old event could hold that the new schema refuses, as `place: reason`; empty if nothing."""
    return list(_Comparison(old, new).compare(old, new, "", frozenset()))


class _Comparison:
    """Walks two schemas side by side; the roots resolve `$ref`."""

    def __init__(self, old_root: Schema, new_root: Schema) -> None:
        self._old_root = old_root
        self._new_root = new_root

    def compare(self, old: Schema, new: Schema, place: str, seen: frozenset[str]) -> Iterator[str]:
        reference = str(old.get("$ref", ""))
        if reference and reference in seen:
            return
        seen |= {reference} if reference else set()
        old, new = _resolve(old, self._old_root), _resolve(new, self._new_root)
        yield from _values(old, new, place or "record")
        yield from _bounds(old, new, place or "record")
        yield from self._alternatives(old, new, place, seen)
        yield from self._properties(old, new, place, seen)
        if "items" in old and "items" in new:
            yield from self.compare(old["items"], new["items"], f"{place}/*", seen)

    def _properties(self, old: Schema, new: Schema, place: str, seen: frozenset[str]) -> Iterator[str]:
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{place}/{name}: is required now"
        for name, was in old.get("properties", {}).items():
            now = new.get("properties", {}).get(name)
            if now is None:
                yield f"{place}/{name}: is gone"
                continue
            if was.get("default") != now.get("default"):
                yield f"{place}/{name}: its default was {was.get('default')!r} and is {now.get('default')!r}"
            yield from self.compare(was, now, f"{place}/{name}", seen)

    def _alternatives(self, old: Schema, new: Schema, place: str, seen: frozenset[str]) -> Iterator[str]:
        """Each old alternative must fit one of the new ones."""
        now = new.get("anyOf", new.get("oneOf"))
        was = old.get("anyOf", old.get("oneOf"))
        if was is None and now is None:
            return
        choices = now if now is not None else [new]
        for index, alternative in enumerate(was if was is not None else [old]):
            problems = [list(self.compare(alternative, choice, f"{place}|{index}", seen)) for choice in choices]
            if all(problems):
                yield min(problems, key=len)[0]


def _resolve(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    resolved: Schema = found
    return resolved


def _values(old: Schema, new: Schema, here: str) -> Iterator[str]:
    if old.get("type") != new.get("type") and "type" in new and (old.get("type"), new["type"]) != ("integer", "number"):
        yield f"{here}: its type was {old.get('type')} and is {new['type']}"
    allowed = new.get("enum", [new["const"]] if "const" in new else None)
    before = old.get("enum", [old["const"]] if "const" in old else None)
    if allowed is not None:
        gone = [value for value in (before or ()) if value not in allowed]
        if gone or before is None:
            yield f"{here}: no longer allows {gone or 'any value'}"


def _bounds(old: Schema, new: Schema, here: str) -> Iterator[str]:
    for bound in _TIGHTER_IF_GREATER:
        if bound in new and (bound not in old or new[bound] > old[bound]):
            yield f"{here}: {bound} was {old.get(bound)} and is {new[bound]}"
    for bound in _TIGHTER_IF_SMALLER:
        if bound in new and (bound not in old or new[bound] < old[bound]):
            yield f"{here}: {bound} was {old.get(bound)} and is {new[bound]}"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{here}: pattern was {old.get('pattern')} and is {new['pattern']}"

"""A mapping in a manifest that knows its position, so that whatever is wrong in it can be named by its path and its line.

``Fields`` hands out what the mapping holds, field by field, and notes every field that nobody has asked for.  At the end all of these are
refused together.  A field that is silently ignored would be a promise that is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from lab.box.errors import UsageError
from lab.objects.manifest.known_fields import FREE, KNOWN, says_nothing
from lab.objects.manifest.position import WHOLE, Position

WORDS = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "a mapping"}
WRITTEN = {
    str: "It is one piece of text.",
    int: "Digits, without quotes.",
    bool: "One of these two words, without quotes.",
    list: "Its items stand one a line after a hyphen, or side by side in square brackets.",
    dict: "Its fields stand one a line, further to the right than its name.",
}
"""How each kind is written in YAML."""
QUOTES = "YAML takes numbers, dates, and words such as yes, no, on and off for something else than text."
MISSING = object()
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LONG_NAME = re.compile(rf"{NAME.pattern}(\.{NAME.pattern})*")
"""Several names with dots between them."""


class Fields:
    """What a mapping in a manifest holds.

    Args:
        value: the mapping.
        position: of the mapping in its manifest.
        kind: the type of object that it is to Kubernetes, such as ``Container``; see ``known_fields``.
        unread: the fields of the whole manifest that nobody has asked for, as far as they are known.

    Raises:
        UsageError: it is no mapping.
    """

    def __init__(self, value: object, position: Position = WHOLE, kind: str = "", unread: list[Unread] | None = None) -> None:
        self.position, self.kind = position, kind
        self._left: dict[object, object] = dict(_of_type(value, position, dict))
        self._asked: list[str] = []
        self._unread: list[Unread] = [] if unread is None else unread

    def at(self, *keys: str | int) -> Position:
        """The position of a field in this mapping, or of what is below that."""
        return self.position.of(*keys)

    def take(self, key: str, kind: type, default: Any = MISSING) -> Any:
        """A field's value, which counts as asked for from then on.

        Args:
            key: the field's name.
            kind: that the value must be of, such as ``str``.
            default: what is returned where the field is absent, or null.

        Raises:
            UsageError: it is of another kind, or absent without a default.
        """
        self._asked.append(key)
        value = self._left.pop(key, None)
        if value is None:
            if default is MISSING:
                near = nearest(key, map(str, self._left))
                hint = f"did you mean {key} where it says {near}?" if near else f"add a line with {key}: …"
                raise UsageError(f"{self.at(key)} is missing.", f"It must be {WORDS[kind]}.", hint)
            return default
        return _of_type(value, self.at(key), kind)

    def has(self, key: str) -> bool:
        """Whether a field that is not taken yet is there, and not null; such a field is understood."""
        self._asked.append(key)
        return self._left.get(key) is not None

    def peek(self, key: str) -> object:
        """What a field holds, whatever kind of value it is; it does not count as asked for."""
        return self._left.get(key)

    def inside(self, key: str, kind: str) -> Fields:
        """The mapping that a field holds, an object of this type; an empty one where the field is absent."""
        return Fields(self.take(key, dict, {}), self.at(key), kind, self._unread)

    def each(self, key: str, kind: str) -> Iterator[Fields]:
        """The mappings in the list that a field holds, objects of this type; none where the field is absent."""
        for number, value in enumerate(self.take(key, list, [])):
            yield Fields(value, self.at(key, number), kind, self._unread)

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts in the list that a field holds; none where the field is absent."""
        return tuple(text(value, self.at(key, number)) for number, value in enumerate(self.take(key, list, [])))

    def numbers(self, key: str, least: int, most: int) -> tuple[int, ...]:
        """The whole numbers in the list that a field holds, each from *least* to *most*; none where the field is absent."""
        found = enumerate(self.take(key, list, []))
        return tuple(_in_range(_of_type(value, self.at(key, at), int), self.at(key, at), least, most) for at, value in found)

    def pairs(self, key: str) -> dict[str, str]:
        """The mapping from text to text that a field holds; an empty one where the field is absent."""
        found: Mapping[object, object] = self.take(key, dict, {})
        return {text(name, self.at(key)): text(value, self.at(key, str(name))) for name, value in found.items()}

    def name(self, key: str, *default: str, rule: re.Pattern[str] = NAME, most: int = 63) -> str:
        """A field's text, which must be a name.

        Args:
            key: the field's name.
            default: what is returned where the field is absent.
            rule: that the name must match.
            most: characters that it may have.

        Raises:
            UsageError: it has odd characters, or is too long.
        """
        name = str(self.take(key, str, *default))
        if (name,) == default:
            return name
        if not rule.fullmatch(name) or len(name) > most:
            why = f"A name has small letters, digits and hyphens, begins and ends with a letter or digit, and is at most {most} long."
            tidy = re.sub(r"[^a-z0-9]+", "-", name.lower())[:most].strip("-")
            raise UsageError(f"{self.at(key)}: {name!r} can't be a name.", why, f"write {tidy or 'web'}")
        return name

    def within(self, key: str, least: int, most: int, *default: int | None) -> Any:
        """A field's whole number, from *least* to *most*; the default where the field is absent.

        Raises:
            UsageError: it is out of range.
        """
        value = self.take(key, int, *default)
        return value if value is None else _in_range(value, self.at(key), least, most)

    def one_of(self, key: str, known: tuple[str, ...]) -> str:
        """A field's text, which must be one of *known*; the first of them where the field is absent.

        Raises:
            UsageError: it is another.
        """
        value = str(self.take(key, str, known[0]))
        if value not in known:
            why = f"It can be {', '.join(filter(None, known))}."
            raise UsageError(f"{self.at(key)}: {value} is not supported here.", why, f"write {nearest(value, known) or known[0]}")
        return value

    def done(self) -> None:
        """Note what is left, as what nobody asks for: called when every field that is understood was taken."""
        known = KNOWN.get(self.kind, ())
        for key, value in self._left.items():
            if not says_nothing(self.kind, str(key), value):
                self._unread.append(
                    Unread(self.at(str(key)), str(key), key in known or self.kind in FREE, known, tuple(dict.fromkeys(self._asked)))
                )

    def refuse_unread(self) -> None:
        """Refuse all that was noted, here and in the mappings below: called once, at the end of a manifest.

        Raises:
            UsageError: something was noted.
        """
        if len(self._unread) == 1:
            (it,) = self._unread
            why = f"What is understood there: {', '.join(it.understood)}. Nothing is ignored in silence."
            raise UsageError(f"{it.position} {it.is_what}.", why, it.hint)
        if self._unread:
            in_order = sorted(self._unread, key=lambda it: it.position.line)
            rows = "\n".join(f"  {it.position} {it.is_what}{it.meant}" for it in in_order)
            what = f"{len(self._unread)} fields of the manifest are not understood here."
            raise UsageError(what, f"Nothing is ignored in silence:\n{rows}", "take them out, or mend their names")


@dataclass(frozen=True)
class Unread:
    """A field that nobody asked for.

    Args:
        position: of the field.
        key: its name.
        known: whether Kubernetes knows it.
        names: that Kubernetes knows in its place.
        understood: those of them that are read here.
    """

    position: Position
    key: str
    known: bool
    names: tuple[str, ...]
    understood: tuple[str, ...]

    @property
    def is_what(self) -> str:
        """What the field is, to be read after its position."""
        return "is a field of Kubernetes that is not supported here" if self.known else "is no field of Kubernetes"

    @property
    def nearest(self) -> str:
        """The field that is most likely meant; empty if Kubernetes knows this one, or none is near."""
        return "" if self.known else nearest(self.key, self.names or self.understood)

    @property
    def meant(self) -> str:
        """The question whether another field was meant, to be read after what the field is."""
        return f": did you mean {self.nearest}?" if self.nearest else ""

    @property
    def hint(self) -> str:
        """What to do about it."""
        return f"did you mean {self.nearest}? If not, take it out" if self.nearest else "take it out"


def no_duplicates(what: str, named: Iterable[tuple[object, Position]], hint: str) -> None:
    """Refuse a name that is there twice.

    Args:
        what: has the names, for the error: such as "containers are called".
        named: each name, and the position of it.
        hint: what to do about a duplicate.

    Raises:
        UsageError: two names are the same; names the position of the second one.
    """
    seen: set[object] = set()
    for name, position in named:
        if name in seen:
            raise UsageError(f"{position}: two {what} {name}.", "Each has to be told from the others.", hint)
        seen.add(name)


def text(value: object, position: Position) -> str:
    """The value, if it is text.

    Raises:
        UsageError: it is not.
    """
    return str(_of_type(value, position, str))


def _of_type(value: Any, position: Position, kind: type) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _wrong_type(position, value, kind)
    return value


def _in_range(value: int, position: Position, least: int, most: int) -> int:
    if not least <= value <= most:
        raise UsageError(f"{position}: {value} is out of range.", f"It can be from {least} to {most}.", "choose another number")
    return value


def _wrong_type(position: Position, value: object, kind: type) -> UsageError:
    shown = position.written or (str(value).lower() if isinstance(value, bool) else str(value))
    hint = f'put it in quotes: "{shown}"' if kind is str and not isinstance(value, list | dict) else f"make it {WORDS[kind]}"
    why = QUOTES if '"' in hint else WRITTEN[kind]
    return UsageError(f"{position} must be {WORDS[kind]}, and is {kind_of(value)}: {shown[:60]}.", why, hint)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that somebody most likely means; empty if none is near."""
    by_small = {one.lower(): one for one in known}
    close = get_close_matches(word.lower(), by_small, 1)
    return by_small[close[0]] if close else ""


def kind_of(value: object) -> str:
    """What kind of value YAML has made of something, in words."""
    return WORDS.get(type(value), "nothing" if value is None else f"a {type(value).__name__}")

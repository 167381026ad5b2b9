"""A part of a manifest that knows where it stands, so that whatever is wrong in it can be named by its path.

``Fields`` hands out what a mapping holds, field by field, and refuses at the end what nobody asked for: a field that is ignored would be a
promise that is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from lab.box.errors import UsageError

WORDS = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "a mapping"}
WRITTEN = {
    str: "It is one piece of text.",
    int: "Digits, without quotes.",
    bool: "One of these two words, without quotes.",
    list: "Its items stand one a line after a hyphen, or side by side in square brackets.",
    dict: "Its fields stand one a line, further to the right than its name.",
}
"""How YAML has each kind."""
QUOTES = "YAML takes numbers, dates, and words such as yes, no, on and off for something else than text."
MISSING = object()
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


class Fields:
    """What a mapping in a manifest holds.

    Args:
        value: the mapping.
        path: where it stands, such as ``spec.containers[0]``.

    Raises:
        UsageError: it is no mapping.
    """

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise _wrong_type(path or "The manifest", value, dict)
        self.path = path
        self._left: dict[object, object] = dict(value)
        self._known: list[str] = []

    def at(self, key: str) -> str:
        """The path of a field."""
        return f"{self.path}.{key}" if self.path else key

    def take(self, key: str, kind: type, default: Any = MISSING) -> Any:
        """A field's value, which nobody needs to look at again; the default where it is absent, or null.

        Raises:
            UsageError: it is of another kind, or absent without a default.
        """
        self._known.append(key)
        value = self._left.pop(key, None)
        if value is None:
            if default is MISSING:
                near = get_close_matches(key, map(str, self._left), 1)
                hint = f"did you mean {key} where it says {near[0]}?" if near else f"add a line with {key}: …"
                raise UsageError(f"{self.at(key)} is missing.", f"It must be {WORDS[kind]}.", hint)
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _wrong_type(self.at(key), value, kind)
        return value

    def inside(self, key: str) -> Fields:
        """A mapping inside, empty where it is absent."""
        return Fields(self.take(key, dict, {}), self.at(key))

    def each(self, key: str) -> Iterator[Fields]:
        """The mappings of a list, which may be absent."""
        for number, value in enumerate(self.take(key, list, [])):
            yield Fields(value, f"{self.at(key)}[{number}]")

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, which may be absent."""
        return tuple(text(value, f"{self.at(key)}[{number}]") for number, value in enumerate(self.take(key, list, [])))

    def pairs(self, key: str) -> dict[str, str]:
        """A mapping from text to text, which may be absent."""
        found: Mapping[object, object] = self.take(key, dict, {})
        return {text(name, self.at(key)): text(value, f"{self.at(key)}.{name}") for name, value in found.items()}

    def name(self, key: str, *default: str, rule: re.Pattern[str] = NAME, most: int = 63) -> str:
        """A text that can be a name.

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
        """A whole number between two others.

        Raises:
            UsageError: it is out of range.
        """
        value = self.take(key, int, *default)
        if value is not None and not least <= value <= most:
            raise UsageError(f"{self.at(key)}: {value} is out of range.", f"It can be from {least} to {most}.", "choose another number")
        return value

    def one_of(self, key: str, known: tuple[str, ...]) -> str:
        """One of some words; the first where the field is absent.

        Raises:
            UsageError: it is another.
        """
        value = str(self.take(key, str, known[0]))
        if value not in known:
            raise UsageError(f"{self.at(key)}: {value} is not supported here.", f"It can be {', '.join(known)}.", f"write {known[0]}")
        return value

    def no_twins(self, what: str, names: Iterable[object], hint: str) -> None:
        """Refuse what is there twice.

        Raises:
            UsageError: two of *names* are the same.
        """
        seen: set[object] = set()
        for name in names:
            if name in seen:
                raise UsageError(f"{self.path}: two {what} {name}.", "Each has to be told from the others.", hint)
            seen.add(name)

    def done(self) -> None:
        """Refuse what is left.

        Raises:
            UsageError: a field that nobody took.
        """
        for key in self._left:
            close = get_close_matches(str(key), self._known, 1)
            hint = f"did you mean {close[0]}? If not, take it out" if close else "take it out"
            why = f"What is understood there: {', '.join(self._known)}. Nothing is ignored in silence."
            raise UsageError(f"{self.at(str(key))} is not supported here.", why, hint)


def text(value: object, path: str) -> str:
    """The value, if it is text.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(value, str):
        raise _wrong_type(path, value, str)
    return value


def _wrong_type(path: str, value: object, kind: type) -> UsageError:
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    hint = f'put it in quotes: "{shown}"' if kind is str and not isinstance(value, list | dict) else f"make it {WORDS[kind]}"
    why = QUOTES if '"' in hint else WRITTEN[kind]
    return UsageError(f"{path} must be {WORDS[kind]}, and is {kind_of(value)}: {shown[:60]}.", why, hint)


def kind_of(value: object) -> str:
    """What YAML made of something, in words."""
    return WORDS.get(type(value), "nothing" if value is None else f"a {type(value).__name__}")

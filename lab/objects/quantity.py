"""Amounts of processor and memory, in the notation of Kubernetes.

``500m`` of a processor is half of one, ``64Mi`` of memory is 64 times 1024 times 1024 bytes.  Here they are whole numbers: thousandths of a
processor (millicores) and bytes, so that adding and comparing them is exact.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from lab.box.errors import UsageError
from lab.objects.manifest.position import Position

SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
"""What a number is multiplied with, by the letters that follow it."""
WRITTEN = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]?|[KMGTPE]i))")
MOST = Decimal(2**63 - 1)


@dataclass(frozen=True)
class Resources:
    """An amount of processor and of memory.

    Args:
        cpu: thousandths of a processor.
        memory: bytes.
    """

    cpu: int = 0
    memory: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.cpu + other.cpu, self.memory + other.memory)

    def __sub__(self, other: Resources) -> Resources:
        return Resources(self.cpu - other.cpu, self.memory - other.memory)

    def at_least(self, other: Resources) -> Resources:
        """The larger amount of each."""
        return Resources(max(self.cpu, other.cpu), max(self.memory, other.memory))

    def __str__(self) -> str:
        return f"{cpu_text(self.cpu)} cpu, {memory_text(self.memory)} memory"


NOTHING = Resources()


def cpu(written: object, where: Position | str) -> int:
    """An amount of processor, in thousandths of one.  A fraction of a thousandth is rounded up, as in Kubernetes.

    Args:
        written: what the manifest says, such as ``500m`` or ``0.5``.
        where: it says so, for the error.

    Raises:
        UsageError: it is no amount.
    """
    return int((_amount(written, where, "500m") * 1000).to_integral_value(ROUND_CEILING))


def memory(written: object, where: Position | str) -> int:
    """An amount of memory, in bytes.

    Args:
        written: what the manifest says, such as ``64Mi``.
        where: it says so, for the error.

    Raises:
        UsageError: it is no amount, or a fraction of a byte: ``64m`` is 64 thousandths of one.
    """
    amount = _amount(written, where, "64Mi")
    if amount != amount.to_integral_value():
        why = "A byte is not parted."
        if str(written).endswith("m"):
            why = f"The letter m stands for thousandths: this is {amount.normalize():f} bytes."
        meant = f"{str(written).rstrip('num')}Mi" if str(written)[-1] in "num" else f"{math.ceil(amount / SUFFIXES['Mi'])}Mi"
        raise UsageError(f"{where}: {written} is not a whole number of bytes.", why, f"write {meant} if you mean that")
    return int(amount)


def cpu_text(amount: int, *beside: int) -> str:
    """Thousandths of a processor, as Kubernetes writes them.

    Args:
        amount: to be written.
        beside: other amounts that are shown with it, so that all of them are written in the same unit.
    """
    return f"{amount}m" if amount and any(one % 1000 for one in (amount, *beside)) else str(amount // 1000)


def memory_text(amount: int, *beside: int) -> str:
    """Bytes, as Kubernetes writes them: in the largest unit that gives a whole number.

    Args:
        amount: to be written.
        beside: other amounts that are shown with it, so that all of them are written in the same unit.
    """
    for suffix in ("Gi", "Mi", "Ki"):
        if amount and not any(one % int(SUFFIXES[suffix]) for one in (amount, *beside)):
            return f"{amount // int(SUFFIXES[suffix])}{suffix}"
    return str(amount)


def _amount(written: object, where: Position | str, example: str) -> Decimal:
    text = str(written) if isinstance(written, str | int | float) and not isinstance(written, bool) else ""
    found = WRITTEN.fullmatch(text)
    if not found:
        raise UsageError(
            f"{where}: {written!r} is not an amount that Kubernetes reads.", _what_is_wrong(text), f"write {_meant(text) or example}"
        )
    number, exponent, suffix = found.groups()
    amount = Decimal(number) * (Decimal(10) ** int(exponent) if exponent else SUFFIXES[suffix])
    if not 0 <= amount <= MOST:
        raise UsageError(f"{where}: {written} is out of range.", "An amount is 0 or more, and less than 8Ei.", f"write {example}")
    return amount


def _what_is_wrong(text: str) -> str:
    if re.search(r"\s", text):
        return "There is no space between the number and its unit, and the units of memory are Ki, Mi, Gi (1024) or k, M, G (1000)."
    return (
        "It is a number and a unit: m for thousandths, Ki, Mi, Gi (1024) or k, M, G (1000); capital and small letters are different units."
    )


def _meant(text: str) -> str:
    """What somebody who writes "1 GB" or "64mb" most likely means; empty if that can't be guessed."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt])i?b?\s*", text.lower())
    return f"{found[1]}{found[2].upper()}i" if found else ""

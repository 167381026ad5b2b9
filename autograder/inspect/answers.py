"""How a check reads what a learner has answered, which may be a number, a text or a list, whatever was asked for."""

from __future__ import annotations

import re


def number(answer: object) -> float | None:
    """An answer as a number, also where it came as text, such as ``"1,024"``; None where it is no number."""
    if isinstance(answer, bool) or answer is None:
        return None
    try:
        return float(answer) if isinstance(answer, int | float) else float(re.sub(r"(?<=\d)[,_' ](?=\d{3})", "", str(answer).strip()))
    except ValueError:
        return None


def words(answer: object) -> set[str]:
    """The words of an answer in lower case, whether it came as a list or as one text."""
    parts = answer if isinstance(answer, list) else [answer] if isinstance(answer, str) else []
    return {word.lower() for part in parts for word in re.findall(r"[\w-]+", str(part))}


def said(answer: object) -> str:
    """An answer as a verdict quotes it, cut at 60 characters: ``you said 42``, or ``no answer yet``."""
    if answer is None:
        return "no answer yet"
    text = ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer).strip()
    return f"you said {text[:60]}" if text else "you said nothing"

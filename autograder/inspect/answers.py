"""How a check reads what a learner has answered, which may be a number, a text or a list, whatever was asked for."""

from __future__ import annotations

import json
import re


def single(answer: object) -> object:
    """An answer; that which is in it where it came as a list of one, such as what ``split()`` makes of the output of a command."""
    return answer[0] if isinstance(answer, list) and len(answer) == 1 else answer


def text(answer: object) -> str:
    """An answer as text without spaces around it; empty where there is none."""
    answer = single(answer)
    return "" if answer is None else str(answer).strip()


def number(answer: object) -> float | None:
    """An answer as a number, also where it came as text, such as ``"1,024"``; None where it is no number."""
    answer = single(answer)
    if isinstance(answer, bool | list) or answer is None:
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
    quoted = json.dumps(answer, ensure_ascii=False) if isinstance(single(answer), list) else text(answer)
    return f"you said {quoted[:60]}" if quoted else "you said nothing"

"""``course doctor``: what the course needs of this computer, one line or two for each requirement."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from dataclasses import asdict

import typer

from lab.box.doctor import examine
from lab.box.drivers.base import Finding
from lab.cli.output import AsJson, out

INDENT = " " * 9
"""As wide as the column of marks: ``MISSING`` and two spaces."""


def doctor(as_json: AsJson = False) -> None:
    """Show every requirement, what was found, and how to get what is missing.  Installs nothing."""
    findings = examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        print("\n".join(lines(findings, out.width if out.is_terminal else None)))
    if any(finding.required and not finding.ok for finding in findings):
        raise typer.Exit(1)


def lines(findings: Iterable[Finding], width: int | None) -> list[str]:
    """The findings as lines of text.

    Args:
        findings: what ``examine`` returns.
        width: columns of the terminal; None to break no line.  A word or a path that is wider than that stays whole.
    """
    text = []
    for finding in findings:
        mark = "ok" if finding.ok else "MISSING" if finding.required else "no"
        text += _wrapped(f"{mark:<{len(INDENT)}}", f"{finding.name}: {finding.found}", width)
        if not finding.ok and finding.mend:
            text += _wrapped(INDENT, finding.mend, width)
    return text


def _wrapped(first: str, text: str, width: int | None) -> list[str]:
    if width is None:
        return [first + text]
    wrapper = textwrap.TextWrapper(width, first, INDENT, break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(text)

"""What code inside a box and code outside it have to agree on."""

from __future__ import annotations

from pathlib import Path

BOX = "box"
"""The name of the learner's own box, which every machine on its segment knows it by."""
NBGRADER = "NBGRADER_EXECUTION"
"""The variable that nbgrader sets to ``validate`` or ``autograde`` while it runs a notebook."""
AGENT = Path("/usr/lib/course/agent.py")
"""The program at the box's end of its access channel: every box has it, and no other computer does."""


def inside_a_box() -> bool:
    """Whether this code runs inside a box."""
    return AGENT.exists()

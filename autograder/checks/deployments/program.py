"""Running the learner's program on the box, with one word or number behind its name.

It may be a script for the shell, or any program that begins with ``#!``.  In Python it can use the course's own ``lab``, which is
therefore brought to the box.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex

from lab.box.core.inside import inside_a_box
from lab.box.machine import Machine

RUN_S = 200
"""Seconds that a program may take: an emulated box needs four for each container."""
TOO_LONG = (124, 137)
"""The exit codes of ``timeout`` when the time was up."""
RUN = r"""
[ -s "$program" ] || exit 127
cd "$(dirname "$program")" && chmod u+x "$program" || exit 127
timeout --kill-after=2 "$most" bash -c '"$0" "$1"' "$program" "$argument" </dev/null >"$said" 2>&1
code=$?
grep -v "^See 'docker" "$said" | grep -v '^ *$' | tail -n 1 | tr -dc '[:print:]' | cut -c1-120
rm -f "$said"
exit $code
"""
"""The output goes to a file and not to the shell, because a program that stays in the background may keep its output open."""


@dataclass(frozen=True)
class Ran:
    """What came of running a program.

    Args:
        code: its exit code.
        said: the last line of its output.
    """

    code: int
    said: str

    @property
    def hung(self) -> bool:
        """Whether it was ended because it took too long."""
        return self.code in TOO_LONG

    @property
    def words(self) -> str:
        """What went wrong, in a sentence for the learner; empty if nothing."""
        if self.hung:
            return f"It did not end within {RUN_S} s. What waits for something that never comes?"
        return f"It ended with {self.code}, and said last: {self.said or 'nothing'}" if self.code else ""


def bring_the_course(machine: Machine) -> None:
    """Copy the course's ``lab`` to the box, where Python finds it; inside a box it is there."""
    if not inside_a_box():
        from lab.box.channel.kernel import COURSE  # noqa: PLC0415  (which imports Jupyter)
        from lab.box.core.processes import CHECKOUT  # noqa: PLC0415

        machine.put(CHECKOUT / "lab", f"{COURSE}/lab")


def is_there(machine: Machine, program: str) -> bool:
    """Whether there is a program in which something stands that is no comment."""
    return machine.sh(f"grep -qvsE '^[[:space:]]*(#|$)' {shlex.quote(program)}").code == 0


def run(machine: Machine, program: str, argument: str | int, variables: Mapping[str, str]) -> Ran:
    """Run a program to its end.

    Args:
        machine: that it is on.
        program: its path there.
        argument: what stands behind its name.
        variables: that it finds set.
    """
    own = {"program": program, "argument": argument, "said": f"/tmp/said-{token_hex(3)}", "most": RUN_S}  # noqa: S108  (inside the box)
    settings = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in own.items())
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    done = machine.sh(settings + exports + RUN, timeout=RUN_S + 30)
    return Ran(done.code, done.stdout.strip())

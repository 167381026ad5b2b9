"""Running a program that the learner has left on the box, to its end.

It may be a script for the shell, or any program that begins with ``#!``.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex

from lab.box.machine import Machine

TOO_LONG = (124, 137)
"""The exit codes of ``timeout`` when the time was up."""
RUN = r"""
[ -s "$program" ] || exit 127
cd "$(dirname "$program")" && chmod u+x "$program" || exit 127
timeout --kill-after=2 "$most" bash -c '"$0" "$@"' "$program" $argument </dev/null >"$said" 2>&1
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


def is_there(machine: Machine, program: str) -> bool:
    """Whether there is a program in which something stands that is no comment."""
    return machine.sh(f"grep -qvsE '^[[:space:]]*(#|$)' {shlex.quote(program)}").code == 0


def run(machine: Machine, program: str, variables: Mapping[str, str], most_s: int, *, argument: str | int = "") -> Ran:
    """Run a program to its end.

    Args:
        machine: that it is on.
        program: its path there.
        variables: that it finds set.
        most_s: seconds that it may take.
        argument: what stands behind its name, a word or a number.
    """
    own = {"program": program, "argument": argument, "said": f"/tmp/said-{token_hex(3)}", "most": most_s}  # noqa: S108  (inside the box)
    settings = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in own.items())
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    done = machine.sh(settings + exports + RUN, timeout=most_s + 30)
    return Ran(done.code, done.stdout.strip())

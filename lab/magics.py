"""``%%box``: a notebook cell that is a root shell on your box.

The cell is one ``bash`` script.  What it says is printed as it comes, in the order in which it was said, errors included, as ordinary
output, and a failure ends in a line ``exit code N``: a command that fails is material for a lesson, not a reason to stop the notebook.
Interrupting the cell interrupts the script, as Ctrl-C does in a terminal; what it has left in the background stays.

Nothing is put into the script from outside: ``$name`` means the shell's own variable, as in any script.  Values go in by name, as
environment variables, and come out by name::

    %%box --set port,task.greeting --out page --timeout 120
    curl -s "localhost:$port/?$greeting"
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core import error
from IPython.core.magic import no_var_expand
from IPython.core.magic_arguments import MagicArgumentParser

from lab.box.errors import BoxNotRunning, UsageError, WaitTimeout
from lab.box.machine import command
from lab.box.machine.base import SHELL_TIMEOUT_S
from lab.box.wait import wait_until

if TYPE_CHECKING:
    from argparse import Namespace

    from IPython.core.interactiveshell import InteractiveShell

MOST_SHOWN = 1_000_000
"""Bytes that a cell prints; a page that gets much more stops answering."""
END_S = 5
LACKS = (b"Unknown device type", b"Can't initialize ipvs")
OPTIONS = re.compile(r"^(--[^\s=]*(=\S*|\s+[^\s-]\S*)?(\s+|$))*")
"""The options at the beginning of a line.  What follows them is the shell's, options of its own included, and stays as it was typed."""
DESCRIPTION = "Run commands in a root shell on your box: those on the lines below %%box, or the one on the line of %box."
USAGE = "%%box [--on NAME] [--timeout SECONDS] [--set NAME,NAME] [--out NAME], and the commands on the lines below"


@dataclass(frozen=True)
class Request:
    """What a cell asks for.

    Args:
        script: for ``bash``.
        timeout: seconds.
        take: Python variables that the script gets as environment variables.
        out: the Python variable that gets what the script says; empty to print it.
        on: the Python variable that holds another machine; empty for the box.
    """

    script: str
    timeout: float = SHELL_TIMEOUT_S
    take: tuple[str, ...] = ()
    out: str = ""
    on: str = ""


def _parser() -> MagicArgumentParser:
    """What reads the options, and writes the help text; it raises IPython's UsageError where argparse would end the process."""
    parser = MagicArgumentParser("box", description=DESCRIPTION)  # type: ignore[no-untyped-call]
    parser.allow_abbrev = False
    parser.add_argument("--on", metavar="NAME", help="run on the machine in a Python variable, such as web, not on the box")
    parser.add_argument(
        "--timeout", default=f"{SHELL_TIMEOUT_S:g}", metavar="SECONDS",
        help=f"end the commands after so many seconds; {SHELL_TIMEOUT_S:g} without this option",
    )  # fmt: skip
    parser.add_argument(
        "--set", metavar="NAME,NAME",
        help="pass Python variables as environment variables; one that is still ... arrives empty, task.port as port",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="NAME",
        help="store the output in a Python variable, without the last line break; errors are still printed",
    )  # fmt: skip
    parser.add_argument("--help", action="store_true", help="show these options")
    return parser


def _options(line: str) -> Namespace:
    """The options of a line that holds nothing else."""
    try:
        options, unknown = _parser().parse_known_args(line.split())
    except error.UsageError as mistake:
        raise UsageError("An option of %%box needs a value, or takes none.", f"{mistake}.", USAGE) from None
    if unknown:
        raise UsageError(f"%%box has no option {unknown[0]}.", "It has --on, --timeout, --set and --out.", USAGE)
    return options


def register(shell: InteractiveShell) -> None:
    """Give a notebook ``%%box``, and ``%box`` for a single line."""

    @no_var_expand  # or IPython would put Python's variables where the line says $HOME
    def box(line: str, cell: str | None = None) -> None:
        if request := parse(line, cell):
            run(request, shell.user_ns)
        else:
            _say(box.__doc__ or "")

    box.__doc__ = _parser().format_help()  # which `%box?` shows
    shell.magics_manager.register_function(box, magic_kind="line_cell", magic_name="box")


def parse(line: str, cell: str | None) -> Request | None:
    """Read a magic's line, and its cell if it has one; None where it asks for help.

    Raises:
        UsageError: an option is unknown, or has a value of the wrong form; or a cell's first line holds more than options.
    """
    rest = OPTIONS.sub("", line := line.strip(), count=1)
    options = _options(line.removesuffix(rest))
    if options.help:
        return None
    if cell is not None and rest:
        raise UsageError(f"%%box takes only options on its own line, not {rest!r}.", "The commands go on the lines below it.", USAGE)
    script = rest if cell is None else cell
    if not script.strip():
        raise UsageError("There is nothing to run.", "The cell has no command.", USAGE)
    take = () if options.set is None else tuple(options.set.split(","))
    parts = [part for name in take for part in name.split(".")]
    for name in (*parts, *(name for name in (options.out, options.on) if name is not None)):
        if not (name.isidentifier() and name.isascii()):
            raise UsageError(f"{name!r} is no name of a variable.", "Names are separated by a comma, without spaces.", USAGE)
    return Request(script, _seconds(options.timeout), take, options.out or "", options.on or "")


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text) or not float(text):
        raise UsageError(f"{text!r} is no number of seconds.", "--timeout takes a number above 0.", "%%box --timeout 120")
    return float(text)


def run(request: Request, variables: dict[str, Any]) -> None:
    """Do what a cell asks for, on the current box or on another machine.

    Args:
        request: see there.
        variables: the notebook's; read for ``take``, written for ``out``.

    Raises:
        UsageError: a variable is missing, can't be passed, or is no machine.
        BoxNotRunning: there is no box.
        WaitTimeout: it took too long.
    """
    from lab.box import connect  # noqa: PLC0415  (looked up when it is used: a test, or a later `course up`, may have changed it)
    from lab.picture.feed import look_beside_docker  # noqa: PLC0415  (a notebook whose first cell is %%box need not wait for it)

    environment = {name.rpartition(".")[2]: _text(name, variables) for name in request.take}
    machine = variables.get(request.on) if request.on else connect()
    if machine is None or not hasattr(machine, "stream"):
        raise UsageError(f"{request.on!r} is no machine.", "Nothing can be run on it.", f'{request.on} = machines.find("…")')
    said, kept = Output(), bytearray()

    def show(where: str, data: bytes) -> None:
        if request.out and where == "stdout":
            kept.extend(data)
        else:
            said.add(data)

    try:
        code = machine.stream(command.Request(request.script, request.timeout, environment, merged=not request.out), show)
    except WaitTimeout as error:
        raise WaitTimeout(error.what, error.why, f"%%box --timeout {request.timeout * 4:g}, if it only needs longer") from None
    except BoxNotRunning:
        if request.on or not _gone():
            raise
        said.end()
        _say("Your box was shut down while this cell ran. A new one is started; what was on the old one is gone.")
        _start_again()
        return
    finally:
        said.end()
        look_beside_docker()
        if request.out:
            variables[request.out] = kept.decode(errors="replace").rstrip("\n")
    if code:
        _say(f"exit code {code}")
    if said.names_what_a_kernel_lacks and not getattr(machine, "own_kernel", True):
        _say("This box shares the kernel of a Docker engine, which has no such thing. One with its own: course up --backend microvm")


def _gone() -> bool:
    """Whether the box has ended; one that is ending is waited for."""
    try:
        wait_until("the box's end", lambda: not _runs(), timeout_s=END_S, every_s=0.2)
    except WaitTimeout:
        return False
    return True


def _runs() -> bool:
    from lab.box import connect  # noqa: PLC0415

    try:
        connect()
    except BoxNotRunning:
        return False
    except WaitTimeout:
        pass  # it is ending, or will be found
    return True


def _start_again() -> None:
    from lab.box import lifecycle  # noqa: PLC0415  (a learner's computer has it, a box does not)
    from lab.box.core.progress import Printed  # noqa: PLC0415

    lifecycle.up(progress=Printed())


class Output:
    """What a cell says, printed as it comes; no more of it than a page can show."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._room, self._withheld, self._last = MOST_SHOWN, 0, "\n"
        self.names_what_a_kernel_lacks = False

    def add(self, data: bytes) -> None:
        """Print the next piece."""
        self.names_what_a_kernel_lacks |= any(words in data for words in LACKS)
        shown = data[: self._room]
        self._room -= len(shown)
        self._withheld += len(data) - len(shown)
        self._print(self._decoder.decode(shown))

    def end(self) -> None:
        """End the last line, and tell how much was not shown."""
        self._print(self._decoder.decode(b"", final=True))
        if self._last != "\n":
            self._print("\n")
        if self._withheld:
            _say(f"… and {self._withheld / 1e6:.1f} MB more, which are not shown. A file takes them: COMMAND > /tmp/output")
            self._withheld = 0

    def _print(self, text: str) -> None:
        if text:
            print(text, end="", flush=True)  # noqa: T201  (it is what a cell says)
            self._last = text[-1]


def _text(name: str, variables: Mapping[str, Any]) -> str:
    """A variable as text for the shell; empty for None and for the ``...`` that stands where a learner is to type."""
    first, *attributes = name.split(".")
    if first not in variables:
        raise UsageError(f"There is no Python variable {first!r} to pass.", "No cell has set it yet.", f"{first} = …, in a cell above")
    value = variables[first]
    for attribute in attributes:
        if not hasattr(value, attribute):
            raise UsageError(f"{first!r} has no {attribute!r} to pass.", "Its parts are named differently.", f"print({first})")
        value = getattr(value, attribute)
    if value is None or value is ...:
        return ""
    if not isinstance(value, str | Number | Path) or "\0" in str(value):
        why = f"It is a {type(value).__name__}; text and numbers can."
        raise UsageError(f"The Python variable {name!r} can't be passed.", why, f"{name} = str({name})")
    return str(value)


def _say(text: str) -> None:
    """Print, as ordinary output, a text that ends with its line."""
    if text:
        print(text, end="" if text.endswith("\n") else "\n", flush=True)  # noqa: T201  (it is what a cell says)

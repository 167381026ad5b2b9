"""``python -m lab.cli``: the ``course`` command where only the interpreter's path is known."""

from lab.cli import main

main()

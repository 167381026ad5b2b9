"""The process in which JupyterLab runs.  It ends when the ``course lab`` that started it ends, whatever ended that.

Standard input is a pipe that only ``course lab`` holds open.  The kernel closes it even for a process that was killed, on every system,
and then a read here returns.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from lab.jupyter.settings import profiles

END_TIMEOUT_S = 15


def _end_with_parent() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)  # JupyterLab ends its kernels and terminals
    time.sleep(END_TIMEOUT_S)
    os._exit(1)


def exchange_exists() -> bool:
    """Whether nbgrader has an exchange, the directory through which assignments are handed out and in."""
    from nbgrader.apps import NbGrader  # noqa: PLC0415  (takes a second, and the pipe is to be watched from the start)
    from nbgrader.exchange.default import Exchange  # noqa: PLC0415

    app = NbGrader()
    app.load_config_file()
    return "ExchangeFactory" in app.config or Path(Exchange(config=app.config).root).is_dir()


def main() -> None:
    """Run JupyterLab; the first argument is ``learner`` or ``teacher``, the others are JupyterLab's own."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from jupyterlab.labapp import main as jupyterlab  # noqa: PLC0415  (takes a second; see above)

    teacher = sys.argv.pop(1) == "teacher"
    mine = profiles(teacher=teacher, exchange=teacher or exchange_exists())
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join([*map(str, mine), os.environ["JUPYTER_CONFIG_PATH"]])
    sys.argv[0] = "jupyter-lab"  # so that its messages bear the name that its documentation has
    jupyterlab()


if __name__ == "__main__":
    main()

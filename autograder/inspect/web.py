"""How a check asks a web server: from where a process stands, so from behind its wall of the network."""

from __future__ import annotations

import shlex

from lab.box.machine import Machine

OF_THE_MACHINE = 1
"""The process whose network is the machine's own."""
ASK = r"""
ask() { nsenter --target "$pid" --net curl -s --noproxy '*' "$@"; }
page() {
  for look in $(seq "$(($2 * 5))"); do
    ask --max-time 5 "$1" && return
    [ -d "/proc/$pid" ] || return
    sleep 0.2
  done
}
"""
"""Two functions for a shell script that has set ``$pid`` to a process, as the machine counts.  ``ask OPTION… URL`` runs curl in the network
namespace of that process.  ``page URL SECONDS`` asks until there is an answer, the process has ended, or the time is up."""


def page(machine: Machine, pid: int, port: int, path: str = "/", patience_s: int = 10) -> str:
    """What a web server answers on localhost to somebody in a process's network; asked until it answers, empty if it never did.

    Args:
        machine: that the process runs on.
        pid: any process of the container, as the machine counts; ``OF_THE_MACHINE`` to ask from the machine itself.
        port: as it is numbered in that network.
        path: of the page.
        patience_s: seconds until it is given up.
    """
    return machine.sh(f"pid={pid}\n{ASK}\npage {shlex.quote(f'http://127.0.0.1:{port}{path}')} {patience_s}").stdout

"""Speaking to a kernel, as a front end does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

    from lab.box.instances.box import Box


def run(client: BlockingKernelClient, code: str, timeout_s: float = 60) -> tuple[str, str]:
    """What a cell prints, errors included, and its result.

    Args:
        client: of the kernel.
        code: the cell.
        timeout_s: seconds until it is given up.
    """
    said, results = [], []

    def heard(message: dict[str, dict[str, object]]) -> None:
        content = message["content"]
        kind = message["header"]["msg_type"]
        if kind == "stream":
            said.append(str(content["text"]))
        elif kind == "execute_result":
            results.append(str(content["data"]["text/plain"]))  # type: ignore[index]
        elif kind == "error":
            said.append(f"{content['ename']}: {content['evalue']}")

    client.execute_interactive(code, timeout=timeout_s, output_hook=heard)
    return "".join(said), "".join(results)


def kernels(box: Box) -> list[str]:
    """The process ids of the kernels in the box, which look like the process that they are forked from, and are younger."""
    return box.sh("pgrep -f '^/usr/bin/python3 .*/zygote.py$'", check=True).stdout.split()[1:]

"""Web pages of a box under the address of the learner's own Jupyter: a server extension.

``box.url(8080)`` is an address on the computer that Jupyter runs on, which need not be the one where the browser is: on Binder, or on a
university's hub, it is another.  So ``BASE/box/MACHINE/8080/`` leads there, for whoever may use this Jupyter, by
jupyter-server-proxy; a machine has the name of the directory with its sockets.

A page of a box is as trustworthy as the box, and that may be somebody else's, from a save file.  So the box is not shown what Jupyter
knows the browser by, and the browser treats the page as one of a foreign origin, which may run scripts, but can't use Jupyter.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from jupyter_server.utils import url_path_join
from jupyter_server_proxy.handlers import LocalProxyHandler
from tornado.web import HTTPError

from lab.box.channel.access import Access
from lab.box.core.installation import Installation
from lab.box.errors import BoxNotRunning
from lab.box.instances.address import PAGES_VARIABLE

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp
    from tornado.httputil import HTTPHeaders

SANDBOX = "sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts"
PRIVATE = ("Authorization", "Cookie", "X-Xsrftoken")
PATTERN = r"/box/([a-z0-9-]+)/(\d{1,5})(/.*)"


class BoxPage(LocalProxyHandler):  # type: ignore[misc]
    """Passes requests for a port of a machine on to it."""

    path_args: list[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        send = vars(self)["flush"]  # jupyter-server-proxy puts it over the method

        def flush(include_footers: bool = False) -> None:
            self.set_header("Content-Security-Policy", SANDBOX)  # the page can't choose how far it is trusted
            send(include_footers)

        self.flush = flush

    async def prepare(self, *args: Any, **kwargs: Any) -> None:
        """Let in who may use this Jupyter, and find the machine."""
        await super().prepare(*args, **kwargs)
        if self._finished:  # it asks for the token
            return
        name, port, path = self.path_args
        self.proxy_base = f"box/{name}/{port}"
        self.path_args = [port, path]
        try:
            self.unix_socket = await asyncio.to_thread(_socket_of, name, int(port))
        except BoxNotRunning:
            raise HTTPError(502, "The machine does not run. To start your box: course up") from None

    def proxy_request_headers(self) -> HTTPHeaders:
        """What the browser asks with, without what Jupyter knows it by."""
        headers: HTTPHeaders = super().proxy_request_headers()
        for name in PRIVATE:
            headers.pop(name, None)
        return headers


def _socket_of(name: str, port: int) -> str:
    """A private socket that leads to a port of a machine; its relay makes it, and takes it away when the machine ends.

    Raises:
        BoxNotRunning: there is no such machine, or it does not run.
    """
    access = Access(Installation.open().runtime / name)
    return access.ask(f"listen {access.directory / f'page-{port}.sock'} tcp:{port}")


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    base = server.web_app.settings["base_url"]
    server.web_app.add_handlers(".*$", [(url_path_join(base, PATTERN), BoxPage)])  # type: ignore[no-untyped-call]
    os.environ[PAGES_VARIABLE] = url_path_join(base, "box/")  # the kernels have it from the server

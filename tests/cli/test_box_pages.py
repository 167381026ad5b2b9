"""A box's web pages under Jupyter's own address: for whoever may use that Jupyter, and no further trusted than the box."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import requests

from lab.box.instances.address import PAGES_VARIABLE, Address
from lab.box.instances.box import Box
from tests.conftest import Running
from tests.support.course import until
from tests.support.jupyter import Lab, course_lab

PORT, NOBODYS_PORT = 8765, 8766
ECHO = f"""cat > /tmp/echo.py <<'END'
import http.server, json
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = json.dumps({{"path": self.path, "headers": dict(self.headers)}}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(said))); self.end_headers(); self.wfile.write(said)
    do_POST = do_GET
http.server.HTTPServer(("127.0.0.1", {PORT}), Echo).serve_forever()
END
python3 /tmp/echo.py >/dev/null 2>&1 &"""


@pytest.fixture(scope="module")
def lab(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with course_lab(running.environment, tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def get(lab: Lab, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and content of a page, asked for without the token."""
    base = lab.address.partition("lab?token=")[0]
    try:
        with urlopen(Request(base + path, headers=headers)) as page:  # noqa: S310  (it is http)
            return page.status, dict(page.headers), page.read()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_a_page_is_had_with_jupyters_token_alone_and_the_box_does_not_get_it(running: Running, lab: Lab, box: Box) -> None:
    assert running
    box.sh(ECHO, check=True)
    until("an answer from the box", lambda: requests.get(box.url(PORT), timeout=10).ok, 30)
    token = lab.address.partition("token=")[2]

    status, headers, content = get(lab, f"box/box/{PORT}/a%20b?c=d", Authorization=f"token {token}", Cookie="_xsrf=secret")
    seen = json.loads(content)

    assert (status, seen["path"]) == (200, "/a%20b?c=d")
    assert not {name.lower() for name in seen["headers"]} & {"authorization", "cookie", "x-xsrftoken"}
    assert token not in content.decode()
    assert headers["Content-Security-Policy"].startswith("sandbox ")
    assert "allow-same-origin" not in headers["Content-Security-Policy"]
    assert get(lab, f"box/box/{PORT}/", Accept="application/json")[0] in {302, 403} or b"Token" in get(lab, f"box/box/{PORT}/")[2]
    assert b'"path"' not in get(lab, f"box/box/{PORT}/")[2]


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_what_is_not_there_is_said(running: Running, lab: Lab) -> None:
    assert running
    assert lab.ask("box/no-such-machine/80/")[0] == 502
    assert "course up" in lab.ask("box/no-such-machine/80/")[1]
    assert lab.ask(f"box/box/{NOBODYS_PORT}/")[0] >= 500
    assert lab.ask("box/../80/")[0] == 404


def test_an_address_is_a_link_to_where_the_browser_can_go(monkeypatch: pytest.MonkeyPatch) -> None:
    address = Address("http://box:secret@127.0.0.1:4711", "box/8080/")

    assert address == "http://box:secret@127.0.0.1:4711"
    assert '<a href="http://box:secret@127.0.0.1:4711"' in address._repr_html_()
    monkeypatch.setenv(PAGES_VARIABLE, "/user/ada/box/")
    assert '<a href="/user/ada/box/box/8080/"' in address._repr_html_()
    assert "secret" not in address._repr_html_()

"""The course's images: what is written, and how the app in them behaves."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.box.build import images
from lab.box.build.images import PACKAGES, write_images
from lab.box.build.images.archive import Image, Layer, directory, file, link, write_archive
from lab.box.build.images.debs import unpack
from lab.box.errors import BuildError

SERVER = Path(images.__file__).parent / "app/server.py"
SOON_S = 10.0
Serve = Callable[..., "App"]


class App:
    """The server as a process of its own, on a port that the kernel chose."""

    def __init__(self, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", SERVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PORT": "0", **env}
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline().split()[-1])

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
        """Status, text and headers of one answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SOON_S)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """All that comes back for some bytes, until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SOON_S) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SOON_S)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers; what still runs at the end is killed."""
    started: list[App] = []

    def start(**env: str) -> App:
        started.append(App(**env))
        return started[-1]

    yield start
    for app in started:
        app.process.kill()
        app.process.communicate()


def fields(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.splitlines())


def test_the_answer_says_who_answered(serve: Serve) -> None:
    app = serve(VERSION="v2", GREETING="Hi.", BOX="alpha")
    app.get("/")
    status, text, _ = app.get("/", X_Request_Id="abc-1")
    assert status == 200
    assert fields(text) == {
        "greeting": "Hi.", "version": "v2", "box": "alpha", "container": socket.gethostname(), "request": "abc-1", "count": "2",
    }  # fmt: skip


def test_a_request_id_is_echoed_cleaned_or_made(serve: Serve) -> None:
    app = serve()
    assert app.get("/", X_Request_Id="mine")[2]["X-Request-Id"] == "mine"
    assert app.get("/", X_Request_Id="a b\tc<1>")[2]["X-Request-Id"] == "abc1"
    assert len(app.get("/")[2]["X-Request-Id"]) == 16


def test_readiness_is_not_health(serve: Serve) -> None:
    assert [serve().get(path)[0] for path in ("/healthz", "/ready")] == [200, 200]
    assert [serve(READY="never").get(path)[0] for path in ("/healthz", "/ready", "/")] == [200, 503, 200]
    assert serve(READY="3600").get("/ready")[0] == 503


def test_probes_do_not_count(serve: Serve) -> None:
    app = serve()
    answers = [app.get(path)[1] for path in ("/healthz", "/ready", "/")]
    assert fields(answers[-1])["count"] == "1"


def test_a_connection_serves_many_requests(serve: Serve) -> None:
    app = serve()
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=SOON_S)
    for method, path, status, has_text in (("GET", "/", 200, True), ("HEAD", "/", 200, False), ("GET", "/nowhere", 404, True)):
        connection.request(method, path)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (status, has_text)
        assert answer.headers["Connection"] == "keep-alive"
    connection.close()


@pytest.mark.parametrize("query", ["?s=much", "?s=-1", "?s=nan"])
def test_slow_wants_a_number(serve: Serve, query: str) -> None:
    assert serve().get(f"/slow{query}")[0] == 400


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n\r\n", b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /\x1b[2J HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n",
    ],
)  # fmt: skip
def test_nonsense_is_refused_and_survived(serve: Serve, request_bytes: bytes) -> None:
    app = serve()
    try:
        assert app.raw(request_bytes).startswith(b"HTTP/1.1 400 ")
    except ConnectionResetError:
        assert len(request_bytes) > 8192  # the server hung up before it had read everything
    assert app.get("/")[0] == 200


def test_other_methods_are_refused_without_losing_the_connection(serve: Serve) -> None:
    request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"
    answers = serve().raw(request)
    assert answers.startswith(b"HTTP/1.1 501 ")
    assert b"HTTP/1.1 200 OK" in answers
    assert answers.endswith(b"alive\n")


def test_a_crash_answers_first(serve: Serve) -> None:
    app = serve()
    assert app.get("/crash")[0] == 200
    assert app.process.wait(SOON_S) == 1


def test_stopping_finishes_what_is_in_flight(serve: Serve) -> None:
    app = serve()
    answers: list[int] = []
    idle = socket.create_connection(("127.0.0.1", app.port))
    idle.sendall(b"GET / HTTP/1.1\r\n\r\n")
    idle.recv(65536)  # kept alive, and nobody waits on it
    with socket.create_connection(("127.0.0.1", app.port), timeout=SOON_S) as slow:
        slow.sendall(b"GET /slow?s=0.6 HTTP/1.1\r\n\r\n")
        client = threading.Thread(target=lambda: answers.append(int(slow.recv(65536).split()[1])))
        client.start()
        assert app.stop() == 0
        client.join(SOON_S)
    idle.close()
    assert answers == [200]
    assert app.process.stdout
    assert app.process.stdout.read().endswith("0 unfinished\n")


def test_stopping_does_not_wait_for_ever(serve: Serve) -> None:
    app = serve()
    with socket.create_connection(("127.0.0.1", app.port)) as slow:
        slow.sendall(b"GET /slow?s=30 HTTP/1.1\r\n\r\n")
        app.process.send_signal(signal.SIGTERM)
        assert app.process.wait(3.5) == 0


def test_the_access_log_is_a_line_per_request(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    app = serve(ACCESS_LOG=str(log))
    app.get("/nowhere", X_Request_Id="one")
    app.get("/healthz", X_Request_Id="two")
    app.stop()
    lines = [line.split() for line in log.read_text().splitlines()]
    assert [(line[2:5], line[-1]) for line in lines[1:3]] == [(["GET", "/nowhere", "404"], "one"), (["GET", "/healthz", "200"], "two")]
    assert app.process.stdout
    assert app.process.stdout.read() == "".join(log.read_text().splitlines(keepends=True)[1:])


@contextmanager
def taken() -> Iterator[str]:
    with socket.create_server(("", 0)) as other:
        yield str(other.getsockname()[1])


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"PORT": "http"}, "PORT must be a number"),
        ({"PORT": "70000"}, "PORT must be a number"),
        ({"READY": "soon"}, "READY a number"),
        ({"ACCESS_LOG": "/nowhere/log"}, "/nowhere/log can't"),
    ],
)
def test_what_prevents_a_start_is_one_sentence(env: dict[str, str], says: str) -> None:
    done = subprocess.run([sys.executable, SERVER], env={"PORT": "0", **env}, capture_output=True, text=True, check=False, timeout=SOON_S)
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_port_in_use_is_said() -> None:
    with taken() as port:
        done = subprocess.run([sys.executable, SERVER], env={"PORT": port}, capture_output=True, text=True, check=False, timeout=SOON_S)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"Port {port} is in use" in done.stderr


def make_deb(debs: Path, name: str, content: dict[str, str], links: dict[str, str] | None = None) -> None:
    """A small package, as Debian's are named."""
    root = debs / f"{name}.tree"
    for path, text in content.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for path, target in (links or {}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    (root / "DEBIAN").mkdir(mode=0o755)
    (root / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: amd64\nMaintainer: The Course <course@example.org>\nDescription: made up\n"
    )
    subprocess.run(["dpkg-deb", "-b", root, debs / f"{name}_1_amd64.deb"], check=True, capture_output=True)


def test_packages_are_merged_into_usr(tmp_path: Path) -> None:
    make_deb(tmp_path, "one", {"bin/tool": "old", "usr/share/doc/one/README": "unread"}, {"sbin": "usr/sbin"})
    make_deb(tmp_path, "two", {"usr/bin/tool": "new"}, {"usr/bin/alias": "tool"})
    tree = unpack(tmp_path, ["one", "two"], drop=("usr/share/doc/",))
    assert tree["usr/bin/tool"].data == b"new"
    assert tree["usr/bin/alias"] == link("tool")
    assert tree["sbin"] == link("usr/sbin")
    assert "bin/tool" not in tree
    assert not [path for path in tree if path.startswith("usr/share/doc")]


def test_a_hard_link_is_a_copy(tmp_path: Path) -> None:
    make_deb(tmp_path, "one", {"usr/bin/a": "same"})
    os.link(tmp_path / "one.tree/usr/bin/a", tmp_path / "one.tree/usr/bin/b")
    subprocess.run(["dpkg-deb", "-b", tmp_path / "one.tree", tmp_path / "one_1_amd64.deb"], check=True, capture_output=True)
    tree = unpack(tmp_path, ["one"])
    assert tree["usr/bin/a"].data == tree["usr/bin/b"].data == b"same"


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as raised:
        write_images(tmp_path, tmp_path / "images.tar", "1")
    assert "base-files" in raised.value.what
    assert "PACKAGES" in raised.value.try_next


def test_a_broken_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "one_1_amd64.deb").write_text("not a package")
    with pytest.raises(BuildError, match="one_1_amd64"):
        unpack(tmp_path, ["one"])


def test_packages_name_what_the_recipe_must_fetch() -> None:
    assert list(PACKAGES) == sorted(set(PACKAGES))


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], Path]:
    """Write two images that share a layer, from a small package, to a file of the given name."""
    make_deb(tmp_path, "one", {"usr/bin/tool": "#!/bin/sh\n", "etc/one.conf": "x"})

    def write(name: str) -> Path:
        base = Layer("base", unpack(tmp_path, ["one"]) | {"tmp": directory(0o1777)})
        top = Layer("top", {"srv/app/file": file("content")})
        images = [Image("base:latest", [base], ["tool"]), Image("app:v1", [base, top], ["tool"], {"A": "b"}, 8080)]
        write_archive(images, tmp_path / name)
        return tmp_path / name

    return write


def test_the_same_content_is_the_same_bytes(made: Callable[[str], Path]) -> None:
    assert made("first.tar").read_bytes() == made("second.tar").read_bytes()


def test_a_shared_layer_is_stored_once(made: Callable[[str], Path]) -> None:
    with tarfile.open(made("images.tar")) as tar:
        names = tar.getnames()
        manifest = json.load(tar.extractfile("manifest.json") or pytest.fail("no manifest"))
    base, app = manifest
    assert (base["RepoTags"], app["RepoTags"]) == (["base:latest"], ["app:v1"])
    assert app["Layers"][:1] == base["Layers"]
    assert sorted(names) == sorted({"manifest.json", base["Config"], app["Config"], *app["Layers"]})


def test_an_image_is_what_engines_expect(made: Callable[[str], Path], tmp_path: Path) -> None:
    with tarfile.open(made("images.tar")) as tar:
        app = json.load(tar.extractfile("manifest.json") or pytest.fail("no manifest"))[1]
        config = json.load(tar.extractfile(app["Config"]) or pytest.fail("no configuration"))
        tar.extractall(tmp_path / "out", filter="data")
    assert [f"{name.removeprefix('sha256:')}.tar" for name in config["rootfs"]["diff_ids"]] == app["Layers"]
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert len([step for step in config["history"] if not step.get("empty_layer")]) == len(app["Layers"])
    assert config["config"]["ExposedPorts"] == {"8080/tcp": {}}
    assert "A=b" in config["config"]["Env"]
    with tarfile.open(tmp_path / "out" / app["Layers"][0]) as layer:
        members = {member.name: member for member in layer}
    assert members["tmp"].mode == 0o1777
    assert {(member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, "root")}
    assert len({member.mtime for member in members.values()}) == 1

"""The Docker engine that a learner may have is found as the docker command finds it; what is in the way is said in a sentence."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import pytest
from docker.context import ContextAPI

from lab.box.core.installation import Installation
from lab.box.core.record import ENGINE_VARIABLES
from lab.box.drivers.container import engine
from lab.box.drivers.container.engine import Engine
from tests.support.nobody import ordinary_user


class Answers(BaseHTTPRequestHandler):
    """A Docker engine that can say its version, and nothing else."""

    protocol_version = "HTTP/1.1"
    body = json.dumps({"Version": "99.9", "ApiVersion": "1.47", "MinAPIVersion": "1.24"}).encode()

    def do_GET(self) -> None:
        self.send_response(200 if self.path.endswith("/version") else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Nonsense(Answers):
    """Something else that speaks HTTP."""

    body = b"<html>It works!</html>"


class Hangs(Answers):
    """Accepts, listens, and never answers."""

    def handle(self) -> None:
        while self.connection.recv(1 << 16):
            pass


class Drops(Answers):
    """Accepts and hangs up."""

    def handle(self) -> None:
        self.connection.close()


@contextmanager
def served(server: Any) -> Iterator[None]:
    with server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short name, for sockets, that everybody can enter."""
    with tempfile.TemporaryDirectory(prefix="c-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(autouse=True)
def _nothing_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has the docker command and has set nothing up; not even the default socket is there."""
    for name in ENGINE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name in ("bin", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin/docker").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(engine, "DEFAULT", f"unix://{tmp_path}/default.sock")
    endpoints = {"docker": {"Host": engine.DEFAULT, "SkipTLSVerify": True}}
    monkeypatch.setattr(ContextAPI.DEFAULT_CONTEXT, "endpoints", endpoints)


@pytest.fixture
def unix(place: Path) -> Iterator[Callable[..., str]]:
    """Serve engines on unix sockets, and give their addresses."""
    with ExitStack() as stack:

        def serve(handler: type[Answers] = Answers, name: str = "docker.sock") -> str:
            stack.enter_context(served(ThreadingUnixStreamServer(str(place / name), handler)))
            return f"unix://{place}/{name}"

        yield serve


def sentence(found: Engine, *words: str) -> None:
    """The engine does not answer, and the reason is one good sentence, with something to do next."""
    assert not found.answers
    assert found.version == ""
    for word in words:
        assert word in found.why
    assert found.why.endswith(".")
    assert "\n" not in found.why
    assert found.try_next


def test_an_engine_that_answers_is_found(unix: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    address = unix()
    monkeypatch.setenv("DOCKER_HOST", address)
    found = engine.find()
    assert found == Engine(address, {"DOCKER_HOST": address}, answers=True, version="99.9")


def test_an_engine_on_another_computer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    with served(server):
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        assert engine.find().version == "99.9"


def test_without_the_docker_command_nothing_is_asked(unix: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", unix(Hangs))
    monkeypatch.setenv("PATH", "/nowhere")
    began = time.monotonic()
    sentence(engine.find(), "docker command is not installed")
    assert time.monotonic() - began < 1


def test_a_socket_that_is_not_there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}/nowhere.sock")
    found = engine.find()
    sentence(found, f"unix://{place}/nowhere.sock", "does not exist")
    assert "DOCKER_HOST" in found.try_next


def test_a_socket_that_nobody_serves(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place / "dead.sock"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}/dead.sock")
    sentence(engine.find(), "the connection was refused")


def test_a_port_that_nobody_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    sentence(engine.find(), "tcp://127.0.0.1:1", "the connection was refused")


def test_a_socket_that_is_somebody_elses(unix: Callable[..., str], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", unix())
    (place / "docker.sock").chmod(0)
    (place / "docker").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(place))
    with ordinary_user():
        found = engine.find()
    sentence(found, "is there, but you may not use it: permission denied")
    assert "usermod -aG docker" in found.try_next


def test_an_engine_that_never_answers(unix: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.ANSWER_TIMEOUT_S <= 5
    monkeypatch.setattr(engine, "ANSWER_TIMEOUT_S", 1)
    monkeypatch.setenv("DOCKER_HOST", unix(Hangs))
    began = time.monotonic()
    sentence(engine.find(), "did not answer within 1 s")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("handler", [Nonsense, Drops])
def test_something_that_is_no_engine(unix: Callable[..., str], monkeypatch: pytest.MonkeyPatch, handler: type[Answers]) -> None:
    address = unix(handler)
    monkeypatch.setenv("DOCKER_HOST", address)
    sentence(engine.find(), f"at {address} can't be used")


@pytest.mark.parametrize(
    "address", ["nonsense://x", "tcp://", "unix:///" + "x" * 200, "ssh://user@nowhere.invalid", "tcp://nowhere.invalid:2375"]
)
def test_an_address_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    sentence(engine.find(), address)


def test_certificates_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    found = engine.find()
    sentence(found, "TLS")
    assert set(found.environment) == {"DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"}


def test_nothing_set_up_is_the_default_socket(unix: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = engine.find()
    sentence(found, "No Docker engine", "does not exist")
    assert "course up --backend microvm" in found.try_next
    assert found.environment == {"DOCKER_HOST": engine.DEFAULT}
    monkeypatch.setitem(ContextAPI.DEFAULT_CONTEXT.endpoints["docker"], "Host", unix())
    assert engine.find().answers


def test_the_engine_of_a_box_is_not_one_to_run_a_box_on(unix: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    owner = Installation(tmp_path)
    path = owner.socket_directory("box") / "docker.sock"
    address = f"unix://{path}"
    with served(ThreadingUnixStreamServer(str(path), Answers)):
        monkeypatch.setenv("DOCKER_HOST", address)
        found = engine.find()
    shutil.rmtree(owner.runtime)
    assert not found.answers
    assert found.environment == {"DOCKER_HOST": engine.DEFAULT}
    assert address not in found.address
    monkeypatch.setenv("DOCKER_HOST", unix())
    assert engine.find().answers


class Contexts:
    """What `docker context create` and `docker context use` leave in a directory."""

    def __init__(self, home: Path, current: str | None = None) -> None:
        self.home = home
        self.home.mkdir(exist_ok=True)
        if current:
            (home / "config.json").write_text(json.dumps({"currentContext": current}))

    def add(self, name: str, host: str) -> None:
        meta = self.home / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
        meta.parent.mkdir(parents=True)
        meta.write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}))


def test_the_current_context_is_followed(unix: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = Contexts(tmp_path / "docker", current="lab")
    contexts.add("lab", unix())
    monkeypatch.setenv("DOCKER_CONFIG", str(contexts.home))
    found = engine.find()
    assert (found.answers, found.version) == (True, "99.9")
    assert found.environment == {"DOCKER_CONFIG": str(contexts.home), "DOCKER_CONTEXT": "lab"}
    assert engine.is_local(found.environment)
    contexts.add("far", "tcp://127.0.0.1:1")
    assert not engine.is_local(found.environment | {"DOCKER_CONTEXT": "far"})


def test_a_context_that_leads_to_a_box_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = Contexts(tmp_path / "docker", current="box")
    contexts.add("box", f"unix://{Installation(tmp_path).runtime}/box/docker.sock")
    monkeypatch.setenv("DOCKER_CONFIG", str(contexts.home))
    sentence(engine.find(), "Context box leads to a box of the course")


def test_a_named_context_comes_before_the_current_one_and_an_address_before_both(
    unix: Callable[..., str], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = Contexts(tmp_path / "docker", current="dead")
    contexts.add("dead", f"unix://{place}/nowhere.sock")
    contexts.add("lab", unix())
    monkeypatch.setenv("DOCKER_CONFIG", str(contexts.home))
    sentence(engine.find(), "does not exist")
    monkeypatch.setenv("DOCKER_CONTEXT", "lab")
    assert engine.find().answers
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    sentence(engine.find(), "tcp://127.0.0.1:1")


@pytest.mark.parametrize("exists", [False, True], ids=["that does not exist", "without a config.json, where the SDK does not look"])
def test_another_engine_is_not_taken_for_that_of_a_context(
    unix: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    monkeypatch.setattr(engine, "DEFAULT", unix())
    if exists:
        Contexts(tmp_path / "home/.docker").add("lab", "tcp://127.0.0.1:1")
    monkeypatch.setenv("DOCKER_CONTEXT", "lab")
    sentence(engine.find(), "lab")


def test_a_context_that_is_damaged_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = Contexts(tmp_path / "docker", current="lab")
    contexts.add("lab", "unix:///anywhere")
    for meta in contexts.home.rglob("meta.json"):
        meta.write_text("{")
    monkeypatch.setenv("DOCKER_CONFIG", str(contexts.home))
    sentence(engine.find(), "lab")

"""What a box offers, the same on both backends."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import docker.errors
import pytest
import requests

from lab import connect
from lab.box import lifecycle
from lab.box.core.instance_dir import box_record
from lab.box.errors import CourseError, WaitTimeout
from lab.box.machine.base import Result
from lab.box.wait import wait_for
from tests.support.course import course, until
from tests.support.kernel import kernels

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

    from lab.box.instances.box import Box
    from tests.conftest import Running

APP, PORT = "the-app", 8080
PROMPT_S = 20
"""By when something is answered that is not held up; emulated boxes are slow."""


@pytest.fixture(scope="module")
def tidy(running: Running) -> Iterator[None]:
    """Other modules do not meet the web server."""
    yield
    with suppress(CourseError):  # the box is down
        running.box.sh(f"docker rm -f {APP}")


@pytest.fixture
def app(box: Box, tidy: None) -> str:  # noqa: ARG001  (which is there until the module has ended)
    """The address of a web server in a container of the box; it is started once, and again after a reset."""
    try:
        box.docker.containers.get(APP)
    except docker.errors.NotFound:
        box.docker.containers.run("app:v1", name=APP, detach=True, ports={f"{PORT}/tcp": PORT})
    address = box.url(PORT)
    wait_for("the app", lambda: requests.get(f"{address}/healthz", timeout=PROMPT_S).raise_for_status(), timeout_s=30, every_s=0.1)
    return address


@pytest.fixture
def docker_cli(box: Box) -> list[str]:
    """The ``docker`` command of this computer, on the box."""
    if not (program := shutil.which("docker")):
        pytest.skip("The docker command is not installed: apt-get install docker-cli")
    return [program, "-H", box.docker_host]


def without_password(address: str) -> str:
    return f"http://{address.rpartition('@')[2]}"


def run(command: list[str], data: bytes = b"") -> bytes:
    return subprocess.run(command, input=data, capture_output=True, check=True, timeout=60).stdout


def said(client: BlockingKernelClient, code: str) -> str:
    """What code in a kernel prints; an error in it is the test's."""
    heard: list[str] = []

    def hear(message: dict[str, dict[str, object]]) -> None:
        heard.append(str(message["content"].get("text") or message["content"].get("traceback") or ""))

    reply = client.execute_interactive(code, timeout=60, output_hook=hear)
    assert reply["content"]["status"] == "ok", heard
    return "".join(heard).strip()


def test_the_engine_answers(box: Box) -> None:
    assert box.docker.ping()


def test_a_page_is_reached_by_its_address(app: str) -> None:
    answer = requests.get(app, headers={"X-Request-Id": "mine"}, timeout=PROMPT_S)
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (200, "mine")
    assert "version: v1" in answer.text


@pytest.mark.above
@pytest.mark.parametrize("given", [None, ("box", "wrong"), ("box", "")])
def test_nobody_gets_a_page_without_the_password(box: Box, app: str, given: tuple[str, str] | None) -> None:
    answer = requests.get(without_password(app), auth=given, headers={"X-Request-Id": "uninvited"}, timeout=PROMPT_S)
    assert answer.status_code == 401
    assert "version" not in answer.text
    assert "X-Request-Id" not in answer.headers
    assert b"uninvited" not in box.docker.containers.get(APP).logs()


@pytest.mark.above
def test_the_app_does_not_see_the_password(box: Box, app: str) -> None:
    password = app.partition("box:")[2].partition("@")[0]
    listen = "socat -u TCP-LISTEN:9090,reuseaddr CREATE:/root/heard"
    box.sh(f"nohup {listen} >/dev/null 2>&1 </dev/null & until ss -ltn | grep -q :9090; do sleep 0.1; done")
    with pytest.raises(requests.ReadTimeout):
        requests.get(box.url(9090), timeout=1)
    heard = box.sh("cat /root/heard", check=True).stdout
    assert "GET / HTTP/1.1" in heard
    assert password not in heard
    assert "Authorization" not in heard


@pytest.mark.above
def test_a_port_keeps_its_address(box: Box, app: str) -> None:
    assert box.url(PORT) == app
    assert box.url(PORT + 1) != app


@pytest.mark.above
def test_a_port_where_nothing_listens_does_not_answer(box: Box) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(box.url(9), timeout=PROMPT_S)


@pytest.mark.above
@pytest.mark.parametrize("port", [0, -1, 1 << 16])
def test_a_port_that_can_not_be_is_refused(box: Box, port: int) -> None:
    with pytest.raises(CourseError, match=f"no port {port}"):
        box.url(port)


@pytest.mark.above
def test_slow_pages_do_not_wait_for_each_other(app: str) -> None:
    began = time.monotonic()
    with ExitStack() as open_connections:
        asked = [open_connections.enter_context(socket.create_connection(("127.0.0.1", port_of(app)))) for _ in range(5)]
        for connection in asked:
            connection.sendall(request_of(app, "/slow?s=3"))
        assert [connection.recv(12) for connection in asked] == [b"HTTP/1.1 200"] * 5
    assert time.monotonic() - began < 10


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def request_of(address: str, path: str) -> bytes:
    """A request as it goes over the wire, password included."""
    prepared = requests.Session().prepare_request(requests.Request("GET", address + path, headers={"Host": "box"}))
    return (
        f"GET {path} HTTP/1.1\r\n".encode() + b"".join(f"{name}: {text}\r\n".encode() for name, text in prepared.headers.items()) + b"\r\n"
    )


def test_a_shell_gives_code_and_both_outputs(box: Box) -> None:
    result = box.sh("echo out; echo err >&2; exit 3")
    assert (result.code, result.stdout, result.stderr) == (3, "out\n", "err\n")


@pytest.mark.above
def test_a_shell_takes_a_whole_script(box: Box) -> None:
    script = """
    # quotes of all kinds, and a here-document
    name='wörld "$HOME" `x`'
    for i in $(seq 2); do
        printf '%s %s\\n' "$i" "$name"
    done
    cat <<'END'
    $name \\ ☸
END
    """
    assert box.sh(script, check=True).stdout == '1 wörld "$HOME" `x`\n2 wörld "$HOME" `x`\n    $name \\ ☸\n'


@pytest.mark.above
def test_a_shell_has_files_for_what_it_reads_and_says(box: Box) -> None:
    assert box.sh("cat <(echo one) /dev/stdin; echo three > /dev/stderr", stdin=b"two\n") == Result(0, "one\ntwo\n", "three\n")


@pytest.mark.above
def test_a_shell_says_a_lot(box: Box) -> None:
    assert box.sh("seq 200000").stdout == "".join(f"{number}\n" for number in range(1, 200001))


@pytest.mark.above
def test_a_shell_reads(box: Box) -> None:
    data = os.urandom(1 << 20)
    assert box.sh("sha256sum", stdin=data).stdout.split()[0] == hashlib.sha256(data).hexdigest()
    assert box.sh("cat").stdout == ""


@pytest.mark.parametrize("command", ["sleep 54321", "trap '' TERM; sleep 54321; sleep 54321"])
def test_a_command_that_takes_too_long_is_ended_on_the_box_too(box: Box, command: str) -> None:
    with pytest.raises(WaitTimeout, match="longer than 1 s"):
        box.sh(f"echo begun; {command}", timeout=1)
    assert box.sh("pgrep -af 'sleep 5432[1]'").stdout == ""


@pytest.mark.above
def test_a_failure_is_an_error_where_that_was_asked_for(box: Box) -> None:
    with pytest.raises(CourseError) as raised:
        box.sh("echo no such luck >&2; exit 7", check=True)
    assert "7" in raised.value.what
    assert "no such luck" in raised.value.why


def test_files_and_directories_go_there_and_back(box: Box, tmp_path: Path) -> None:
    tree = tmp_path / "a tree"
    (tree / "empty").mkdir(parents=True)
    (tree / "ünder" / "__pycache__").mkdir(parents=True)
    (tree / "ünder" / "__pycache__" / "x.pyc").touch()
    (tree / "ünder" / "it's.sh").write_text("#!/bin/sh\necho run\n")
    (tree / "ünder" / "it's.sh").chmod(0o755)
    (tree / "big").write_bytes(os.urandom(5_000_000))
    box.put(tree, "/root/some where/new name")
    assert (
        box.sh("stat -c %U:%G '/root/some where/new name/big'; '/root/some where/new name/ünder/it'\\''s.sh'").stdout == "root:root\nrun\n"
    )
    box.get("/root/some where/new name", tmp_path / "back")
    found = {path.relative_to(tmp_path / "back"): path for path in (tmp_path / "back").rglob("*")}
    assert {str(name) for name in found} == {"big", "empty", "ünder", "ünder/it's.sh"}
    assert (tmp_path / "back/big").read_bytes() == (tree / "big").read_bytes()
    assert os.access(tmp_path / "back/ünder/it's.sh", os.X_OK)
    box.get("/root/some where/new name/ünder/it's.sh", tmp_path / "deep/er/one.sh")
    assert (tmp_path / "deep/er/one.sh").read_text() == "#!/bin/sh\necho run\n"


@pytest.mark.above
def test_a_missing_file_is_named(box: Box, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"no file .*nowhere"):
        box.put(tmp_path / "nowhere", "/root/x")
    with pytest.raises(CourseError, match="/root/nowhere") as raised:
        box.get("/root/nowhere", tmp_path / "x")
    assert "No such file" in raised.value.why
    assert not (tmp_path / "x").exists()


@pytest.mark.above
def test_a_file_in_the_way_is_named(box: Box, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CourseError, match="/etc/hostname/x"):
        box.put(tmp_path / "file", "/etc/hostname/x")
    with pytest.raises(CourseError, match="file"):
        box.get("/etc/hostname", tmp_path / "file/x")


def hostile_tar() -> bytes:
    """What a box could send to harm the computer that it runs on."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for kind, target in ((tarfile.SYMTYPE, "/etc"), (tarfile.LNKTYPE, "/etc/passwd"), (tarfile.FIFOTYPE, ""), (tarfile.CHRTYPE, "")):
            member = tarfile.TarInfo(f"x/{kind.decode()}")
            member.type, member.linkname = kind, target
            tar.addfile(member)
        for name in ("/absolute", f"x/{tarfile.SYMTYPE.decode()}/through", "x/setuid"):
            member = tarfile.TarInfo(name)
            member.size, member.mode = 4, 0o6777
            tar.addfile(member, io.BytesIO(b"evil"))
    return packed.getvalue()


@pytest.fixture
def hostile(box: Box) -> Iterator[Box]:
    """A box whose ``tar`` is not one."""
    script = "mkdir -p /usr/local/bin; cd /usr/local/bin; cat > tar; chmod +x tar"
    box.sh(script, stdin=b"#!/bin/sh\ncat /root/evil.tar\n", check=True)
    box.sh("cat > /root/evil.tar", stdin=hostile_tar())
    yield box
    box.sh("rm /usr/local/bin/tar /root/evil.tar")


@pytest.mark.above
def test_a_hostile_box_writes_nothing_outside(hostile: Box, tmp_path: Path) -> None:
    hostile.get("/root/x", tmp_path / "in" / "x")
    assert [path for path in tmp_path.iterdir() if path.name != "in"] == []
    written = [path for path in (tmp_path / "in").rglob("*") if not path.is_dir()]
    assert written
    assert all(path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1 for path in written)
    assert all(path.stat().st_mode & 0o7022 == 0 for path in written)
    assert not Path("/etc/through").exists()


@pytest.mark.above
def test_a_name_that_climbs_out_is_refused(hostile: Box, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("x/../../climbed"))
    hostile.sh("cat > /root/evil.tar", stdin=packed.getvalue())
    with pytest.raises(CourseError, match="leads elsewhere"):
        hostile.get("/root/x", tmp_path / "in" / "x")
    assert not (tmp_path / "climbed").exists()


@pytest.mark.above
def test_the_docker_command_works_on_the_box(docker_cli: list[str], app: str) -> None:
    assert app
    assert APP in run([*docker_cli, "ps", "--format", "{{.Names}}"]).decode()
    assert run([*docker_cli, "exec", "-i", APP, "cat"], b"half\nclosed") == b"half\nclosed"


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_an_engine_may_be_reached_by_ssh(running: Running, box: Box, tmp_path: Path) -> None:
    (tmp_path / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {box.ssh[2]} "$@"\n')
    (tmp_path / "ssh").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = course("doctor", "--json", env=running.environment | {"PATH": path, "DOCKER_HOST": "ssh://root@box"})
    found = {finding["name"]: finding["found"] for finding in json.loads(done.out)}
    assert found["a Docker Engine, for the container backend"] == f"version {box.status().engine_version} at ssh://root@box"


def test_following_a_log_can_be_cut(docker_cli: list[str], app: str) -> None:
    for number in range(3):
        with subprocess.Popen([*docker_cli, "logs", "-f", APP], stdout=subprocess.PIPE) as follower:
            assert follower.stdout
            until("a line in the log", lambda number=number: requests.get(f"{app}/line-{number}", timeout=PROMPT_S).status_code == 404)
            assert any(f"/line-{number}".encode() in line for line in follower.stdout)
            follower.kill()
    assert run([*docker_cli, "exec", APP, "echo", "still there"]) == b"still there\n"


@pytest.mark.above
def test_who_does_not_read_holds_up_nobody(box: Box, docker_cli: list[str], app: str) -> None:
    with ExitStack() as unread:
        for _ in range(5):
            events = unread.enter_context(socket.socket(socket.AF_UNIX))
            events.connect(box.docker_host.removeprefix("unix://"))
            events.sendall(b"GET /v1.45/events HTTP/1.1\r\nHost: box\r\n\r\n")
        flood = unread.enter_context(subprocess.Popen([*docker_cli, "exec", APP, "yes", "unread"], stdout=subprocess.PIPE))
        assert flood.stdout
        assert flood.stdout.read(1 << 20)
        began = time.monotonic()
        assert box.docker.ping()
        assert box.sh("echo quick").stdout == "quick\n"
        assert requests.get(app, timeout=PROMPT_S).status_code == 200
        assert time.monotonic() - began < PROMPT_S
        flood.kill()
    box.sh("pkill -x yes")


def test_a_kernel_runs_inside(box: Box, app: str) -> None:
    assert app
    with box.kernel() as client:
        assert said(client, "import os; print(os.uname().nodename)") == box.status().name
        code = "from lab import connect; box = connect(); print([found.name for found in box.docker.containers.list()])"
        assert APP in said(client, code)
        assert said(client, "print(box.sh('echo $((6 * 7))'))") == "42"
        assert "version: v1" in said(client, f"import urllib.request as r; print(r.urlopen(box.url({PORT})).read().decode())")
    until("the kernel's end", lambda: not kernels(box))


@pytest.mark.above
def test_a_kernel_starts_where_it_is_told_to(box: Box) -> None:
    with box.kernel(cwd="/var/tmp") as client:
        assert said(client, "import os; print(os.getcwd())") == "/var/tmp"


def test_a_kernel_that_can_t_start_says_why(box: Box) -> None:
    with pytest.raises(CourseError, match="No such file or directory: '/nowhere'"), box.kernel(cwd="/nowhere"):
        pass


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_a_kernel_is_waited_for_while_the_box_warms_it(box: Box) -> None:
    box.sh("pkill -f zygote.py; rm /run/course/kernels.sock")
    with box.kernel() as client:
        assert said(client, "print('warm')") == "warm"


@pytest.mark.above
def test_each_kernel_has_a_key_of_its_own(box: Box) -> None:
    with box.kernel() as one, box.kernel() as two:
        assert one.session.key != two.session.key
        assert len(kernels(box)) == 2
        said(one, "mine = 1")
        assert said(two, "print('mine' in globals())") == "False"
    until("the kernels' end", lambda: not kernels(box))


@pytest.mark.above
def test_a_kernel_that_crashed_is_an_end_like_any_other(box: Box) -> None:
    with box.kernel() as client:
        client.execute("import os; os._exit(1)")
        until("the kernel's end", lambda: not kernels(box))
    with box.kernel() as client:
        assert said(client, "print('again')") == "again"


def test_up_again_is_the_same_box(running: Running, box: Box) -> None:
    box.sh("touch /root/mine")
    began = time.monotonic()
    again = lifecycle.up(running.backend, installation=running.installation)
    assert time.monotonic() - began < 1
    assert again.status().name == box.status().name
    assert connect().sh("ls /root/mine").code == 0


def test_an_agent_that_was_killed_comes_back(box: Box) -> None:
    box.sh("touch /root/before; (sleep 0.5; pkill -f ^/usr/bin/python3.*/agent.py) > /dev/null 2>&1 < /dev/null &")
    until("the agent's end", lambda: not answers(box), timeout_s=10)
    until("the box", lambda: answers(connect()))
    assert connect().sh("ls /root/before").code == 0
    assert box.docker.ping()


def answers(box: Box) -> bool:
    try:
        box._access.ping()
    except OSError:
        return False
    return True


def test_a_relay_that_was_killed_is_mended(running: Running, box: Box, app: str) -> None:
    record = box_record(running.installation)
    assert record
    os.kill(record.launched.relay.pid, signal.SIGKILL)
    until("the relay's end", lambda: not record.launched.relay.alive)
    mended = lifecycle.current(running.installation)
    assert mended.status().name == record.name
    assert mended.sh("echo here").stdout == "here\n"
    assert box.docker.containers.get(APP).status == "running"
    assert mended.url(PORT) != app
    assert requests.get(mended.url(PORT), timeout=PROMPT_S).status_code == 200


def test_a_reset_gives_a_pristine_box_under_the_same_name_in_python(box: Box, app: str) -> None:
    assert app
    old = box.status().name
    box.sh("touch /root/mine")
    box.reset()
    assert box.status().name != old
    assert box.docker.containers.list(all=True) == []
    assert {tag for image in box.docker.images.list() for tag in image.tags} >= {"app:v1", "base:latest", "tools:latest"}
    assert box.sh("ls -A /root/mine").code != 0
    assert box.sh("hostname").stdout.strip() == box.status().name
    with pytest.raises(requests.RequestException):
        requests.get(app, timeout=PROMPT_S)
    with box.kernel() as client:
        assert said(client, "print(1)") == "1"


@pytest.mark.full
def test_two_resets_in_a_row(box: Box) -> None:
    box.reset()
    first = box.status().name
    box.reset()
    assert box.status().name != first
    assert box.sh("echo quick").stdout == "quick\n"
    assert box.docker.ping()


def test_no_output_of_a_command_in_a_container_is_lost(fresh: Box) -> None:
    container = fresh.docker.containers.run("app:v1", detach=True)
    said = [container.exec_run(["echo", str(number)]) for number in range(60 if fresh.status().backend == "container" else 6)]
    assert [(done.exit_code, done.output) for done in said] == [(0, f"{number}\n".encode()) for number in range(len(said))]
    (out, err) = container.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True).output
    assert (out, err) == (b"out\n", b"err\n")
    container.remove(force=True)

"""A box behaves like the machine in the textbook: what people paste there works, or fails at once with a sentence."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator

import pytest

from lab import magics
from lab.box import connect, machines
from lab.box.instances.box import Box
from lab.box.machine import command
from lab.box.machine.command import Request
from tests.conftest import Running
from tests.support.course import course

RESOLVER_S = 5.0
"""Seconds that a resolver waits for one answer: whatever takes less has not waited."""
ASK = (
    "python3 -c \"import socket, time\nfor name in ('nosuch', 'nosuch.example.com', 'nosuch') * 3:\n  began = time.monotonic()\n"
    '  try: socket.getaddrinfo(name, 80)\n  except OSError: print(time.monotonic() - began)"'
)
"""More often than a kernel tells one and the same asker, by default, that nobody is there."""
WHERE = {
    "on the box": "sh /tmp/ask",
    "in a container": "docker run --rm -i --entrypoint sh app:v1 < /tmp/ask",
    "in a network with names": "docker run --rm -i --network asking --entrypoint sh app:v1 < /tmp/ask",
    "in a network that leads nowhere": "docker run --rm -i --network inside --entrypoint sh app:v1 < /tmp/ask",
}
TOOLS = (
    "arp arptables autossh brctl conntrack curl dig dnsmasq ebtables ifconfig ipset iptables ipvsadm jq lsof nawk nc netcat netstat nft "
    "nsenter pico pstree route socat sudo systemctl tcpdump"
)


@pytest.fixture
def asking(box: Box) -> Iterator[None]:
    box.sh(f"cat > /tmp/ask <<'END'\n{ASK}\nEND\ndocker network create asking; docker network create --internal inside", check=True)
    yield
    box.sh("rm /tmp/ask; docker network rm asking inside", check=True)


@pytest.mark.usefixtures("asking")
@pytest.mark.parametrize("where", WHERE)
def test_a_name_that_nobody_has_fails_at_once(box: Box, where: str) -> None:
    took = [float(line) for line in box.sh(WHERE[where], check=True).stdout.split()]
    assert len(took) == 9
    assert max(took) < RESOLVER_S / 2


def test_an_address_that_nobody_has_fails_at_once(box: Box) -> None:
    began = time.monotonic()
    done = box.sh("curl -sS http://192.0.2.7/; docker pull nosuch.example.com/nginx")
    assert done.code == 1
    assert "Could not connect to server" in done.stderr
    assert "connection refused" in done.stderr
    assert time.monotonic() - began < 2 * RESOLVER_S


@pytest.mark.above
def test_a_machine_routes_to_the_containers_of_another(box: Box) -> None:
    far = machines.create("far")
    try:
        network = "docker network create --subnet 172.29.0.0/16 behind && docker run -d --network behind --ip 172.29.0.5 app:v1"
        address = far.sh(f"{network} > /dev/null && hostname -i", check=True).stdout.split()[-1]
        there = f"ip route add 172.29.0.0/16 via {address} && curl -sS --retry 9 --retry-connrefused http://172.29.0.5:8080/"
        done = box.sh(f"{there}; code=$?; ip route delete 172.29.0.0/16; exit $code")
    finally:
        machines.delete("far")
    assert "greeting: Hello, world." in done.stdout, done


def test_what_tutorials_take_for_granted_is_there(box: Box) -> None:
    assert box.sh(f"for tool in {TOOLS}; do command -v $tool > /dev/null || echo $tool; done").stdout == ""


def test_programs_find_the_accounts_that_they_run_as(box: Box) -> None:
    done = box.sh("(sleep 1; ping -qc1 127.0.0.1 > /dev/null) & tcpdump -c1 -ni lo icmp; su nobody -s /bin/sh -c id; sudo -u nobody id -un")
    assert done.code == 0, done
    assert "1 packet captured" in done.stderr
    assert done.stdout.endswith("uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)\nnobody\n")


def test_sudo_runs_what_root_would_run(box: Box) -> None:
    done = box.sh("sudo -E GREETING=hello sh -c 'echo $GREETING $(id -un)'; sudo -v; echo line | sudo tee -a /tmp/sudo; rm /tmp/sudo")
    assert done.stdout == "hello root\nline\n"


def test_who_asks_for_systemd_is_told_what_to_type(box: Box) -> None:
    done = box.sh("systemctl restart docker")
    assert done.code == 1
    assert "killall dockerd" in done.stderr


def test_localhost_has_both_its_addresses(box: Box) -> None:
    done = box.sh("getent ahosts localhost; ping -qc1 ::1")
    assert done.code == 0, done
    assert {"::1", "127.0.0.1"} <= set(done.stdout.split())


def test_a_virtual_address_is_reached_from_the_box_itself(box: Box) -> None:
    rule = "OUTPUT -d 10.96.0.10 -p tcp --dport 80 -j DNAT --to-destination"
    server = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8099, bind='127.0.0.1')"
    done = box.sh(
        f'cd /srv; python3 -c "{server}" > /dev/null 2>&1 & server=$!\n'
        f"iptables -t nat -A {rule} 127.0.0.1:8099\n"
        "curl -s --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8099/ > /dev/null\n"
        "curl -s -o /dev/null -w '%{http_code}' http://10.96.0.10/\n"
        f"iptables -t nat -D {rule} 127.0.0.1:8099; kill $server"
    )
    assert done.stdout == "200", done


def test_what_a_shared_kernel_lacks_is_said(running: Running, box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    magics.run(magics.Request("ip link add none type nosuchkind"), {})
    hint = "One with its own: course up --backend microvm"
    assert (hint in capsys.readouterr().out) == (not box.own_kernel)
    named = [finding for finding in json.loads(course("doctor", "--json", env=running.environment).out) if "shares" in finding["name"]]
    assert len(named) == (not box.own_kernel)
    if named:
        lacking = box.sh("ip link add nosuch type dummy && ip link delete nosuch").code != 0
        assert ("it has no" in named[0]["found"] and "dummy" in named[0]["found"]) == lacking, named


def test_a_login_shell_has_a_prompt_and_completes(box: Box) -> None:
    shell = "echo ${PS1@P} $(complete -p -D); _first_completion; echo $?; complete -p -D"
    done = box.sh(f"bash -lic '{shell}' 2>/dev/null")
    first, code, then = done.stdout.splitlines()
    assert re.fullmatch(r"box-[0-9a-f]{4}:~# complete -F _first_completion -D", first), done
    assert code == "124"
    assert "complete -F" in then
    assert "_first_completion" not in then


def test_what_ends_all_python_does_not_end_the_course(box: Box) -> None:
    done = box.sh("sleep 0.1; killall python3; pkill python3; echo still here")
    assert done.stdout == "still here\n"


def test_what_a_cell_leaves_in_the_background_stays(box: Box) -> None:
    assert box.sh("sleep 4321 & echo started").stdout == "started\n"
    assert box.sh("pkill -f 'sleep 4321'").code == 0


def test_a_command_is_heard_as_it_speaks(box: Box) -> None:
    heard: list[float] = []
    script = "python3 -c 'import time; print(1); time.sleep(1); print(2)'"
    box.stream(Request(script, 60), lambda *_: heard.append(time.monotonic()))
    assert heard[-1] - heard[0] > 0.5


def test_an_interrupt_reaches_the_command(box: Box) -> None:
    heard = bytearray()

    def show(_: str, said: bytes) -> None:
        heard.extend(said)
        if said == b"here\n":
            raise KeyboardInterrupt  # as if it was pressed now

    with pytest.raises(KeyboardInterrupt):
        command.run(box.ask_for_command(), Request("trap 'echo tidy; exit' INT; echo here; while :; do sleep 0.1; done", 99), show)
    assert heard == b"here\ntidy\n"


def test_a_long_script_and_much_input_and_output(box: Box) -> None:
    data = bytes(range(256)) * 4000
    done = box.sh("# " + "x" * 200_000 + "\nsha256sum | cut -c1-8; head -c 1000000 /dev/zero | tr '\\0' y", stdin=data)
    assert done.stdout == hashlib.sha256(data).hexdigest()[:8] + "\n" + "y" * 1_000_000


def test_code_inside_the_box_runs_commands_too(box: Box) -> None:
    assert box.sh("test -S /run/course/command.sock && stat -c %a /run/course/command.sock").stdout == "600\n"


@pytest.mark.full
def test_a_shell_on_another_machine(running: Running, box: Box) -> None:
    machines.create("web-1")
    try:
        done = course("shell", "web-1", env=running.environment, stdin="hostname; exit\n")
        assert "web-1" in done.out
        assert "web-9" in course("shell", "web-9", env=running.environment).err
    finally:
        machines.delete("web-1")
    assert box.sh("true").code == 0


@pytest.mark.full
@pytest.mark.usefixtures("box")
def test_a_box_that_a_cell_shuts_down_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    magics.run(magics.Request("echo here; kill 1; sleep 30"), {})
    said = capsys.readouterr().out
    assert said.startswith("here\nYour box was shut down while this cell ran. A new one is started; what was on the old one is gone.\n")
    assert connect().sh("echo back").stdout == "back\n"

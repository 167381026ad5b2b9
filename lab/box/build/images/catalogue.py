"""What is in each of the course's images.

::

    pause       catatonit and nothing else
    base        a shell and Python
     ├─ app     the web server, as v1, v2 and broken: one layer, three configurations
     └─ tls     (a layer, not an image)
         ├─ proxy   HAProxy
         └─ tools   to look around with: curl, dig, ip, ss, iptables, socat, strace

Each line is a layer, stored once.  Dependencies are named by hand: a package's own list also brings what the images do without.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from lab.box.build.images import interpreter
from lab.box.build.images.archive import Entry, Image, Layer, directory, file, link
from lab.box.build.images.debs import run, unpack

HERE = Path(__file__).parent

PACKAGES = ("bind9-dnsutils", "busybox-static", "catatonit", "curl", "haproxy", "iproute2", "iptables", "python3", "socat", "strace")
"""What the box's recipe must fetch, dependencies included, so that the images can be made."""

SYSTEM = ("base-files", "netbase", "busybox-static", "libc6", "libgcc-s1")
PYTHON = ("zlib1g", "libexpat1", "libpython3.13-minimal", "python3.13-minimal", "libpython3.13-stdlib")
TLS = ("libssl3t64", "libzstd1")
PROXY = (
    "haproxy", "libcrypt1", "libjemalloc2", "liblua5.4-0", "libopentracing-c-wrapper0t64", "libopentracing1", "libpcre2-8-0", "libstdc++6",
)  # fmt: skip
CURL = (
    "curl", "libcurl4t64", "libbrotli1", "libidn2-0", "libunistring5", "libldap2", "libsasl2-2", "libnghttp2-14", "libnghttp3-9",
    "libpsl5t64", "librtmp1", "libgnutls30t64", "libhogweed6t64", "libnettle8t64", "libgmp10", "libp11-kit0", "libffi8", "libtasn1-6",
    "libssh2-1t64", "libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libkrb5support0", "libcom-err2", "libkeyutils1",
)  # fmt: skip
DIG = (
    "bind9-dnsutils", "bind9-host", "bind9-libs", "libedit2", "libbsd0", "libmd0", "libtinfo6", "libjemalloc2", "libstdc++6", "libfstrm0",
    "libjson-c5", "liblmdb0", "libmaxminddb0", "libprotobuf-c1", "liburcu8t64", "libuv1t64", "libxml2", "liblzma5",
)  # fmt: skip
IP = ("iproute2", "libbpf1", "libcap2", "libelf1t64", "libmnl0", "libselinux1", "libpcre2-8-0", "libtirpc3t64")
IPTABLES = ("iptables", "libip4tc2", "libip6tc2", "libxtables12", "libnetfilter-conntrack3", "libnfnetlink0", "libnftnl11")
TOOLS = ("catatonit", "bash", *CURL, *DIG, *IP, *IPTABLES, "socat", "libwrap0", "strace", "libunwind8")

DROP = (
    "usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/", "usr/share/bug/",
    "usr/share/common-licenses/", "usr/share/base-files/", "usr/share/initramfs-tools/", "usr/share/bash-completion/", "usr/share/zsh/",
    "usr/share/fish/", "usr/share/binfmts/", "usr/share/apport/", "usr/share/vim/", "usr/lib/systemd/", "usr/lib/tmpfiles.d/",
    "usr/include/", "usr/src/", "usr/games/", "usr/libexec/podman/", "usr/lib/x86_64-linux-gnu/gconv/",
    "usr/lib/x86_64-linux-gnu/engines-3/", "boot/", "etc/init.d/", "etc/default/", "etc/dpkg/", "etc/haproxy/", "etc/python3.13/",
    "etc/update-motd.d/", "etc/logrotate.d/", "etc/rsyslog.d/", "etc/skel/", "var/run/", "var/lock/", "usr/sbin/arpd/",
)  # fmt: skip
"""Documentation, what only an installed system uses, settings that the course brings itself, and arpd, which needs one more library."""

ACCOUNTS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"
NAME_SERVICE = "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"
LEGACY = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")
SERVE = ("python3", "-I", "-S", "/srv/app/server.py")
APPS = {
    "v1": {"VERSION": "v1", "GREETING": "Hello, world."},
    "v2": {"VERSION": "v2", "GREETING": "Hello, brave new world!"},
    "broken": {"VERSION": "broken", "GREETING": "Nobody should see this.", "READY": "never"},
}
"""The three versions of the app differ in their environment alone."""


def images(debs: Path, version: str) -> list[Image]:
    """All images of the course.

    Args:
        debs: directory of Debian packages.
        version: of the course; the images carry it in a label.

    Raises:
        BuildError: a package is missing, or the image's Python can't be run here.
    """
    system = _system(debs)
    python = unpack(debs, PYTHON, DROP + interpreter.DROP)
    pause = Layer("catatonit, as /pause", {"pause": unpack(debs, ["catatonit"])["usr/bin/catatonit"]})
    base = [
        Layer(f"Debian packages {' '.join(SYSTEM)}", system),
        Layer(f"Debian packages {' '.join(PYTHON)}", interpreter.compiled(python, system) | {"usr/bin/python3": link(interpreter.PYTHON)}),
    ]
    app = Layer("COPY server.py /srv/app/", {"srv/app/server.py": file((HERE / "app/server.py").read_bytes())})
    tls = Layer(f"Debian packages {' '.join(TLS)}", unpack(debs, TLS, DROP))
    settings = {"etc/haproxy/haproxy.cfg": file((HERE / "proxy/haproxy.cfg").read_bytes())}
    proxy = Layer(f"Debian packages {' '.join(PROXY)}", unpack(debs, PROXY, DROP) | settings)
    # BusyBox's shell prefers its own ip and nslookup to programs of that name, so bash is the shell where those matter.
    shell = {"usr/bin/sh": link("bash")}
    legacy = {f"usr/sbin/{name}": link(name.replace("tables", "tables-legacy")) for name in LEGACY}
    tools = Layer(f"Debian packages {' '.join(TOOLS)}", unpack(debs, TOOLS, DROP) | shell | legacy)
    return [
        Image("pause:latest", [pause], ["/pause", "-P"], labels=_labels("pause", version)),
        Image("base:latest", base, ["sh"], labels=_labels("base", version)),
        *(Image(f"app:{tag}", [*base, app], SERVE, env, 8080, labels=_labels("app", tag)) for tag, env in APPS.items()),
        Image(
            "proxy:latest", [*base, tls, proxy], ["haproxy", "-f", "/etc/haproxy/haproxy.cfg"], {"UPSTREAM": "app:8080"}, 8080,
            stop_signal="SIGUSR1", labels=_labels("proxy", version),
        ),
        Image("tools:latest", [*base, tls, tools], ["catatonit", "-P"], labels=_labels("tools", version)),
    ]  # fmt: skip


def _system(debs: Path) -> dict[str, Entry]:
    """A root file system with a shell: what the packages hold, and what their scripts would have made."""
    tree = unpack(debs, SYSTEM, DROP)
    busybox = unpack(debs, ["busybox-static"])["usr/bin/busybox"]
    tree |= {f"usr/bin/{applet}": link("busybox") for applet in _applets(busybox) if f"usr/bin/{applet}" not in tree}
    return tree | {
        "etc/passwd": file(ACCOUNTS), "etc/group": file(GROUPS), "etc/nsswitch.conf": file(NAME_SERVICE),
        "tmp": directory(0o1777), "var/tmp": directory(0o1777), "var/run": link("/run"), "var/lock": link("/run/lock"),
    }  # fmt: skip


def _applets(busybox: Entry) -> list[str]:
    """The names that BusyBox goes by; it knows them itself."""
    with tempfile.TemporaryDirectory(prefix="course-busybox-") as scratch:
        program = Path(scratch) / "busybox"
        program.write_bytes(busybox.data)
        program.chmod(0o755)
        return run(program, "--list").decode().split()


def _labels(title: str, version: str) -> dict[str, str]:
    return {"org.opencontainers.image.title": title, "org.opencontainers.image.version": version}

"""From unpacked packages to a root file system, a disk and an initramfs, without any privilege.

Nothing in the packages is *configured* when they are only unpacked, and running their maintainer scripts in an emulated machine would take
ten minutes.  A box needs few of those steps, so they are done here by hand: accounts, name service, certificates, alternatives, the
linker's cache, compiled Python.  Programs of the new file system that are needed for it run on the builder's computer through their own
dynamic linker.

Two computers that build one recipe from the same packages get the same disk, byte for byte: a saved machine remembers what it has read of
its disk, and goes on only where it finds the same.
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import subprocess
from pathlib import Path

from lab.box.build import recipe
from lab.box.build.host_tools import run
from lab.box.build.images.archive import CREATED_S

DISK_UUID = "6b756265-726e-6574-6573-000000000001"
"""Of the disk's file system: any would do, but always the same."""
LINKER = "usr/lib64/ld-linux-x86-64.so.2"
FLAVOURS = {"iptables": "legacy", "ip6tables": "legacy", "arptables": "nft", "ebtables": "nft"}
"""Which of two programs has the name; legacy tables save about a second per emulated container start against iptables-nft."""
ALTERNATIVES = {f"{tool}{part}": f"/usr/sbin/{tool}-{kind}{part}" for tool, kind in FLAVOURS.items() for part in ("", "-save", "-restore")}
FALLBACK_LINKS = {
    "awk": "mawk", "nawk": "mawk", "which": "which.debianutils", "pager": "less", "editor": "nano", "pico": "nano", "vi": "busybox",
    "nc": "nc.openbsd", "netcat": "nc.openbsd",
}  # fmt: skip
SYSTEM_ACCOUNTS = {
    "sshd": "sshd:x:100:65534:sshd user:/run/sshd:/usr/sbin/nologin",
    "haproxy": "haproxy:x:101:102::/var/lib/haproxy:/usr/sbin/nologin",
    "tcpdump": "tcpdump:x:102:103::/nonexistent:/usr/sbin/nologin",
    "dnsmasq": "dnsmasq:x:103:65534:dnsmasq:/var/lib/misc:/usr/sbin/nologin",
}
SYSTEM_GROUPS = {"docker": 101, "haproxy": 102, "tcpdump": 103, "_ssh": 104}
SETTINGS = {
    "etc/profile": "base-files/profile", "etc/motd": "base-files/motd", "root/.profile": "base-files/dot.profile",
    "etc/shells": "debianutils/shells", "etc/inputrc": "readline/inputrc", "etc/ssh/sshd_config": "openssh/sshd_config",
}  # fmt: skip
"""Files that the packages' scripts copy from ``/usr/share``."""
DIRECTORIES = (
    "media", "mnt", "opt", "srv", "usr/local/bin", "usr/local/sbin", "usr/local/share", "var/lib/docker", "var/lib/containerd",
    "var/lib/containers", "var/lib/haproxy", "var/lib/misc", "var/tmp", "etc/ssh",
)  # fmt: skip
IMAGES = "usr/lib/course/images.tar"
"""The course's images, on the disk of a virtual machine; its engine loads them while a template is made."""
COURSE_CODE = "usr/local/lib/course"
"""Where the course's own package goes when a box starts a kernel; empty in the template."""
EXCLUDED_FROM_IMAGES = (
    "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/machine-id", "etc/mtab", "etc/ssh/course_host_key", ".dockerenv", "root/.ssh",
    "root/.bash_history", COURSE_CODE, "var/lib/docker", "var/lib/containerd", "var/lib/containers", "run", "tmp", "dev", "proc", "sys",
    "usr/lib/modules", "usr/lib/course/docker", IMAGES,
)  # fmt: skip
"""What is a machine's own, or an engine's, or not on its disk: no golden image has it."""
PACKAGES = f"usr/local/lib/python{recipe.PYTHON}/dist-packages"
"""What a learner's kernel has."""
UNNEEDED = (
    f"{PACKAGES}/bin",  # off the PATH, and their first lines name the builder's Python
    f"{PACKAGES}/debugpy",  # the debugger's 150 modules would double a kernel's emulated start
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/lib/systemd",
)


def run_target_program(root: Path, program: str, *arguments: str, name: str = "", env: dict[str, str] | None = None) -> str:
    """Run a program of the new file system on the builder's computer, through its own dynamic linker and libraries."""
    libraries = f"{root}/usr/lib/x86_64-linux-gnu"
    called = ["--argv0", name] if name else []
    return run(root / LINKER, "--library-path", libraries, *called, root / program, *arguments, env=env)


def finish(root: Path, wheels: Path, kernel: Path) -> None:
    """Do by hand what the packages' own scripts would have done.

    Args:
        root: unpacked packages; changed in place.
        wheels: Python packages for the learner's kernel.
        kernel: unpacked kernel package.
    """
    shutil.copytree(wheels, root / PACKAGES, dirs_exist_ok=True, ignore=shutil.ignore_patterns("RECORD"))
    for directory in UNNEEDED:
        shutil.rmtree(root / directory, ignore_errors=True)
    _accounts(root)
    _names_and_links(root)
    _course_files(root)
    shutil.copytree(kernel / "lib/modules", root / "usr/lib/modules", dirs_exist_ok=True)
    release = kernel_release(kernel)
    run_target_program(root, "usr/bin/kmod", "-b", str(root), release, name="depmod")
    run("ldconfig", "-r", root)
    shutil.rmtree(root / "var/cache/ldconfig")  # it knows the builder's inodes
    compile_python(root)
    only_what_everybody_has(root)
    _list_files(root)


def only_what_everybody_has(root: Path) -> None:
    """Take away what only root can unpack, devices and the right to become another user: a box makes the former, and has no other users."""
    shutil.rmtree(root / "dev")
    (root / "dev").mkdir()
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID):
            path.chmod(path.stat().st_mode & 0o777)


def _list_files(root: Path) -> None:
    """Write down all names, in the order of ``LC_ALL=C sort``: what a golden image must remove is found with it."""
    names = [path.relative_to(root) for path in root.rglob("*")]
    listed = sorted(os.fsencode(name) for name in names if not any(name.is_relative_to(own) for own in EXCLUDED_FROM_IMAGES))
    (root / "usr/lib/course/files").write_bytes(b"".join(b"./%s\n" % name for name in listed))


def compile_python(root: Path) -> None:
    """Byte-compile all Python with the box's own interpreter: emulated imports of sources would cost over a minute."""
    python = f"usr/bin/python{recipe.PYTHON}"
    places = [root / "usr/lib" / f"python{recipe.PYTHON}", root / "usr/local/lib", root / "usr/lib/course", root / "usr/lib/python3"]
    run_target_program(
        root, python, "-I", "-B", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", "/",
        "-x", r"/(test|tests|idlelib|lib2to3|bad_coding.*)/", *map(str, places), env={"PYTHONHOME": str(root / "usr")},
    )  # fmt: skip


def _accounts(root: Path) -> None:
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / f"etc/{name}")
    passwd = (root / "etc/passwd").read_text().replace(":*:", ":x:").replace("/root:/bin/sh", "/root:/bin/bash")
    (root / "etc/passwd").write_text(passwd + "\n".join(SYSTEM_ACCOUNTS.values()) + "\n")
    groups = (root / "etc/group").read_text().replace(":*:", ":x:") + "".join(f"{name}:x:{n}:\n" for name, n in SYSTEM_GROUPS.items())
    (root / "etc/group").write_text(groups)
    for public, private, rest in (("passwd", "shadow", "19700:0:99999:7:::"), ("group", "gshadow", ":")):
        names = [line.split(":")[0] for line in (root / "etc" / public).read_text().splitlines()]
        (root / "etc" / private).write_text("".join(f"{name}:*:{rest}\n" for name in names))
        (root / "etc" / private).chmod(0o640)


def _names_and_links(root: Path) -> None:
    shutil.copy(root / "usr/share/libc-bin/nsswitch.conf", root / "etc/nsswitch.conf")
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"".join(path.read_bytes() for path in sorted((root / "usr/share/ca-certificates").rglob("*.crt"))))
    for name, target in ALTERNATIVES.items():
        _link(root / "usr/sbin" / name, target)
    for name, target in FALLBACK_LINKS.items():
        if not (root / "usr/bin" / name).exists() and (root / "usr/bin" / target).is_file():
            _link(root / "usr/bin" / name, target)
    _link(root / "usr/sbin/init", "../bin/busybox")
    for name, target in (("run", "/run"), ("lock", "/run/lock")):
        shutil.rmtree(root / "var" / name, ignore_errors=True)
        _link(root / "var" / name, target)
    (root / "tmp").chmod(0o1777)
    for directory in DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for name, source in SETTINGS.items():
        shutil.copy(root / "usr/share" / source, root / name)
    with (root / "etc/shells").open("a") as shells:
        shells.write("/bin/bash\n/usr/bin/bash\n/usr/bin/dash\n")
    for name in ("environment", "subuid", "subgid"):
        (root / "etc" / name).touch()
    (root / "var/tmp").chmod(0o1777)
    for name, text in (("hostname", "box\n"), ("resolv.conf", ""), ("fstab", "")):
        (root / "etc" / name).unlink(missing_ok=True)  # mmdebstrap copies the builder's
        (root / "etc" / name).write_text(text)


def _course_files(root: Path) -> None:
    programs, settings = root / "usr/lib/course", root / "etc/course"
    programs.mkdir(parents=True)
    settings.mkdir()
    for path in recipe.GUEST.iterdir():
        if path.is_file() and path.name not in ("__init__.py", "requirements.txt", "initramfs-init"):
            _copy(path, programs / path.name)
    for path in (path for path in (recipe.GUEST / "etc").rglob("*") if path.is_file()):
        inside = path.relative_to(recipe.GUEST / "etc")
        _copy(path, (root / "etc" if len(inside.parts) > 1 or path.name == "inittab" else settings) / inside)
    (root / COURSE_CODE).mkdir(parents=True)
    (root / "usr/lib/python3/dist-packages/course.pth").write_text(f"/{COURSE_CODE}\n")
    (settings / "modules").write_text("".join(f"{module}\n" for module in recipe.SERVICE_MODULES))
    _copy(recipe.GUEST / "etc/bashrc", root / "root/.bashrc")
    for name in ("sudo", "systemctl"):
        _copy(recipe.GUEST / "bin" / name, root / "usr/local/bin" / name)
        (root / "usr/local/bin" / name).chmod(0o755)


def _copy(source: Path, target: Path) -> None:
    """Copy a file of ours, whose rights depend on how somebody checked it out."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def kernel_release(kernel: Path) -> str:
    """The version string of the unpacked kernel, such as ``6.1.0-40-cloud-amd64``."""
    return next((kernel / "lib/modules").iterdir()).name


def write_initramfs(root: Path, kernel: Path, scratch: Path, out: Path) -> None:
    """Pack BusyBox, the first modules in the order in which they must be loaded, and the first program into a compressed cpio archive."""
    modules = root / "usr/lib/modules" / kernel_release(kernel)
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[Path(path).name.removesuffix(".ko").replace("-", "_")] = [*reversed(rest.split()), path]
    order = list(dict.fromkeys(path for name in recipe.BOOT_MODULES for path in needs[name.replace("-", "_")]))
    for directory in ("bin", "dev", "lower", "upper", "root", "modules", "proc", "sys"):
        (scratch / directory).mkdir(parents=True)
    shutil.copy(root / "usr/bin/busybox", scratch / "bin/busybox")
    shutil.copy(recipe.GUEST / "initramfs-init", scratch / "init")
    for path in order:
        shutil.copy(modules / path, scratch / "modules")
    (scratch / "modules/order").write_text("".join(f"{Path(path).name}\n" for path in order))
    names = "\0".join(sorted(str(path.relative_to(scratch)) for path in scratch.rglob("*")))
    archive = subprocess.run(
        ["cpio", "--quiet", "-0", "-o", "-H", "newc", "-R", "0:0"], input=names.encode(), cwd=scratch, stdout=subprocess.PIPE, check=True
    ).stdout
    out.write_bytes(gzip.compress(archive, compresslevel=1))


def write_disk(root: Path, out: Path) -> None:
    """Make a read-only image of the file system, everything owned by root and of one time, with nothing mounted."""
    out.unlink(missing_ok=True)
    run("mkfs.erofs", "--quiet", "--all-root", "-x-1", f"-T{CREATED_S}", f"-U{DISK_UUID}", out, root)

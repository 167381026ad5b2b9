"""The image of a session: made by the program that BinderHub runs, on a base of Debian's packages that is made here, without a registry."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

BASE, IMAGE = "debian:bookworm-slim", "course-binder"
SUITE, BUILDX_SUITE = "bookworm", "trixie"
LEFT_OUT = ("doc", "man", "locale")
AUTHORITIES = "/usr/local/share/network-ca.pem"
"""What this computer trusts: a network that inspects traffic brings an authority of its own, which the real base image has no need of."""
PLUGIN = "usr/libexec/docker/cli-plugins/docker-buildx"


def make_base(environment: dict[str, str]) -> None:
    """Give the engine an image like Debian's slim one, under the name that the Dockerfile expects."""
    trusted = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=usr-is-merged"]
    command += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in LEFT_OUT]
    command += [f'--customize-hook=cp {trusted} "$1"{AUTHORITIES}; rm -rf "$1"/var/cache/apt/*.bin "$1"/var/log/*', SUITE, "-"]
    settings = [f"ENV SSL_CERT_FILE={AUTHORITIES}", f"ENV PIP_CERT={AUTHORITIES}", 'CMD ["bash"]']
    changes = [part for setting in settings for part in ("--change", setting)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as bootstrap:
        subprocess.run(["docker", "import", *changes, "-", BASE], stdin=bootstrap.stdout, env=environment, check=True)
    if bootstrap.returncode:
        raise RuntimeError(f"mmdebstrap ended with {bootstrap.returncode}")


def with_buildx(environment: dict[str, str], scratch: Path) -> dict[str, str]:
    """An environment in which ``docker buildx`` works: repo2docker asks for it, and bookworm has no package of it."""
    if not subprocess.run(["docker", "buildx", "version"], env=environment, capture_output=True, check=False).returncode:
        return environment
    command = ["mmdebstrap", "--quiet", "--variant=extract", "--mode=chrootless", "--include=docker-buildx"]
    subprocess.run([*command, BUILDX_SUITE, scratch / "buildx"], check=True, env={**environment, "LC_ALL": "C.UTF-8"})
    plugins = scratch / "docker/cli-plugins"
    plugins.mkdir(parents=True)
    shutil.copy(scratch / "buildx" / PLUGIN, plugins)
    shutil.rmtree(scratch / "buildx")
    return {**environment, "DOCKER_CONFIG": str(scratch / "docker")}


def build(checkout: Path, environment: dict[str, str]) -> None:
    """Build the image as BinderHub does; nothing where it is there already."""
    program = Path(sys.executable).with_name("jupyter-repo2docker")
    command = [program, "--user-id", "1000", "--user-name", "jovyan", "--no-run", "--image-name", IMAGE]
    subprocess.run([*command, checkout], env=environment, check=True)


def environment_of(engine: str) -> dict[str, str]:
    """For programs that speak with an engine."""
    return {**os.environ, "DOCKER_HOST": engine}

"""A Codespace is made of the same image as a session on Binder: what its description names is there."""

from __future__ import annotations

import json
import os
import re
import shlex

from tests.conftest import ROOT

HOME = ROOT / ".devcontainer"
DESCRIPTION = json.loads((HOME / "devcontainer.json").read_text())


def test_it_is_built_from_binders_dockerfile_for_the_user_who_is_in_it() -> None:
    dockerfile = HOME / DESCRIPTION["build"]["dockerfile"]

    assert dockerfile.resolve() == ROOT / "binder/Dockerfile"
    assert (HOME / DESCRIPTION["build"]["context"]).resolve() == ROOT
    assert f"ARG NB_USER={DESCRIPTION['remoteUser']}\n" in dockerfile.read_text()


def test_jupyterlab_is_started_where_it_is_forwarded() -> None:
    _, program, *command = shlex.split(DESCRIPTION["postStartCommand"])

    assert os.access(ROOT / program, os.X_OK)
    (port,) = re.findall(r"--port=(\d+)", " ".join(command))
    assert DESCRIPTION["forwardPorts"] == [int(port)]

"""JupyterLab in a session, as ``course lab`` sets it; whatever starts it there."""

import os
from pathlib import Path

from lab.box.core.installation import Installation
from lab.jupyter.settings import chosen

c = get_config()  # noqa: F821  (traitlets defines it)

checkout, installation = Path(__file__).parents[1], Installation.open()
for kind, settings in chosen(installation, checkout / "notebooks", checkout / "exercises").items():
    c[kind].update(settings)
os.environ["DOCKER_HOST"] = f"unix://{installation.socket_directory('box')}/docker.sock"  # for notebooks, once the box is there

"""``save_button()``: a button that puts what the learner has done into one file, and a link to it."""

from __future__ import annotations

import time
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ipywidgets

from lab.box.errors import CourseError, NotOnThisBackend
from lab.save_file.archive import unused
from lab.save_file.save import Saved, save


class SaveButton(ipywidgets.VBox):  # type: ignore[misc]
    """A button, with a box to tick for the running machine, and what became of it.

    Args:
        folder: that has the notebooks, and gets the file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.button = ipywidgets.Button(description="Save my work", tooltip="Notebooks, predictions and progress, as one file")
        self.with_box = ipywidgets.Checkbox(description="and the running box, some 200 MB", indent=False)
        self._said = ipywidgets.Output()
        self.button.on_click(lambda _: self._save())
        super().__init__([ipywidgets.HBox([self.button, self.with_box]), self._said])

    @property
    def said(self) -> str:
        """What is said below the button, as HTML."""
        return "".join(one["data"]["text/html"] for one in self._said.outputs)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return {**super()._repr_mimebundle_(**options), "text/plain": "To save your work without a browser: course save FILE"}

    def _say(self, html: str) -> None:
        """Show something below the button: as a cell's output, because there JupyterLab knows where a link to a file leads."""
        self._said.outputs = ({"output_type": "display_data", "data": {"text/html": html}, "metadata": {}},)

    def _save(self) -> None:
        self.button.disabled = True
        self._say("Saving …")
        try:
            path = unused(self._folder, f"my-work-{time.strftime('%Y-%m-%d')}", ".zip")
            self._say(_told(save(path, self._folder, box=self.with_box.value)))
        except CourseError as error:
            cure = "untick the box, and save the rest" if isinstance(error, NotOnThisBackend) else error.try_next
            self._say("<br>".join(map(escape, (error.what, error.why, f"Next: {cure}"))))
        finally:
            self.button.disabled = False


def save_button() -> SaveButton:
    """A button that saves the notebooks of this folder, the predictions, the progress and, if wanted, the box; to be a cell's last line."""
    return SaveButton(Path.cwd())


def _told(saved: Saved) -> str:
    name = escape(saved.path.name)
    link = f'<a href="{quote(saved.path.name)}" download>{name}</a>'
    said = f"Saved: {link} ({saved.size_mb:.1f} MB), with {escape(saved.described)}."
    return f"{said}<br>To go on elsewhere: <code>course load {name}</code>"

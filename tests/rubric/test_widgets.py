"""Every widget of the course is known to the rubric, and one without a twin or without keys is found."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import anywidget
import ipywidgets
import pytest

import lab.widgets
from lab.widgets.prompt import PromptWidget
from rubric.widgets import MAKERS, OURS, lacks


def below(widget: type[ipywidgets.Widget]) -> Iterator[type[ipywidgets.Widget]]:
    for one in widget.__subclasses__():
        yield one
        yield from below(one)


def named(widget: type[ipywidgets.Widget]) -> str:
    """Each object of an anywidget has a class of its own, called as the one that was written."""
    return f"{widget.__module__}.{widget.__qualname__}"


def test_every_widget_is_known() -> None:
    for module in iter_modules(lab.widgets.__path__, "lab.widgets."):
        import_module(module.name)
    ours = {named(widget) for widget in below(ipywidgets.Widget) if widget.__module__.startswith(OURS)}
    assert ours - {named(PromptWidget)} == set(map(named, MAKERS.values()))


class Silent(anywidget.AnyWidget):
    """Its only words are its state's."""

    _esm = 'el.append(make("div")); el.onclick = () => model.send({}); export default { render }'


class Reachable(Silent):
    _esm = 'const more = document.createElement("button"); more.onclick = () => model.send({}); export default { render }'


class Said(Silent):
    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": "in words"}


@pytest.mark.parametrize(("widget", "lacking"), [(Silent, ("text twin", "keys")), (Reachable, ("text twin",)), (Said, ("keys",))])
def test_what_a_widget_lacks_is_named(widget: type[ipywidgets.Widget], lacking: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rubric.widgets.OURS", __name__)
    assert lacks(widget) == lacking


@pytest.mark.parametrize("maker", MAKERS)
def test_the_courses_widgets_lack_nothing(maker: str) -> None:
    assert lacks(MAKERS[maker]) == ()

"""What the picture's script does on a page, with a model that is made up: without a notebook, and without a machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from lab.picture.elements import elements
from lab.widgets.topology import HERE, ON_DEMAND
from tests.picture.boxes import drawn, shop
from tests.support.jupyter import chromium
from tests.support.topology import View

SHOW = """async ([source, all]) => {
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' })), handlers = {}, state = { selected: '' };
    const model = {
        get: (name) => state[name], set: (name, value) => { state[name] = value; }, save_changes() {}, send() {},
        on: (event, handler) => { handlers[event] = handler; },
    };
    window.tell = (message) => handlers['msg:custom'](message);
    document.body.replaceChildren();
    (await import(url)).default.render({ model, el: document.body, signal: new AbortController().signal });
    tell(all);
}"""
READY, NOT_READY = "app:v1: 38 ready", "app:v1: 2 not ready"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("page")) as page:
        page.add_style_tag(path=HERE / "topology.css")
        yield page


@pytest.fixture
def view(page: Page) -> View:
    """Forty pods, of which a Service leaves out two, and a proxy."""
    everything = {"t": "all", "revision": 1, "set": list(elements(drawn(shop(("v1", 38, 2)))).values())}
    page.evaluate(SHOW, [(HERE / "topology.js").read_text(), everything])
    return View(page)


def pod(number: int) -> str:
    return f"pod:{f'v1-{number}'.rjust(64, '0')}"


def test_groups_are_folded_until_keys_or_a_click_unfold_them(view: View) -> None:
    pods = view.root.locator(".pod:visible")
    expect(view.named(READY)).to_be_visible()
    expect(pods).to_have_count(0)
    view.named(NOT_READY).focus()
    view.press("ArrowRight")
    expect(pods).to_have_count(2)
    expect(view.named(NOT_READY)).to_have_attribute("aria-expanded", "true")
    view.press("ArrowRight")
    assert view.focused() == "pod web-v1-38"
    view.press("ArrowLeft", "ArrowLeft")
    expect(pods).to_have_count(0)
    assert view.focused() == NOT_READY
    view.named(READY).click()
    expect(pods).to_have_count(38)
    view.press("Enter")
    expect(pods).to_have_count(0)


def test_the_filter_finds_what_is_folded(view: View) -> None:
    view.root.locator(".filter").fill("web-v1-17")
    expect(view.root.locator(".pod:visible")).to_have_count(1)
    view.press("Enter")
    view.press("Escape")
    expect(view.root.locator(".pod:visible")).to_have_count(0)


def test_what_is_left_out_has_a_cross_and_no_line_to_its_service(view: View) -> None:
    assert view.root.locator("path.cross").count() == 1
    view.named(NOT_READY).click()
    expect(view.root.locator("path.cross")).to_have_count(2)


def test_a_pulse_to_a_pod_that_is_folded_goes_from_the_service_to_its_group(page: Page, view: View) -> None:
    page.evaluate("(message) => tell(message)", {"t": "load", "source": ON_DEMAND.read_text()})
    message = {"t": "pulse", "id": pod(1), "way": ["service:box-1/web"], "request": "r1", "failed": False}
    page.evaluate("(message) => tell(message)", message)
    expect(view.named(READY)).to_have_attribute("data-request", "r1")


def test_who_can_connect_is_drawn_for_what_is_selected_and_counted_where_pods_are_folded(page: Page, view: View) -> None:
    page.evaluate("(message) => tell(message)", {"t": "load", "source": ON_DEMAND.read_text()})
    proxy = f"container:{'p' * 64}"
    view.named("proxy").click()
    ways = [[pod(number), True, "8080 yes", True, 1] for number in range(38)] + [[pod(38), True, "8080 silent", False, 1]]
    page.evaluate("(message) => tell(message)", {"t": "reach", "of": proxy, "edges": ways, "words": "can connect to all but one"})
    expect(view.root.locator(".caption")).to_have_text("can connect to all but one")
    expect(view.root.locator(".chip")).to_have_text(["→ 8080 yes x38", "→ 8080 silent"])
    expect(view.root.locator("svg.over path")).to_have_count(1)
    view.press("Escape")
    expect(view.root.locator(".chip")).to_have_count(0)

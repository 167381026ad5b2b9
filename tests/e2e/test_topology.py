"""The live picture in a real JupyterLab, of a real box: what a learner sees while they work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from lab.box.instances.box import Box
from lab.box.wait import wait_for
from lab.observe.namespace import WALLS
from tests.conftest import Running
from tests.support.jupyter import await_kernel, chromium, jupyterlab, open_notebook, run_cell, start_cell
from tests.support.topology import SOON_MS, View, clear, docker, start

NAME = "view.ipynb"
SHOW = "from lab import connect, topology\nbox = connect()\nview = topology(box)\nview"
SCRATCH = 1
"""The cell below the picture, in which everything else is typed."""
PATIENCE_MS = 20_000
THEMES = ("JupyterLab Light", "JupyterLab Dark")
SERIOUS = ("serious", "critical")
SHARE = ("--ipc", "shareable")
EVIL = '<img src=x onerror="window.ran=1"> \'&quot;</script><script>window.ran=1</script> 🐙'
CELLS = """() => [...document.querySelectorAll('.jp-Cell')].map((cell) => [
    cell.matches('.jp-CodeCell'), cell.querySelector('.jp-InputPrompt').innerText, cell.querySelector('.cm-content').textContent])"""
SOMETHING_OF_EACH = """
docker network create front; docker network create back
for n in 1 2 3; do
    port=$([ $n = 3 ] || echo "-p 808$n:8080")
    docker run -d --name web-$n --ipc shareable --label deployment=web --network front --network-alias web $port base sleep 10000 &
done
docker run -d --name db --network back base sleep 10000 &
docker run -d --name probe --network host base sleep 10000 &
docker run -d --name idle --network none base sleep 10000 &
docker run -d --name crash --network none base false &
wait
for n in 1 2 3; do
    docker run -d --name web-$n-log --network container:web-$n --ipc container:web-$n base sleep 10000 &
done
docker pause idle
wait
"""
WATCH_MARKS = """() => {
    window.marks = new Set();
    const watch = new MutationObserver((all) => all.forEach(({ target }) => window.marks.add(target.className)));
    watch.observe(document.querySelector('.kba'), { subtree: true, attributeFilter: ['class'] });
}"""
WATCH_DOTS = """() => {
    window.dots = [];
    const watch = new MutationObserver((all) => window.dots.push(...all.flatMap(({ addedNodes }) => [...addedNodes])));
    watch.observe(document.querySelector('.kba .stage'), { childList: true });
}"""
WAYS = """() => window.dots.map(({ style }) => style.offsetPath.match(/[\\d.]+/g).map(Math.round))"""
TAGS = {"DIV", "SPAN", "B", "PRE", "SVG", "PATH", "INPUT", "BUTTON", "SECTION", "DETAILS", "SUMMARY"}
CORNER = """(el) => {
    const origin = el.closest('.stage').getBoundingClientRect(), { x, y } = el.getBoundingClientRect();
    return [x - origin.x, y - origin.y].map(Math.round);
}"""
MOST_PER_VIEW = 60_000
"""Letters that a picture may add to a notebook which is published."""

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("running", ["container"], indirect=True)]


@dataclass(frozen=True)
class Lab:
    """JupyterLab with a notebook that shows a box."""

    page: Page
    address: str
    notebook: Path
    errors: list[str] = field(default_factory=list)

    def run(self, code: str) -> str:
        return run_cell(self.page, SCRATCH, code)

    def show(self) -> None:
        run_cell(self.page, 0, SHOW)
        expect(View(self.page).badge).to_have_text("● live", timeout=PATIENCE_MS)

    def saved(self, text: str) -> None:
        """Save; fails with a BlockingIOError unless the text is in what was saved."""
        self.page.keyboard.press("Control+s")
        self.page.wait_for_timeout(300)
        if text not in self.notebook.read_text():
            raise BlockingIOError(f"{text!r} is not in the notebook")

    def menu(self, menu: str, *items: str) -> None:
        self.page.click(f'.lm-MenuBar-itemLabel:text-is("{menu}")')
        for item in items:
            self.page.locator(f'.lm-Menu-itemLabel:text-is("{item}")').last.click()


@pytest.fixture(scope="module")
def lab(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    scratch = tmp_path_factory.mktemp("lab")
    (scratch / "source").mkdir()
    _write(scratch / "source" / NAME, "", "")
    with jupyterlab(running.environment, scratch, scratch / "source") as address, chromium(scratch) as page:
        lab = Lab(page, address, scratch / "notebooks" / NAME)
        page.on("pageerror", lambda error: lab.errors.append(f"{error}\n{error.stack}"))
        open_notebook(page, address, NAME)
        lab.show()
        yield lab
        assert [error for error in lab.errors if "blob:" in error] == []  # where anywidget loads ours from


@pytest.fixture
def view(lab: Lab, box: Box) -> Iterator[View]:
    """The picture of an empty box."""
    clear(box)
    view = View(lab.page)
    expect(view.badge).to_have_text("● live", timeout=PATIENCE_MS)
    expect(view.containers).to_have_count(0)
    view.settled()
    yield view
    clear(box)


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program that looks for what is hard to use."""
    home = tmp_path_factory.mktemp("axe")
    try:
        done = subprocess.run(
            ["npm", "install", "--prefix", home, "--no-audit", "--no-fund", "--fetch-retries=0", "axe-core"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"axe-core can't be had from npm: {error}")
    if done.returncode:
        pytest.skip(f"axe-core can't be had from npm: {done.stderr.strip()[-200:]}")
    return (home / "node_modules" / "axe-core" / "axe.min.js").read_text()


def _write(path: Path, *cells: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    nbformat.write(notebook, path)


def _something_of_each(box: Box) -> None:
    """Three pods in a deployment, two networks, a service, published ports, each state, and a container that is open to the box."""
    box.sh(SOMETHING_OF_EACH, check=True)


def test_shows_what_a_cell_and_the_command_line_do(lab: Lab, view: View, box: Box) -> None:
    lab.run("!docker run -d --name one --ipc shareable base sleep 10000")
    view.shows("one")
    start(box, "two", "--network", "container:one", "--ipc", "container:one")
    view.shows("pod one", "one", "two")
    expect(view.named("pod one").locator(".container")).to_have_count(2)
    box.docker.containers.get("two").kill()
    expect(view.says("two")).to_have_text("exited, code 137", timeout=SOON_MS)
    lab.run("box.docker.containers.get('two').remove()")
    view.lacks("pod one", "two")
    view.shows("one")
    docker(box, "pause", "one")
    expect(view.says("one")).to_have_text("paused", timeout=SOON_MS)
    docker(box, "rm", "-f", "one")
    view.lacks("one")
    docker(box, "network", "create", "lonely")
    view.shows("network lonely")


def test_what_stays_never_moves(view: View, box: Box) -> None:
    names = [f"c{number}" for number in range(7)]
    for name in names:
        start(box, name, *SHARE, "--network", "none")
    view.shows(*names)
    view.settled()
    before = view.places()
    assert len({top for _, top, _ in before.values()}) > 1

    def stays(*but: str) -> dict[str, list[float]]:
        view.settled()
        after = view.places()
        kept = set(before) & set(after) - set(but)
        assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
        return after

    docker(box, "rm", "-f", "c2")
    view.lacks("c2")
    stays()
    docker(box, "network", "create", "net")
    start(box, "open", "--network", "net", "-p", "8080:8080")
    view.shows("open", "network net")
    assert stays()["open"] == before["c2"]
    start(box, "beside", "--network", "container:c6", "--ipc", "container:c6")
    view.shows("pod c6")
    assert stays("c6")["pod c6"] == before["c6"]
    docker(box, "rm", "-f", "beside")
    view.lacks("pod c6")
    stays()
    start(box, "copy", "--label", "deployment=copies", "--network", "none")
    view.shows("copy")
    view.settled()
    before = view.places()
    docker(box, "rm", "-f", "c5", "c6")
    view.lacks("c5", "c6")
    stays()
    docker(box, "rm", "-f", "c0", "c1", "c3", "c4", "open")
    view.lacks("c0", "c1", "c3", "c4", "open")
    stays()


def test_walls_are_drawn_as_the_kernel_has_them(view: View, box: Box) -> None:
    first = start(box, "first", *SHARE)
    start(box, "ipc", "--network", "container:first", "--ipc", "container:first")
    start(box, "pid", "--network", "container:first", "--pid", "container:first")
    start(box, "both", "--network", "container:first", "--pid", "container:pid", "--ipc", "container:ipc", "--uts", "host")
    start(box, "open", "--network", "host", "--pid", "host")
    view.shows("pod first", "both", "open")

    above = [_namespaces(box, first)]
    for name in ("ipc", "pid", "both"):
        own = _namespaces(box, name)
        assert view.walls(name) == {kind: all(own[kind] != other[kind] for other in above) for kind in WALLS}, name
        above.append(own)
    expect(view.named("open").locator(".where")).to_contain_text("no wall for net, pid to the box")


def _namespaces(box: Box, container: str) -> dict[str, str]:
    process = docker(box, "inspect", "--format", "{{.State.Pid}}", container)
    return dict(zip(WALLS, box.sh(f"cd /proc/{process}/ns && readlink {' '.join(WALLS)}", check=True).stdout.split(), strict=True))


def test_each_state_has_its_word_and_its_border(view: View, box: Box) -> None:
    start(box, "running")
    docker(box, "create", "--name", "created", "base", "true")
    start(box, "exited", command=("false",))
    start(box, "paused")
    docker(box, "pause", "paused")
    start(box, "restarting", "--restart", "always", command=("false",))
    names = ("running", "created", "exited", "paused", "restarting")
    view.shows(*names)

    expect(view.says("restarting")).to_contain_text("restarting", timeout=PATIENCE_MS)
    borders = {name: view.border(name) for name in names}
    assert len(set(borders.values())) == len(names), borders
    for name in names:
        expect(view.says(name)).to_contain_text(name, timeout=PATIENCE_MS)
    box.docker.containers.get("restarting").remove(force=True)


def test_the_keyboard_does_all_and_the_notebook_stays_as_it_is(lab: Lab, view: View, box: Box) -> None:
    start(box, "one", *SHARE, command=("sh", "-c", "echo said; sleep 10000"))
    start(box, "two", "--network", "container:one")
    start(box, "three")
    view.shows("two", "three")
    before = lab.page.evaluate(CELLS)

    view.root.locator(".filter").focus()
    view.press("Tab", "Tab", "Tab", "Home")  # the tree remembers which node had the focus last
    assert view.focused() == "your computer"
    view.press("ArrowRight")
    assert view.focused().startswith("box ")
    view.press("ArrowDown")
    assert view.focused() == "pod one"
    view.press("ArrowRight", "ArrowDown")
    assert view.focused() == "two"
    view.press("ArrowLeft")
    assert view.focused() == "pod one"
    view.press("End")
    assert view.focused() == "network bridge"
    view.press("ArrowUp", "ArrowDown", "ArrowDown", "Home", "ArrowUp", "ArrowLeft")
    assert view.focused() == "your computer"
    view.press(*"abxyzmc", "d", "d", "0", "Shift+Enter", "Shift+M")
    assert view.focused() == "your computer"
    view.press("Escape")
    assert view.focused() == "your computer"

    view.press("/")
    lab.page.keyboard.type("thr")
    expect(view.containers.locator("visible=true")).to_have_count(1, timeout=SOON_MS)
    view.press("Enter")
    assert view.focused() == "three"
    view.press("Escape")
    expect(view.containers.locator("visible=true")).to_have_count(3)
    assert view.focused() == "three"

    view.press("Home", "ArrowDown", "ArrowDown", "ArrowRight", "Enter")
    about = view.root.locator(".details")
    expect(about).to_contain_text("docker run -d --name one --ipc shareable base sh -c", timeout=PATIENCE_MS)
    expect(about).to_contain_text(re.compile(r"host name +[0-9a-f]{12}"))
    expect(about.locator("pre").last).to_have_text("said\n")
    view.press("Escape")
    expect(about).to_be_hidden()
    assert view.focused() == "one"

    view.press("?")
    expect(view.root.get_by_text("a wall that stands")).to_be_visible()
    view.press("Escape")
    expect(view.root.get_by_text("a wall that stands")).to_be_hidden()
    assert lab.page.evaluate(CELLS) == before


def test_focus_stays_in_the_tree_when_what_has_it_moves_or_goes(view: View, box: Box) -> None:
    start(box, "one")
    view.shows("one")
    view.named("one").click()
    view.press("Escape")
    assert view.focused() == "one"
    start(box, "two", "--network", "container:one")
    view.shows("pod one")
    assert view.focused() == "one"
    docker(box, "rm", "-f", "two", "one")
    view.lacks("one", "two", "pod one")
    assert view.focused().startswith("box ")
    view.settled()
    expect(view.root.locator("[role=treeitem][tabindex='0']")).to_have_count(1)


def test_what_is_selected_reaches_python_and_comes_from_it(lab: Lab, view: View, box: Box) -> None:
    ids = {name: start(box, name) for name in ("one", "two")}
    view.shows("one", "two")
    view.named("one").click()
    expect(view.named("one")).to_have_attribute("aria-selected", "true")
    expect(view.root.locator(".details")).to_be_visible(timeout=PATIENCE_MS)
    assert lab.run("print(view.selected)").strip() == f"container:{ids['one']}"

    lab.run(f"view.selected = 'container:{ids['two']}'")
    expect(view.named("two")).to_have_attribute("aria-selected", "true", timeout=SOON_MS)
    expect(view.root.locator("[aria-selected]")).to_have_count(1)
    expect(view.root.locator(".details")).to_be_hidden()
    docker(box, "rm", "-f", "two")
    view.lacks("two")
    assert lab.run("print(repr(view.selected))").strip() == "''"


def test_is_for_everybody_in_both_themes(lab: Lab, view: View, box: Box, axe: str) -> None:
    _something_of_each(box)
    view.shows("web-3-log")
    lab.page.evaluate(axe)
    for theme in reversed(THEMES):
        lab.menu("Settings", "Theme", theme)
        expect(lab.page.locator(f"body[data-jp-theme-name='{theme}']")).to_be_attached()
        view.named("web-3-log").click()
        view.press("?")
        expect(view.root.locator(".details")).to_be_visible(timeout=PATIENCE_MS)
        view.settled()
        found = lab.page.evaluate("() => axe.run('.kba', { resultTypes: ['violations'] })")
        bad = [[one["id"], [node["html"][:300] for node in one["nodes"]]] for one in found["violations"] if one["impact"] in SERIOUS]
        assert not bad, f"{theme}: {json.dumps(bad, indent=1)}"
        view.press("Escape")


def test_is_still_for_who_wants_less_motion(lab: Lab, view: View, box: Box) -> None:
    lab.page.evaluate(WATCH_MARKS)
    lab.page.emulate_media(reduced_motion="reduce")
    start(box, "calm", "-p", "8080:8080")
    view.shows("calm")
    lab.run("view.pulse(next(iter(box.docker.containers.list())).id, 'r1')")
    expect(view.root.locator("[data-request=r1]")).to_be_visible(timeout=SOON_MS)
    assert lab.page.evaluate("document.querySelector('.kba').getAnimations({ subtree: true }).length") == 0
    docker(box, "rm", "-f", "calm")
    view.lacks("calm")
    assert not [mark for mark in lab.page.evaluate("[...window.marks]") if "is-new" in mark or "is-changed" in mark]

    lab.page.emulate_media(reduced_motion="no-preference")
    start(box, "lively")
    view.shows("lively")
    expect(view.root.locator(".is-new").first).to_be_attached()
    view.settled()


def test_a_request_travels_to_the_container_or_the_machine_that_answered_it(lab: Lab, view: View, box: Box) -> None:
    assert lab.page.evaluate("document.querySelectorAll('.kba svg path').length") == 0  # nothing is published
    web = start(box, "web", "-p", "8080:8080")
    view.shows("web", "network bridge")
    lab.page.evaluate(WATCH_DOTS)
    name = box.status().name
    lab.run(f"view.pulse('{web[:12]}', 'r1'); view.pulse('{name}', 'r2'); view.pulse('elsewhere', 'r3')")
    expect(view.root.locator(".container[data-request=r1]")).to_be_visible()
    expect(view.root.locator(".box[data-request=r2]")).to_be_visible()
    (_, inside), (x, outside) = (view.named(label).evaluate(CORNER) for label in ("web", f"box {name}"))
    to_web, to_box = lab.page.evaluate(WAYS)
    assert 0 < to_box[0] < to_box[3] == x
    assert to_box[1] < outside < to_box[2] < to_web[1] < inside < to_web[2]


def test_fits_from_a_telephone_to_a_wide_screen(lab: Lab, view: View, box: Box) -> None:
    _something_of_each(box)
    docker(box, "run", "-d", "--name", "n" * 120, "--label", f"deployment={'w' * 200}", "base", "sleep", "10000")
    view.shows("crash")
    expect(view.containers).to_have_count(11)
    lab.menu("View", "Appearance", "Show Left Sidebar")
    try:
        for width in (320, 480, 800, 1100, 1600):
            lab.page.set_viewport_size({"width": width, "height": 1000})
            lab.page.wait_for_timeout(500)
            assert view.too_wide() == [], width
            assert view.lines() == 10, width
    finally:
        lab.page.set_viewport_size({"width": 1400, "height": 1000})
        lab.menu("View", "Appearance", "Show Left Sidebar")


def test_what_a_box_says_is_text(lab: Lab, view: View, box: Box) -> None:
    lab.page.evaluate("() => { delete window.ran; }")
    label = EVIL + "x" * 200
    docker(box, "network", "create", "net")
    for name in ("one", "two"):
        options = ("--label", f"deployment={label}", "--network", "net", "--network-alias", EVIL, "-e", f"SAYS={EVIL}")
        start(box, name, *options, command=("sh", "-c", 'echo "$0"; sleep 10000', EVIL))
    docker(box, "run", "-d", "--name", "three", "--label", f"deployment={'y' * 200}", "base", "sleep", "10000")
    view.shows("one", "two", "three")
    expect(view.root.locator(".deployment > .head").first).to_contain_text('<img src=x onerror="window.ran=1">')
    expect(view.root.locator(".service > .head")).to_contain_text('<img src=x onerror="window.ran=1">')
    view.named("one").click()
    expect(view.root.locator(".details")).to_contain_text("SAYS=<img src=x onerror", timeout=PATIENCE_MS)
    expect(view.root.locator(".details pre").last).to_contain_text(EVIL)
    view.root.get_by_text("As text").click()
    expect(view.root.locator("details[open]")).to_contain_text("<img src=x onerror")

    tags = set(view.root.evaluate("(root) => [...root.querySelectorAll('*')].map((el) => el.tagName.toUpperCase())"))
    assert tags <= TAGS
    assert view.too_wide() == []
    assert lab.page.evaluate("window.ran") is None
    view.press("Escape")


def test_two_pictures_of_one_box_both_follow(lab: Lab, view: View, box: Box) -> None:
    start(box, "early")
    view.shows("early")
    view.settled()
    lab.run("topology(box)")
    second = View(lab.page, 1)
    expect(second.badge).to_have_text("● live", timeout=PATIENCE_MS)
    second.shows("early")
    start(box, "late")
    for one in (view, second):
        one.shows("early", "late")
    docker(box, "rm", "-f", "early")
    for one in (view, second):
        one.lacks("early")
    lab.run("view")  # the same one, once more
    second.shows("late")
    view.named("late").click()
    expect(second.named("late")).to_have_attribute("aria-selected", "true", timeout=SOON_MS)
    view.press("Escape")
    lab.run("pass")
    expect(lab.page.locator(".kba")).to_have_count(1)


def test_a_cell_that_runs_again_has_one_picture_and_nobody_looks_for_the_old_one(lab: Lab, view: View, box: Box) -> None:
    lab.run("old = view")
    lab.show()
    start(box, "new")
    view.shows("new")
    expect(lab.page.locator(".kba")).to_have_count(1)
    assert lab.run("print(old in old.open_views, view in view.open_views)").strip() == "False True"


def test_follows_while_a_cell_runs_and_after_it_was_interrupted(lab: Lab, view: View, box: Box) -> None:
    start(box, "one", command=("sh", "-c", "echo said; sleep 10000"))
    view.shows("one")
    start_cell(lab.page, SCRATCH, "import time; time.sleep(100)")
    expect(lab.page.locator("text=Python 3 (ipykernel) | Busy")).to_be_visible()
    start(box, "meanwhile")
    view.shows("meanwhile")
    view.named("one").click()
    expect(view.root.locator(".details")).to_contain_text("said", timeout=PATIENCE_MS)
    lab.menu("Kernel", "Interrupt Kernel")
    expect(lab.page.locator("text=KeyboardInterrupt").first).to_be_visible(timeout=PATIENCE_MS)
    docker(box, "rm", "-f", "meanwhile")
    view.lacks("meanwhile")
    expect(view.badge).to_have_text("● live")
    lab.run("pass")


def test_says_since_when_nothing_is_seen_and_sees_again(view: View, box: Box) -> None:
    docker(box, "create", "--name", "before", "base", "true")
    view.shows("before")
    box.sh("killall -KILL dockerd", check=True)  # init starts another one
    expect(view.badge).to_have_text(re.compile(r"stale since \d\d:\d\d:\d\d"), timeout=SOON_MS)
    view.shows("before")
    expect(view.badge).to_have_text("● live", timeout=PATIENCE_MS)
    start(box, "after")
    view.shows("after")


def test_follows_a_box_into_its_reset(view: View, box: Box) -> None:
    start(box, "before")
    view.shows("before")
    box.reset()
    expect(view.badge).to_have_text("● live", timeout=PATIENCE_MS)
    expect(view.containers).to_have_count(0, timeout=PATIENCE_MS)
    start(box, "after")
    view.shows("after")


def test_is_live_again_after_a_reload_and_a_still_picture_without_its_kernel(lab: Lab, view: View, box: Box) -> None:
    start(box, "before")
    view.shows("before")
    still = lab.page.locator(".jp-RenderedSVG")
    expect(still).to_be_attached()
    expect(still).to_be_hidden()
    wait_for("the still picture to be renewed", lambda: lab.saved("container before"), timeout_s=10, every_s=0.5)
    expect(still).to_be_hidden()
    lab.page.reload()
    await_kernel(lab.page)
    expect(view.badge).to_have_text("● live", timeout=PATIENCE_MS)
    view.shows("before")
    expect(still).to_be_hidden()
    start(box, "after")
    view.shows("after")

    lab.menu("Kernel", "Shut Down Kernel")
    expect(view.badge).to_contain_text("no kernel", timeout=PATIENCE_MS)
    lab.saved("container before")
    lab.page.reload()
    await_kernel(lab.page)
    expect(still).to_be_visible(timeout=PATIENCE_MS)
    expect(lab.page.locator(".kba")).to_have_count(0)
    assert _drawn(still.locator("img")) > (300, 100)
    lab.show()


def _drawn(picture: Locator) -> tuple[int, int]:
    """The width and height of an image that was loaded."""
    width, height = picture.evaluate("(img) => img.decode().then(() => [img.naturalWidth, img.naturalHeight])")
    return width, height


def test_is_in_a_published_notebook_that_is_opened_without_a_network(
    lab: Lab, view: View, box: Box, running: Running, tmp_path: Path
) -> None:
    _something_of_each(box)
    start(box, "evil", "--label", f"deployment={EVIL}")
    view.shows("evil")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "--ExecutePreprocessor.store_widget_state=False"]
    path = tmp_path / "published.ipynb"
    _write(path, "from lab import connect, topology", "topology(connect())", "topology(connect())")
    subprocess.run([*command, path], env=running.environment | {"HOME": str(tmp_path)}, check=True, capture_output=True)

    context = lab.page.context
    context.set_offline(offline=True)
    try:
        page = context.new_page()
        page.goto(path.with_suffix(".html").as_uri())
        pictures = page.locator(".jp-RenderedSVG img")
        expect(pictures).to_have_count(2)
        for picture in pictures.all():
            expect(picture).to_be_visible()
            assert _drawn(picture) > (300, 200)
            source = b64decode(str(picture.get_attribute("src")).partition(",")[2]).decode()
            assert "web-3-log" in source
            assert "<img src=x" not in source
        assert max(page.locator(".jp-OutputArea").evaluate_all("(all) => all.map((one) => one.outerHTML.length)")) < MOST_PER_VIEW
        assert page.evaluate("window.ran") is None
        page.close()
    finally:
        context.set_offline(offline=False)

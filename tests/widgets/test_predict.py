"""A prediction is kept before its result shows, and nobody is waited for who is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.box.errors import UsageError
from lab.learner_record import UNANSWERED, read
from lab.widgets import predict as module
from lab.widgets.predict import WAITS, Prediction, predict, recall
from tests.support.jupyter import chromium

if TYPE_CHECKING:
    from pathlib import Path


RENDER = """async ([source, state]) => {
    const { default: widget } = await import(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
    const model = { get: (name) => state[name], on: (_, draw) => (model.draw = draw), send: () => {} };
    window.update = (changed) => { Object.assign(state, changed); model.draw(); };
    widget.render({ model, el: document.body });
}"""
"""Shows the form to somebody; it hears of changes as it would from a kernel."""
ANSWERED = """() => [...document.querySelectorAll('input:checked, input[type=number], [data-line]')]
    .map((field) => field.dataset.line ?? field.value).filter((value) => value)"""


class Screen:
    """What is displayed, with what it was changed to."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.asked: list[Prediction] = []

    def display(self, data: Any, **_: object) -> Screen:
        if isinstance(data, Prediction):
            self.asked.append(data)
        self.shown.append(data["text/plain"] if isinstance(data, dict) else data.text())
        return self

    def update(self, data: dict[str, str], **_: object) -> None:
        self.shown[-1] = data["text/plain"]


@pytest.fixture(autouse=True)
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("COURSE_STATE", str(tmp_path))
    screen = Screen()
    monkeypatch.setattr(module, "display", screen.display)
    return screen


def ask() -> Prediction:
    return predict("02.state", "What will the engine say?", choices=["running", "exited"])


def from_browser(prediction: Prediction, **content: object) -> None:
    prediction._receive(None, content, None)


def test_unattended_it_is_recorded_as_unanswered_and_the_result_shows(screen: Screen) -> None:
    ask().reveal("exited")
    assert screen.shown == ["You made no prediction. Measured: exited."]
    kept = read().predictions["02.state"]
    assert (kept.answer, kept.measured, kept.right) == (UNANSWERED, "exited", False)


def test_the_result_waits_for_somebody_who_looks(screen: Screen) -> None:
    prediction = ask()
    from_browser(prediction, here=True)
    prediction.reveal("exited")
    assert screen.shown == [WAITS]
    from_browser(prediction, answer="exited")
    assert screen.shown == ["You said: exited. Measured: exited.\nAs you said."]
    assert read().predictions["02.state"].right


def test_a_browser_that_comes_late_hides_the_result_again(screen: Screen) -> None:
    prediction = ask()
    prediction.reveal("exited")
    from_browser(prediction, here=True)
    assert screen.shown == [WAITS]


def test_an_answer_comes_up_again_after_a_restart() -> None:
    from_browser(ask(), answer="running")
    again = ask()
    assert (again.answer, again.said) == ("running", "You said: running.")
    from_browser(again, again=True)
    assert ask().answer == UNANSWERED


def test_another_question_under_the_same_key_is_asked_anew() -> None:
    from_browser(ask(), answer="running")
    assert predict("02.state", "And now?", choices=["a", "b"]).answer == UNANSWERED
    assert predict("02.state", "What will the engine say?", choices=["running", "dead"]).answer == UNANSWERED


@pytest.mark.browser
def test_the_form_shows_what_was_answered_before(tmp_path: Path) -> None:
    asked: list[tuple[dict[str, Any], Any, list[str]]] = [
        ({"choices": ["running", "exited"]}, "exited", ["exited"]),
        ({"several": ["net", "time", "pid"]}, ["net", "pid"], ["net", "pid"]),
        ({"several": ["net", "time", "pid"]}, [], []),
        ({"number": "processes"}, 0, ["0"]),
        ({"order": ["b", "a", "c"]}, ["a", "c", "b"], ["a", "c", "b"]),
    ]
    source = (module.HERE / "predict.js").read_text()
    with chromium(tmp_path) as page:
        for form, answer, shown in asked:
            from_browser(predict("02.form", "What?", **form), answer=answer)
            again = predict("02.form", "What?", **form)
            page.evaluate(RENDER, [source, again.get_state(["question", "form", "said", "answered"])])
            assert page.evaluate(ANSWERED) == shown
            assert page.locator("fieldset[disabled]").count() == 1
            assert page.locator("[role=status]").inner_text().startswith("You said: ")
            from_browser(again, again=True)
            page.evaluate("state => update(state)", again.get_state(["said", "answered"]))
            assert page.evaluate(ANSWERED) == form.get("order", [])
            assert page.locator("fieldset[disabled]").count() == 0


@pytest.mark.parametrize(
    ("form", "answer", "measured", "right"),
    [
        ({"number": "processes"}, 3, 3, True),
        ({"number": "processes"}, 4, 3, False),
        ({"several": ["net", "time", "pid"]}, ["pid", "net"], {"net", "pid"}, True),
        ({"several": ["net", "time"]}, [], set(), True),
        ({"several": ["net", "time"]}, ["net"], {"time"}, False),
        ({"order": ["b", "a"]}, ["a", "b"], ["a", "b"], True),
        ({"order": ["b", "a"]}, ["b", "a"], ["a", "b"], False),
        ({"choices": ["True", "False"]}, "True", True, True),
        ({"choices": ["137", "0"]}, "137", 137, True),
    ],
)
def test_each_form_is_compared_with_what_was_measured(form: dict[str, Any], answer: Any, measured: Any, right: bool) -> None:
    prediction = predict("02.form", "What?", **form)
    from_browser(prediction, answer=answer)
    prediction.reveal(measured)
    assert read().predictions["02.form"].right == right


@pytest.mark.parametrize(
    ("measured", "choice", "shown"),
    [(0.4, "under 1 s", "0.4 s"), (1, "1 to 5 s", "1 s"), (4.96, "1 to 5 s", "5.0 s"), (62.0, "over 5 s", "62.0 s")],
)
def test_a_number_falls_between_limits(screen: Screen, measured: float, choice: str, shown: str) -> None:
    prediction = predict("02.long", "How long?", limits=[1, 5], unit="s")
    assert prediction.form == {"choices": ["under 1 s", "1 to 5 s", "over 5 s"]}
    from_browser(prediction, answer=choice)
    prediction.reveal(measured)
    assert screen.shown == [f"You said: {choice}. Measured: {choice}.\nAs you said.\n\n{shown}"]
    assert read().predictions["02.long"].measured == choice


def test_without_a_form_it_is_text() -> None:
    prediction = ask()
    assert prediction.text() == "What will the engine say?\n  - running\n  - exited\nUnanswered."
    bundle = prediction._repr_mimebundle_()
    assert (bundle[0] if isinstance(bundle, tuple) else bundle)["text/plain"] == prediction.text()


def test_two_forms_at_once_are_refused() -> None:
    for form in ({}, {"number": "s", "choices": ["a"]}, {"number": "s", "limits": [1]}):
        with pytest.raises(UsageError, match="one form"):
            predict("02.x", "What?", **form)


def test_a_wrong_one_comes_back_in_a_later_lesson_and_says_there_what_was_measured(
    screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    recall("03")
    assert "Nothing to recall yet" in capsys.readouterr().out
    prediction = ask()
    from_browser(prediction, answer="running")
    prediction.reveal("exited")
    screen.shown.clear()
    recall("03")
    assert screen.shown == ["What will the engine say?\n  - running\n  - exited\nUnanswered.", "Asked again, from lesson 02."]
    for content, says in (
        ({"here": True}, "Asked again, from lesson 02."),
        ({"answer": "exited"}, "You said: exited. Measured: exited.\nAs you said."),
        ({"again": True}, "Asked again, from lesson 02."),
        ({"answer": "running"}, "You said: running. Measured: exited.\nNot what you said: that is where to look closer."),
    ):
        from_browser(screen.asked[-1], **content)
        assert screen.shown[1:] == [says]


def test_questions_that_belong_together_are_asked_in_their_order(screen: Screen) -> None:
    for key in ("02.b", "00.a", "01.other", "04.unseen"):
        prediction = predict(key, f"Question {key}?", choices=["yes", "no"])
        from_browser(prediction, answer="yes")
        if key != "04.unseen":
            prediction.reveal("no")
    screen.shown.clear()
    recall("05", series=("00.a", "01.never", "02.b", "04.unseen"))
    assert [text.splitlines()[0] for text in screen.shown[::2]] == ["Question 00.a?", "Question 02.b?"]

"""``predict(…)``: say what you expect before you see it.

A prediction is a question in a cell of its own, which is shown as a small form.  What is committed there is kept (``lab.learner_record``),
and comes up again after a restart.  The cell that finds out ends in ``reveal(measured)``, which shows both side by side.

If a browser shows the question and nothing was committed yet, the result is held back until it is.  If no browser does, as when a notebook
is run from top to bottom, nothing waits: the result is shown, and the prediction is kept as unanswered.

What was predicted wrongly comes back in a later lesson's ``recall(…)``.
"""

from __future__ import annotations

import time
from bisect import bisect
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import traitlets
from IPython.display import display

from lab.box.errors import UsageError
from lab.learner_record import UNANSWERED, Predicted, changing, read, to_recall
from lab.report import agrees, verdict
from lab.widgets.prompt import PromptWidget

HERE = Path(__file__).parent
WAITS = "Commit to a prediction in the cell above; the result then appears here."
TRY = 'predict("02.more", "How many?", number="processes")'


class Prediction(PromptWidget):
    """A question, and the learner's answer to it.

    Args:
        key: lesson, a dot, and a word; the answer is kept under it.
        question: one sentence.
        form: a mapping with one key, ``choices``, ``several``, ``number`` or ``order``, and what it offers.
        measured: the result, if it is known already; it is then shown as soon as an answer is given.
        limits: numbers that part the choices, if it depends on a number which choice is right.
        unit: of that number.
    """

    _esm = HERE / "predict.js"
    _css = HERE / "predict.css"
    question = traitlets.Unicode().tag(sync=True)
    form = traitlets.Dict().tag(sync=True)
    said = traitlets.Unicode("").tag(sync=True)
    answered = traitlets.Any(None).tag(sync=True)

    def __init__(
        self, key: str, question: str, form: dict[str, Any], measured: Any = None, *, limits: Sequence[float] = (), unit: str = ""
    ) -> None:
        super().__init__(question=question, form=form)
        self.key, self._limits, self._unit = key, limits, unit
        self._measured, self._asked_again = measured, measured is not None
        self._somebody_looks, self._details = False, ""
        self._result: Any = None
        kept = read().predictions.get(key)
        same = kept and (kept.question, kept.form) == (question, form)
        self._answer = kept.answer if kept and same and not self._asked_again else UNANSWERED
        self._say()
        self.on_msg(self._receive)

    @property
    def answer(self) -> Any:
        """The learner's answer, or ``"unanswered"``."""
        return self._answer

    def commit(self, answer: Any) -> None:
        """Take an answer, keep it, and show the result if that is known."""
        self._answer = answer
        self._keep()
        self._say()
        if self._measured is not None:
            self._show()

    def again(self) -> None:
        """Take the answer back, and ask once more."""
        self._answer = UNANSWERED
        if self._asked_again:
            self._wait()
        else:
            self._measured = self._result = None
        self._keep()
        self._say()

    def reveal(self, measured: Any, details: object = "") -> None:
        """Show what was measured beside what was predicted; to be the last line of the cell that measures.

        Args:
            measured: text, a number, a set or a list.  If the question has limits, a number, which is shown with the choice that it is in.
            details: what else is shown with the result, and not before it.
        """
        if self._limits:
            number = str(measured) if isinstance(measured, int) else f"{measured:.1f}"
            details = f"{number} {self._unit}\n{details}".strip()
            measured = self.form["choices"][bisect(self._limits, measured)]
        self._measured, self._details, self._result = measured, str(details), None
        self._keep()
        self._show()

    def _receive(self, _: object, content: dict[str, Any], __: object) -> None:
        if "here" in content:
            self._somebody_looks = True
            if self._measured is not None and self._result and self._answer == UNANSWERED and not self._asked_again:
                self._show()
        elif "again" in content:
            self.again()
        elif "answer" in content:
            self.commit(content["answer"])

    def _show(self) -> None:
        waits = self._somebody_looks and self._answer == UNANSWERED
        text = WAITS if waits else verdict(... if self._answer == UNANSWERED else self._answer, self._measured)
        self._put(text + (f"\n\n{self._details}" if self._details and not waits else ""))

    def _wait(self) -> None:
        self._put(f"Asked again, from lesson {self.key.partition('.')[0]}.")

    def _put(self, text: str) -> None:
        if self._result:
            self._result.update({"text/plain": text}, raw=True)
        else:
            self._result = display({"text/plain": text}, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def ask_again(self) -> None:
        """Show the question, and a line below it in whose place the result comes; after the cell has run, nothing can be added below it."""
        display(self)  # type: ignore[no-untyped-call]
        self._wait()

    def _keep(self) -> None:
        measured = sorted(map(str, self._measured)) if isinstance(self._measured, set | frozenset) else self._measured
        right = self._answer != UNANSWERED and agrees(self._answer, self._measured)
        with changing() as record:
            record.predictions[self.key] = Predicted(self.question, dict(self.form), self._answer, measured, right, time.time())

    def _say(self) -> None:
        words = ", ".join(map(str, self._answer)) or "none" if isinstance(self._answer, list) else str(self._answer)
        with self.hold_sync():  # the form is drawn when the words change
            self.answered = None if self._answer == UNANSWERED else self._answer
            self.said = "" if self._answer == UNANSWERED else f"You said: {words}."

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data:
            data["text/plain"] = self.text()
        return bundle

    def text(self) -> str:
        """The question, what it offers, and the answer, as text: where no form can be shown."""
        offered = next(iter(self.form.values()))
        listed = [f"  - {one}" for one in offered] if isinstance(offered, list) else [f"  (a number: {offered})"]
        return "\n".join([self.question, *listed, self.said or "Unanswered."])


def predict(
    key: str,
    question: str,
    *,
    choices: Sequence[str] | None = None,
    several: Sequence[str] | None = None,
    number: str | None = None,
    order: Sequence[str] | None = None,
    limits: Sequence[float] | None = None,
    unit: str = "",
) -> Prediction:
    """Ask what a learner expects; to be the last expression of a cell.

    Args:
        key: lesson, a dot, and a word, such as ``02.more``.
        question: one sentence.
        choices: one of them is the answer.
        several: any number of them are the answer, also none.
        number: the answer is a number; this says of what, such as "seconds".
        order: the answer is these lines, in order.
        limits: numbers that make the choices: under the first, between two, over the last.
        unit: of the limits.

    Raises:
        UsageError: not exactly one of these five is given.
    """
    between = None if limits is None else _choices(limits, unit)
    offered = {"choices": choices, "several": several, "number": number, "order": order, "limits": between}
    form = {
        name: [str(one) for one in value] if not isinstance(value, str) else value for name, value in offered.items() if value is not None
    }
    if len(form) != 1:
        raise UsageError("A prediction has one form.", f"Given are {len(form)} of: {', '.join(offered)}.", TRY)
    return Prediction(key, question, form if limits is None else {"choices": form["limits"]}, limits=limits or (), unit=unit)


def _choices(limits: Sequence[float], unit: str) -> list[str]:
    ranges = [f"under {limits[0]:g}", *(f"{low:g} to {high:g}" for low, high in pairwise(limits)), f"over {limits[-1]:g}"]
    return [f"{one} {unit}".strip() for one in ranges]


def recall(lesson: str, most: int = 3, *, series: Sequence[str] = ()) -> None:
    """Ask again what was predicted in earlier lessons, wrong predictions first; where there is none yet, it says so.

    Args:
        lesson: this one, such as ``"03"``.
        most: how many questions at most.
        series: the keys of questions that belong together; then these are asked, in their order.
    """
    kept = read().predictions
    asked = to_recall(kept, lesson, len(kept) if series else most)
    keys = [key for key in series if key in asked] if series else asked
    if not keys:
        print("Nothing to recall yet: no prediction of an earlier lesson has been seen through.")  # noqa: T201
    for key in keys:
        Prediction(key, kept[key].question, kept[key].form, kept[key].measured).ask_again()

"""Whatever is wrong in a manifest is named by its path, and nothing is passed over in silence."""

from __future__ import annotations

import pytest

from lab.box.errors import UsageError
from lab.objects.fields import Fields
from lab.objects.position import Position


def test_what_nobody_took_is_refused_by_its_path() -> None:
    fields = Fields({"name": "a", "nmae": "b"}, Position(("spec", "containers", 2)))
    fields.take("name", str)
    with pytest.raises(UsageError, match=r"^spec.containers\[2\].nmae is not supported here(.|\n)*did you mean name"):
        fields.done()


def test_a_missing_field_that_was_misspelt_is_found() -> None:
    with pytest.raises(UsageError, match=r"spec.image is missing(.|\n)*did you mean image where it says imgae"):
        Fields({"imgae": "base"}, Position(("spec",))).take("image", str)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (False, str, 'put it in quotes: "false"'),
        (8080, str, 'put it in quotes: "8080"'),
        ("8080", int, "must be a whole number, and is text"),
        (True, int, "must be a whole number, and is true or false"),
        ("yes", bool, "must be true or false"),
        ({"a": 1}, list, "must be a list, and is a mapping"),
        (["a"], str, "must be text, and is a list"),
    ],
)
def test_a_value_of_another_kind_is_refused(value: object, kind: type, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        Fields({"it": value}, Position(("spec",))).take("it", kind)
    assert refused.value.what.startswith("spec.it must be")
    assert words in str(refused.value)


def test_null_is_as_good_as_absent() -> None:
    fields = Fields({"env": None, "name": None})
    assert list(fields.each("env")) == []
    with pytest.raises(UsageError, match="name is missing"):
        fields.take("name", str)

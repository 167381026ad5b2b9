"""Whatever is wrong in a manifest is named by its path, and nothing is passed over in silence."""

from __future__ import annotations

import pytest

from lab.box.errors import UsageError
from lab.objects.manifest.fields import Fields
from lab.objects.manifest.known_fields import says_nothing
from lab.objects.manifest.position import Position


def test_a_misspelt_field_is_refused_by_its_path_and_the_right_one_is_named() -> None:
    fields = Fields({"name": "a", "imgae": "b"}, Position(("spec", "containers", 2)), "Container")
    fields.take("name", str)
    fields.done()
    with pytest.raises(UsageError, match=r"^spec.containers\[2\].imgae is no field of Kubernetes.(.|\n)*did you mean image"):
        fields.refuse_unread()


def test_a_field_of_kubernetes_is_not_called_misspelt() -> None:
    fields = Fields({"value": "a", "valueFrom": {"x": 1}}, Position(("env", 0)), "EnvVar")
    fields.take("value", str)
    fields.done()
    with pytest.raises(UsageError) as refused:
        fields.refuse_unread()
    assert refused.value.what == "env[0].valueFrom is a field of Kubernetes that is not supported here."
    assert refused.value.try_next == "take it out"


def test_all_that_is_not_understood_is_named_at_once() -> None:
    whole = Fields({"a": 1, "b": {"c": 2}}, Position(("it",)), "PodSpec")
    below = whole.inside("b", "Container")
    below.done()
    whole.done()
    with pytest.raises(UsageError, match="2 fields of the manifest are not understood") as refused:
        whole.refuse_unread()
    assert [row for row in ("it.a is no field", "it.b.c is no field") if row not in refused.value.why] == []


@pytest.mark.parametrize(
    ("kind", "key", "value", "passes"),
    [
        *(("Container", "resizePolicy", value, True) for value in (None, {}, [], "")),
        ("Container", "resizePolicy", [1], False),
        ("Container", "nonsense", None, False),
        ("PodSpec", "dnsPolicy", "ClusterFirst", True),
        ("PodSpec", "dnsPolicy", "None", False),
        ("PodSpec", "priority", 0, True),
        ("PodSpec", "priority", False, False),
        ("PodSpec", "hostNetwork", False, True),
        ("PodSpec", "hostNetwork", True, False),
        ("Volume", "hostPath", {}, False),
        ("Volume", "hostPath", None, True),
        ("Pod", "status", {"phase": "Running"}, True),
        ("ObjectMeta", "creationTimestamp", "2026-11-29T10:00:00Z", True),
        ("ObjectMeta", "finalizers", ["a"], False),
    ],
)
def test_what_says_nothing_is_passed_over(kind: str, key: str, value: object, passes: bool) -> None:
    assert says_nothing(kind, key, value) == passes


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
    assert list(fields.each("env", "EnvVar")) == []
    with pytest.raises(UsageError, match="name is missing"):
        fields.take("name", str)

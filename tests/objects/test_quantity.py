"""Amounts are read as Kubernetes reads them, and what it would not read is refused with what was meant."""

from __future__ import annotations

import pytest

from lab.box.errors import UsageError
from lab.objects.quantity import Resources, cpu, cpu_text, memory, memory_text


@pytest.mark.parametrize(
    ("written", "amount"),
    [("1", 1000), (1, 1000), (0.5, 500), ("500m", 500), ("0.1", 100), (".5", 500), ("1e1", 10_000), ("2k", 2_000_000), ("1u", 1), (0, 0)],
)
def test_cpu_is_thousandths_of_a_processor(written: object, amount: int) -> None:
    assert cpu(written, "cpu") == amount


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("64Mi", 64 * 2**20), ("1Gi", 2**30), ("1.5Gi", 3 * 2**29), ("1M", 10**6), ("1k", 1000), (1024, 1024), ("128974848", 128974848),
        ("129e6", 129 * 10**6), ("1E", 10**18), ("1E3", 1000), ("1000m", 1), ("0", 0),
    ],
)  # fmt: skip
def test_memory_is_bytes(written: object, amount: int) -> None:
    assert memory(written, "memory") == amount


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1 GB", "1Gi"),
        ("1GB", "1Gi"),
        ("64mb", "64Mi"),
        ("64 Mi", "64Mi"),
        ("512MiB", "512Mi"),
        ("1g", "1Gi"),
        ("64K", "64Ki"),
        ("64m", "64Mi"),
        ("1.2Gi", "1229Mi"),
        ("0.1Ki", "1Mi"),
    ],
)
def test_what_people_write_is_answered_with_what_they_mean(written: str, meant: str) -> None:
    with pytest.raises(UsageError) as refused:
        memory(written, "spec.containers[0].resources.requests.memory")
    assert refused.value.what.startswith("spec.containers[0].resources.requests.memory: ")
    assert refused.value.try_next.startswith(f"write {meant}")


@pytest.mark.parametrize(
    "written",
    ["", "much", "-1", "1ki", "1..2", "--1", "Mi", "½", "٣Mi", "1e999", "9Ei", "1" * 5000, True, None, [], float("nan"), float("inf")],
)
def test_what_is_no_amount_is_refused(written: object) -> None:
    for read in (cpu, memory):
        with pytest.raises(UsageError, match="path: "):
            read(written, "path")


def test_amounts_are_added_exactly_and_shown_as_they_are_written() -> None:
    total = sum([Resources(100, 2**25)] * 10, Resources())
    assert total - Resources(500, 2**28) == Resources(500, 2**26)
    assert str(total - Resources(500, 2**28)) == "500m cpu, 64Mi memory"
    assert [cpu_text(it) for it in (0, 1, 1000, 1500)] == ["0", "1m", "1", "1500m"]
    assert (cpu_text(1000, 1300), cpu_text(2000, 1000), cpu_text(0, 1300)) == ("1000m", "2", "0")
    assert [memory_text(it) for it in (0, 1000, 1024, 2**30, 3 * 2**29)] == ["0", "1000", "1Ki", "1Gi", "1536Mi"]
    assert (memory_text(2**30, 3 * 2**29), memory_text(0, 2**20)) == ("1024Mi", "0")

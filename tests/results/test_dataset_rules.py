"""The rules of data sets by themselves: near-duplicates, splits, the validation report, the archive's form."""

import io
import itertools
import zipfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.batches.simhash import ALIKE_BITS, distance
from marketplace.results import alike, archive
from marketplace.results.alike import across, alike_groups
from marketplace.results.archive import STORED, Member, directory_end, directory_entry, local_header
from marketplace.results.gathered import LazyParts
from marketplace.results.splits import assign, draw_of
from marketplace.results.spool import Spool
from marketplace.results.validation import Tally, report
from marketplace.results.writers.base import Item

SHARES = {"train": 8_000, "val": 1_000, "test": 1_000}


def by_comparing_all(hashes: list[int]) -> list[int]:
    """Groups by comparing each with each."""
    group = list(range(len(hashes)))
    changed = True
    while changed:
        changed = False
        for one, other in itertools.combinations(range(len(hashes)), 2):
            near = hashes[one] and hashes[other] and distance(hashes[one], hashes[other]) <= ALIKE_BITS
            if near and group[one] != group[other]:
                group[one] = group[other] = min(group[one], group[other])
                changed = True
    return group


@st.composite
def near_hashes(draw: Any) -> list[int]:
    """Some hashes, and others that differ from them in up to five bits."""
    base = draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6))
    found = list(base)
    for _ in range(draw(st.integers(0, 10))):
        changed = draw(st.sampled_from(base)) & (2**64 - 1)
        for bit in draw(st.lists(st.integers(0, 63), max_size=5)):
            changed ^= 1 << bit
        found.append(changed - 2**64 if changed >= 2**63 else changed)
    return draw(st.permutations([*found, 0, 0]))


@given(near_hashes(), st.sampled_from([0, 4, 20_000_000]))
@settings(max_examples=200)
def test_groups_are_those_that_comparing_each_with_each_finds(hashes: list[int], pairs: int) -> None:
    kept = alike.PAIRS_MAX
    alike.PAIRS_MAX = pairs  # so that the finer cuts are tried too
    try:
        assert alike_groups(np.array(hashes, dtype=np.int64)).tolist() == by_comparing_all(hashes)
    finally:
        alike.PAIRS_MAX = kept


def test_nothing_is_in_no_group_and_no_items_are_no_groups() -> None:
    assert alike_groups(np.array([0, 0, 7], dtype=np.int64)).tolist() == [0, 1, 2]
    assert alike_groups(np.array([], dtype=np.int64)).tolist() == []


def test_every_label_has_its_share_of_every_split() -> None:
    labels = ["cat"] * 600 + ["dog"] * 300 + ["owl"] * 100
    found = assign(SHARES, np.arange(1_000), [draw_of("", f"t{n}") for n in range(1_000)], labels)
    counts = Counter(zip(labels, found.tolist(), strict=True))
    assert Counter(found.tolist()) == {0: 800, 1: 100, 2: 100}
    for label, number in (("cat", 600), ("dog", 300), ("owl", 100)):
        for split, share in enumerate((0.8, 0.1, 0.1)):
            assert abs(counts[label, split] - number * share) <= 1


def test_labels_of_one_item_each_do_not_all_go_to_the_first_split() -> None:
    found = assign(SHARES, np.arange(100), [draw_of("", f"t{n}") for n in range(100)], [f"l{n}" for n in range(100)])
    assert Counter(found.tolist()) == {0: 80, 1: 10, 2: 10}


@given(st.integers(1, 60), st.integers(0, 2**32))
@settings(max_examples=60)
def test_groups_stay_together_and_the_order_of_items_decides_nothing(count: int, seed: int) -> None:
    chance = Random(seed)
    ids = [f"t{n}" for n in range(count)]
    labels = [chance.choice("abc") for _ in ids]
    leader = [chance.randrange(n + 1) if chance.random() < 0.4 else n for n in range(count)]
    groups = list(range(count))
    for n in range(count):
        groups[n] = groups[leader[n]]
    found = assign(SHARES, np.array(groups), [draw_of("s", one) for one in ids], labels)
    assert across(np.array(groups), found) == []

    order = list(range(count))
    chance.shuffle(order)
    first: dict[int, int] = {}
    moved = [first.setdefault(groups[n], place) for place, n in enumerate(order)]
    again = assign(SHARES, np.array(moved), [draw_of("s", ids[n]) for n in order], [labels[n] for n in order])
    assert {ids[n]: int(found[n]) for n in range(count)} == {ids[n]: int(again[at]) for at, n in enumerate(order)}


def test_another_seed_draws_other_splits() -> None:
    ids = [f"t{n}" for n in range(200)]
    one, other = (assign(SHARES, np.arange(200), [draw_of(seed, i) for i in ids], ["x"] * 200) for seed in ("a", "b"))
    assert (one != other).any()


# The validation report

DATA = [{"name": "photo", "type": "image"}, {"name": "text", "type": "text"}, {"name": "facts", "type": "table"}]
CHOICE = {
    "name": "label", "type": "choice", "required": True, "multiple": False,
    "labels": [{"value": "cat"}, {"value": "Barn owl"}],
}  # fmt: skip
BOXES = {"name": "spots", "type": "boxes", "required": False, "width": 100, "height": 50, "labels": [{"value": "spot"}]}


def seen(items: list[tuple[str, dict[str, Any], dict[str, Any]]], tasks: int | None = None, **more: Any) -> Any:
    """The report's checks by name, for items of (external id, data, values)."""
    fields = {"label": CHOICE, "spots": BOXES}
    told: dict[str, Any] = {}
    for number, (external_id, data, values) in enumerate(items):
        # Counted in pieces, and kept as JSON between them.
        tally = Tally(told, data=DATA, answer=[CHOICE, BOXES])
        tally.see(Item(number, external_id, data, values, LazyParts(fields, values)))
        told = tally.told()
    found = report(
        Tally(told, data=DATA, answer=[CHOICE, BOXES]),
        items=len(items),
        tasks=len(items) if tasks is None else tasks,
        unlabelled=more.pop("unlabelled", ()),
        splits=more.pop("splits", None),
        crossing=more.pop("crossing", None),
    )
    return found["ok"], {check["check"]: check for check in found["checks"]}


SPOT = {"label": "spot", "x": 90, "y": 40, "width": 10, "height": 10}
CLEAN = [
    ("t1", {"photo": "https://a.example/1.png", "text": "a cat"}, {"label": "cat", "spots": [SPOT]}),
    ("t2", {"photo": "https://a.example/2.png", "text": "a barn owl"}, {"label": "Barn owl"}),
]


def test_a_clean_data_set_has_nothing_to_report() -> None:
    ok, checks = seen(CLEAN)
    assert ok
    assert [check["count"] for check in checks.values()] == [0, 0, 0, 0]


def test_items_without_a_result_are_counted_and_named() -> None:
    ok, checks = seen([*CLEAN, ("t3", {}, {"spots": []})], tasks=5, unlabelled=["t4", "t5"])
    assert not ok
    assert (checks["labelled"]["count"], checks["labelled"]["items"]) == (3, ["t4", "t5", "t3"])


def test_a_box_out_of_its_picture_is_found_and_one_at_the_border_is_not() -> None:
    ok, checks = seen([*CLEAN, ("t3", {}, {"label": "cat", "spots": [SPOT | {"width": 10.01}]})])
    assert not ok
    assert (checks["inside"]["count"], checks["inside"]["items"]) == (1, ["t3"])


@pytest.mark.parametrize(
    "data",
    [
        {"photo": "https://a.example/barn_owl/7.png"},
        {"photo": "https://a.example/Barn%20Owl-7.png"},
        {"facts": [{"kind": "a barn-owl"}]},
    ],
)
def test_an_answer_in_a_file_name_or_a_table_is_found(data: dict[str, Any]) -> None:
    ok, checks = seen([(f"t{n}", data, {"label": "Barn owl"}) for n in range(4)] + CLEAN)
    assert not ok
    assert (checks["untold"]["ok"], checks["untold"]["count"]) == (False, 4)


def test_names_that_fit_labels_no_more_often_than_by_chance_tell_nothing() -> None:
    items = [
        (f"{named}-{n}", {}, {"label": label})
        for n in range(10) for named in ("cat", "owl-barn") for label in ("cat", "Barn owl")
    ]  # fmt: skip
    assert seen(items)[1]["untold"]["ok"]


def test_a_label_that_never_occurs_or_is_missing_in_a_split_is_named() -> None:
    _, checks = seen(CLEAN[:1], splits={"train": {"cat": 3, "Barn owl": 1}, "test": {"cat": 1}})
    assert checks["distribution"]["items"] == ["label: Barn owl", "test: Barn owl"]


def test_near_duplicates_in_two_splits_are_named() -> None:
    ok, checks = seen(CLEAN, crossing=[("t1", "t2")])
    assert not ok
    assert checks["apart"]["items"] == ["t1 = t2"]


# The archive


def test_files_that_grew_in_pieces_and_whole_ones_are_read_by_the_standard_library() -> None:
    pieces, whole = [], b""
    for n in range(3):
        with Spool() as spool:
            with spool.append("lines.txt") as file:
                file.write(f"line {n}\n".encode() * 1_000)
            with spool.open(f"folder/{n}.bin", compress=n != 1) as file:
                file.write(bytes([n]) * 5_000)
            spool.grown["lines.txt"].seek(0)
            spool.whole.seek(0)
            pieces.append(spool.grown["lines.txt"].read())
            whole += spool.whole.read()
    assert len(whole) < 6_000
    assert whole[:4] == b"PK\3\4"
    assert zipfile.zlib.decompress(b"".join(pieces) + b"\x03\x00", -15).count(b"\n") == 3_000  # type: ignore[attr-defined]


def test_a_path_is_written_once() -> None:
    with Spool() as spool:
        with spool.open("a"):
            pass
        with pytest.raises(ValueError, match="before"), spool.open("a"):
            pass
        with pytest.raises(ValueError, match="before"), spool.append("a"):
            pass


def test_an_archive_with_more_files_than_the_old_form_knows_is_read(tmp_path: Path) -> None:
    body, entries = io.BytesIO(), b""
    count = archive.MANY + 5
    for n in range(count):
        member = Member(f"{n}", STORED, 0, 0, 0)
        entries += directory_entry(member, body.tell())
        body.write(local_header(member))
        if len(entries) > 1 << 20:
            (tmp_path / "entries").open("ab").write(entries)
            entries = b""
    kept = (tmp_path / "entries").read_bytes() + entries
    at = body.tell()
    body.write(kept + directory_end(count, len(kept), at))
    assert len(zipfile.ZipFile(body).namelist()) == count


def test_sizes_and_places_beyond_four_gigabytes_are_said_in_full() -> None:
    """The directory of an archive whose first file would have five gigabytes, read without its bytes."""

    class Sparse(io.RawIOBase):
        """Zeros up to an end that is there."""

        def __init__(self, end: bytes, at: int) -> None:
            self._end, self._begin, self._at = end, at, 0

        def seekable(self) -> bool:
            return True

        def readable(self) -> bool:
            return True

        def seek(self, to: int, whence: int = 0) -> int:
            total = self._begin + len(self._end)
            self._at = max(0, to if whence == 0 else (self._at if whence == 1 else total) + to)
            return self._at

        def tell(self) -> int:
            return self._at

        def read(self, size: int = -1) -> bytes:
            assert self._at >= self._begin or size < 1_000
            begin = self._at - self._begin
            piece = self._end[begin : begin + size if size >= 0 else None] if begin >= 0 else bytes(size)
            self._at += len(piece)
            return piece

    five = 5 * 2**30
    members = [(Member("large.bin", STORED, 1, five, five), 0), (Member("late.txt", STORED, 0, 0, 0), five + 100)]
    directory = b"".join(directory_entry(member, at) for member, at in members)
    at = five + 200
    found = zipfile.ZipFile(Sparse(directory + directory_end(2, len(directory), at), at)).infolist()  # type: ignore[arg-type]
    assert [(one.filename, one.file_size, one.header_offset) for one in found] == [
        ("large.bin", five, 0), ("late.txt", 0, five + 100),
    ]  # fmt: skip
    assert local_header(members[0][0])[4:6] == b"\x2d\0"

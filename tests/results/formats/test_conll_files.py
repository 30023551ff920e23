"""CoNLL 2003 files, opened by seqeval and NLTK."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.projects.answer_types.base import FieldInvalid
from marketplace.projects.answer_types.parts import Relation, Span
from marketplace.results.writers.base import Item
from marketplace.results.writers.conll import LABEL_CHANGED, ONLY_SPACE, OTHER_TEXT, OUTSIDE, OVERLAPPING, Conll, tokens
from tests.results.formats.sample import field, items_of, labels, told, written

TEXT = {"name": "text", "type": "text", "title": "Text", "required": True}
NAMES = field("names", "spans", labels=labels("PER", "LOC"), of="text")


def lines_of(path):
    """Sentences as lists of (token, name); one list for each item."""
    items = []
    for block in path.read_text().split("\n\n"):
        rows = [line.split(" ") for line in block.split("\n") if line]
        assert all(len(row) == 4 for row in rows)
        if rows and rows[0][0] == "-DOCSTART-":
            items.append([])
        elif rows:
            items[-1].append([(row[0], row[3]) for row in rows])
    return items


def write(tmp_path, text, *parts, **options):
    items = items_of([TEXT], [NAMES], [Item(0, "a", {"text": text}, {}, {"names": parts})])
    losses = written(Conll(), items, tmp_path, **options)
    (found,) = lines_of(tmp_path / "data.conll")
    return found, told(losses)


def test_names_are_where_people_marked_them(tmp_path):
    judge = pytest.importorskip("seqeval.metrics.sequence_labeling")
    text = "Marie Curie was born in Warsaw. She won twice."

    found, losses = write(tmp_path, text, Span("PER", 0, 11, "text"), Span("LOC", 24, 30, "text"))

    assert losses == {}
    assert [[token for token, _ in sentence] for sentence in found] == [
        ["Marie", "Curie", "was", "born", "in", "Warsaw", "."], ["She", "won", "twice", "."],
    ]  # fmt: skip
    assert judge.get_entities([name for _, name in found[0]]) == [("PER", 0, 1), ("LOC", 5, 5)]
    assert {name for _, name in found[1]} == {"O"}


def test_nltk_reads_words_and_names(tmp_path, monkeypatch):
    reader = pytest.importorskip("nltk.corpus.reader.conll")
    monkeypatch.setattr("nltk.data.path", [str(tmp_path)])
    write(tmp_path, "Ann met Bob Lee.\nIn Rome", Span("PER", 0, 3, "text"), Span("PER", 8, 15, "text"),
          Span("LOC", 20, 24, "text"))  # fmt: skip

    corpus = reader.ConllCorpusReader(str(tmp_path), ["data.conll"], ("words", "pos", "ignore", "chunk"))

    assert corpus.words()[-7:] == ["Ann", "met", "Bob", "Lee", ".", "In", "Rome"]
    trees = corpus.chunked_sents()
    assert [(one.label(), [word for word, _ in one.leaves()]) for tree in trees for one in tree.subtrees() if
            one.label() != "S"] == [("PER", ["Ann"]), ("PER", ["Bob", "Lee"]), ("LOC", ["Rome"])]  # fmt: skip


def test_names_that_touch_stay_two(tmp_path):
    found, _ = write(tmp_path, "Ann Bob", Span("PER", 0, 3, "text"), Span("PER", 4, 7, "text"))

    assert found == [[("Ann", "B-PER"), ("Bob", "B-PER")]]


def test_a_span_that_ends_within_a_word_cuts_the_word(tmp_path):
    found, losses = write(tmp_path, "Parisian", Span("LOC", 0, 5, "text"))

    assert (found, losses) == ([[("Paris", "B-LOC"), ("ian", "O")]], {})


def test_no_sentence_ends_within_a_name(tmp_path):
    found, _ = write(tmp_path, "Dr. A. B. Smith\nJr left. He ran", Span("PER", 0, 18, "text"))

    assert len(found) == 2
    assert found[0][0] == ("Dr", "B-PER")
    assert found[1] == [("He", "O"), ("ran", "O")]


def test_what_cannot_be_said_is_counted(tmp_path):
    found, losses = write(
        tmp_path, "one two   three",
        Span("PER", 0, 7, "text"), Span("LOC", 4, 7, "text"), Span("PER", 7, 10, "text"), Span("PER", 10, 99, "text"),
        Span("PER", 0, 3, "title"), Relation("knows", "1", "2"), Span("big city", 10, 15, "text"),
    )  # fmt: skip

    assert found == [[("one", "B-PER"), ("two", "I-PER"), ("three", "B-big_city")]]
    assert losses == {
        ("names", OVERLAPPING): 1, ("names", ONLY_SPACE): 1, ("names", OUTSIDE): 1, ("names", OTHER_TEXT): 1,
        ("names", "the format cannot say a relation"): 1, ("", LABEL_CHANGED): 1,
    }  # fmt: skip


def test_an_empty_text_is_an_item_without_sentences(tmp_path):
    assert write(tmp_path, "") == ([], {})


def test_splits_are_files(tmp_path):
    items = items_of([TEXT], [NAMES], [
        Item(0, "a", {"text": "A"}, {}, {}, split="train"), Item(1, "b", {"text": "B"}, {}, {}, split="test"),
    ], ("train", "test"))  # fmt: skip

    written(Conll(), items, tmp_path)

    assert lines_of(tmp_path / "test.conll") == [[[("B", "O")]]]


def test_the_text_is_named_by_an_option_and_must_be_one_of_the_fields(tmp_path):
    with pytest.raises(FieldInvalid) as refused:
        Conll().check_options({"of": "title"}, data=[TEXT], answer=[NAMES])
    assert refused.value.errors[0].path == "of"


TEXTS = st.text(alphabet="ab .\n'-é😀", max_size=30)


@settings(max_examples=200)
@given(TEXTS, st.lists(st.tuples(st.integers(0, 29), st.integers(1, 8), st.sampled_from(["PER", "LOC"])), max_size=4))
def test_every_character_is_in_one_token_and_every_kept_span_is_found_again(text, given):
    judge = pytest.importorskip("seqeval.metrics.sequence_labeling")
    from marketplace.results.writers.base import Losses
    from marketplace.results.writers.conll import _lines

    spans, at = [], 0
    for start, length, label in sorted(given):
        if start >= at and text[start : start + length].strip() and start + length <= len(text):
            spans.append(Span(label, start, start + length, "text"))
            at = start + length
    found = tokens(text, [border for span in spans for border in (span.start, span.end)])
    names = [line.split()[3] for line in _lines(text, spans, Item(0, "a", {}, {}, {}), Losses()) if line.strip()]
    entities = judge.get_entities(names)

    assert "".join(text[a:b] for a, b in found) == "".join(text.split())
    assert [label for label, _, _ in entities] == [span.label for span in spans]
    for (_, first, last), span in zip(entities, spans, strict=True):
        assert text[found[first][0] : found[last][1]] == text[span.start : span.end].strip()


def test_a_long_text_with_many_spans_is_written_fast(tmp_path):
    text = "word " * 20_000
    spans = [Span("PER", at * 5, at * 5 + 4, "text") for at in range(20_000)]

    found, losses = write(tmp_path, text, *spans)

    assert len(found[0]) == 20_000
    assert losses == {}

"""Names and sizes of pictures."""

import base64
import io

import pytest

from marketplace.results.writers.base import Item
from marketplace.results.writers.coco import CocoInstances
from marketplace.results.writers.pictures import Pictures, file_stem, picture_size
from tests.results.formats.sample import IMAGE, field, items_of


def pictures_of(*ids, url="https://example.org/x.jpg"):
    boxes = field("boxes", "boxes", height=7, width=9)
    found = Pictures(items_of([IMAGE], [boxes], []), CocoInstances(), {"fields": ["boxes"]})
    return [found.of(Item(at, external_id, {"photo": url}, {}, {})) for at, external_id in enumerate(ids)]


def test_ids_keep_their_names_and_no_two_items_share_one():
    ids = ["a.jpg", "a", "a.png", "a.JPG", "a%2E", "b/c.jpg", "b%2Fc.jpg", "..", " x ", "x" * 500, "x" * 501, "ü.jpg"]

    stems = [picture.stem for picture in pictures_of(*ids)]

    assert stems[0] == "a"
    assert stems[5] == "b%2Fc"
    assert len(set(stems)) == len(ids)
    assert all(len(stem) <= 210 and "/" not in stem and not stem.startswith(".") for stem in stems)


def test_a_name_is_never_a_way_out_of_the_folder():
    assert "/" not in file_stem("../../etc/passwd")
    assert not file_stem("..").startswith(".")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_the_size_is_read_from_the_bytes_that_the_data_carries(form):
    image = pytest.importorskip("PIL.Image")
    buffer = io.BytesIO()
    image.new("RGB", (31, 17)).save(buffer, form)
    url = f"data:image/{form.lower()};base64," + base64.b64encode(buffer.getvalue()).decode()

    (picture,) = pictures_of("a", url=url)

    assert picture.size == (17, 31)
    assert picture.body == buffer.getvalue()
    assert picture.url == ""


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 50}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}])
def test_all_forms_of_webp_tell_their_size(options):
    image = pytest.importorskip("PIL.Image")
    buffer = io.BytesIO()
    image.new("RGB", (300, 2)).save(buffer, "WEBP", **options)

    assert picture_size(buffer.getvalue()) == (2, 300)


@pytest.mark.parametrize("body", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBPVP8 ", b"GIF89a"])
def test_a_broken_picture_has_no_size(body):
    assert picture_size(body) is None


def test_a_picture_elsewhere_has_the_size_that_the_field_declares():
    (picture,) = pictures_of("a")

    assert (picture.size, picture.name, picture.url) == ((7, 9), "a.jpg", "https://example.org/x.jpg")

"""CVAT's XML, version 1.1: `annotations.xml` for pictures, and a file for each film.

Source: the page "XML annotation format" of docs.cvat.ai; for tags, skeletons and masks also what CVAT itself writes.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from marketplace.projects.answer_types.parts import (
    Box,
    Class,
    KeyFrame,
    Keypoints,
    Mask,
    Point,
    Polygon,
    Polyline,
    Track,
    Visibility,
)
from marketplace.results.writers.base import Item, Items, Losses, Sink
from marketplace.results.writers.markup import attributes, element
from marketplace.results.writers.pictures import Picture, Pictures, file_stem, write_body
from marketplace.results.writers.raster import mask_pixels, pixel_bounds, run_lengths, short
from marketplace.results.writers.said import (
    FIELDS_OPTION,
    LabelNumbers,
    PictureWriter,
    declared_points,
    said_parts,
)

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
SOURCE = "manual"
SIZE_UNKNOWN = "the size of the picture is not known; it is written as 0"
NO_PIXEL = "a mask has no pixel"
ONE_LABEL = "a path of labels became its last one"


class CvatXml(PictureWriter):
    """Classes as tags; boxes, outlines, lines, masks and skeletons as shapes of their picture; tracks of a film in a
    file of its own, `tracks/<name>.xml`, with the key frames that people set."""

    name = "cvat"
    title = "CVAT for images and for video, XML 1.1"
    needs = frozenset((Class, Box, Polygon, Polyline, Keypoints, Mask, Track))

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        losses, pictures = Losses(), Pictures(items, self, options)
        known = LabelNumbers(self, items.answer, options)
        points = declared_points(field for field in items.answer if field["name"] in options[FIELDS_OPTION])
        for split in items.splits:
            # The labels stand at the head of the file, and some may be met in its last item.
            with TemporaryFile() as body:
                count = 0
                for item in items:
                    picture = pictures.of(item) if not split or item.split == split else None
                    if picture is None:
                        continue
                    tracks = self._write_item(item, count, picture, body, known, points, losses, options)
                    count += 1
                    write_body(out, f"images/{split}" if split else "images", picture)
                    if tracks:
                        folder = f"tracks/{split}" if split else "tracks"
                        with out.open(f"{folder}/{file_stem(item.external_id)}.xml") as file:
                            _write_film(file, item, tracks, picture, known)
                with out.open(f"{split or 'annotations'}.xml") as file:
                    _head(file, items.name, count, "annotation", known, points)
                    body.seek(0)
                    shutil.copyfileobj(body, file)
                    file.write(b"</annotations>\n")
        return losses

    def _write_item(
        self,
        item: Item,
        number: int,
        picture: Picture,
        body: BinaryIO,
        known: LabelNumbers,
        points: dict[str, list[str]],
        losses: Losses,
        options: Mapping[str, Any],
    ) -> list[Track]:
        """Write the picture's entry; returns the tracks, which go elsewhere."""
        tracks: list[Track] = []
        lines: list[str] = []
        for name, part in said_parts(self, item, options, losses):
            if isinstance(part, Class):
                if part.path and len(part.labels) > 1:
                    losses.add(ONE_LABEL, field=name, item=item.external_id)
                for label in part.labels[-1:] if part.path else part.labels:
                    known.number(label)
                    lines.append(f"    <tag{attributes(label=label, source=SOURCE)}></tag>\n")
                continue
            assert isinstance(part, Box | Polygon | Polyline | Keypoints | Mask | Track)
            known.number(part.label)
            if isinstance(part, Track):
                tracks.append(part)
            elif isinstance(part, Keypoints):
                points.setdefault(part.label, [point[0] for point in part.points])
                lines += _skeleton(part)
            elif isinstance(part, Mask) and not any(part.counts[1::2]):
                losses.add(NO_PIXEL, field=name, item=item.external_id)
            else:
                lines.append(_shape(part))
        if picture.size is None:
            losses.add(SIZE_UNKNOWN, item=item.external_id)
        height, width = picture.size or (0, 0)
        head = attributes(id=number, name=picture.name, subset=item.split or None, width=width, height=height)
        body.write(f"  <image{head}>\n{''.join(lines)}  </image>\n".encode())
        return tracks


def _shape(part: Box | Polygon | Polyline | Mask) -> str:
    common: dict[str, Any] = {"label": part.label, "source": SOURCE, "occluded": 0}
    if isinstance(part, Box):
        place: dict[str, Any] = {
            "xtl": part.x,
            "ytl": part.y,
            "xbr": short(part.x + part.width),
            "ybr": short(part.y + part.height),
        }
        return f"    <box{attributes(**common, **place, z_order=0)}></box>\n"
    if isinstance(part, Mask):
        pixels = mask_pixels(part)
        left, top, width, height = pixel_bounds(pixels)
        # CVAT counts runs along the rows of the rectangle around the mask.
        runs = run_lengths(pixels[top : top + height, left : left + width].ravel())
        place = {"rle": ", ".join(map(str, runs)), "left": left, "top": top, "width": width, "height": height}
        return f"    <mask{attributes(**common, **place, z_order=0)}></mask>\n"
    tag = "polygon" if isinstance(part, Polygon) else "polyline"
    return f"    <{tag}{attributes(**common, points=_points(part.points), z_order=0)}></{tag}>\n"


def _skeleton(part: Keypoints) -> list[str]:
    lines = [f"    <skeleton{attributes(label=part.label, source=SOURCE, z_order=0)}>\n"]
    for name, x, y, seen in part.points:
        flags = {"outside": int(seen == Visibility.ABSENT), "occluded": int(seen == Visibility.OCCLUDED)}
        lines.append(
            f"      <points{attributes(label=name, source=SOURCE, **flags, points=_points([(x, y)]))}></points>\n"
        )
    return [*lines, "    </skeleton>\n"]


def _points(points: Iterable[Point]) -> str:
    return ";".join(f"{short(x)},{short(y)}" for x, y in points)


def _head(
    file: BinaryIO,
    name: str,
    count: int,
    mode: str,
    labels: LabelNumbers,
    points: Mapping[str, Sequence[str]],
    size: tuple[int, int] | None = None,
) -> None:
    """The head of a file; `size` is the height and width of a film."""
    lines = [HEAD, "  <meta>\n    <task>\n", f"      {element('name', name)}\n", f"      {element('size', count)}\n"]
    lines += [f"      {element('mode', mode)}\n", "      <labels>\n"]
    for label in labels:
        lines += _label(label, points.get(label), "        ")
    lines += ["      </labels>\n    </task>\n"]
    if size is not None:
        sides = element("width", size[1]) + element("height", size[0])
        lines.append(f"    <original_size>{sides}</original_size>\n")
    lines.append("  </meta>\n")
    file.write("".join(lines).encode())


def _label(label: str, points: Sequence[str] | None, indent: str) -> Iterator[str]:
    yield f"{indent}<label>\n{indent}  {element('name', label)}\n"
    yield f"{indent}  {element('type', 'any' if points is None else 'skeleton')}\n{indent}  <attributes></attributes>\n"
    if points is not None:
        yield f"{indent}  <sublabels>\n"
        for point in points:
            yield f"{indent}    <label>\n{indent}      {element('name', point)}\n{indent}      <type>points</type>\n"
            yield f"{indent}      <attributes></attributes>\n{indent}    </label>\n"
        yield f"{indent}  </sublabels>\n"
    yield f"{indent}</label>\n"


def _write_film(file: BinaryIO, item: Item, tracks: list[Track], picture: Picture, labels: LabelNumbers) -> None:
    """A film: its objects with their key frames. It is as long as the last of them."""
    last = max(frame.frame for track in tracks for frame in track.frames)
    _head(file, item.external_id, last + 1, "interpolation", labels, {}, picture.size or (0, 0))
    for number, track in enumerate(tracks):
        file.write(f"  <track{attributes(id=number, label=track.label, source=SOURCE)}>\n".encode())
        for frame in track.frames:
            file.write(_key_frame(frame).encode())
        file.write(b"  </track>\n")
    file.write(b"</annotations>\n")


def _key_frame(frame: KeyFrame) -> str:
    place = {
        "xtl": frame.x,
        "ytl": frame.y,
        "xbr": short(frame.x + frame.width),
        "ybr": short(frame.y + frame.height),
    }
    flags = {"keyframe": 1, "outside": int(frame.outside), "occluded": int(frame.occluded)}
    return f"    <box{attributes(frame=frame.frame, **flags, **place, z_order=0)}></box>\n"


WRITERS = (CvatXml(),)

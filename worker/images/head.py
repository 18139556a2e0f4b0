"""What the first bytes of an image tell of it. No I/O."""

import base64
import binascii
import io
import re
import struct
from collections.abc import Mapping
from typing import Final

import imagesize

from generations.dialect import ImageFacts

#: So much of an image is looked at, in bytes; headers with long profiles end well before.
LONGEST_HEAD: Final = 256 * 1024
#: What files of the formats begin with that the library reads in time, whatever they hold:
#: PNG, JPEG, GIF, WebP, BMP, TIFF, JPEG 2000, AVIF and HEIC.
FORMATS: Final = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|BM|II\*\x00|MM\x00\*"
    rb"|\x00\x00\x00\x0cjP  |....ftyp",
    re.DOTALL,
)
_INLINE: Final = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_RANGE: Final = re.compile(r"bytes \d+-\d+/(\d{1,18})")


def read_size(head: bytes) -> tuple[int, int] | None:
    """Width and height as they are stored; None where the bytes do not tell."""
    if not FORMATS.match(head):
        return None
    try:
        width, height = imagesize.get(io.BytesIO(head), exif_rotation=False)
    except (ValueError, IndexError, OverflowError, struct.error):
        return None
    return (width, height) if width > 0 and height > 0 else None


def facts_of(head: bytes, *, file_size: int | None) -> ImageFacts:
    """What is known of an image, as far as its first bytes tell."""
    size = read_size(head)
    width, height = size or (None, None)
    return ImageFacts(width=width, height=height, file_size=file_size)


def facts_inline(url: str) -> ImageFacts | None:
    """What a ``data:`` URI tells of the image in it; None where it is none in base64."""
    begin = _INLINE.match(url)
    if begin is None:
        return None
    start = begin.end()
    try:
        head = base64.b64decode(url[start : start + LONGEST_HEAD // 3 * 4])
    except (binascii.Error, ValueError):
        return None
    return facts_of(head, file_size=(len(url) - start) * 3 // 4)


def file_size_of(status_code: int, headers: Mapping[str, str]) -> int | None:
    """How long the whole file is, in bytes, as an answer to a request for its head says."""
    if status_code == 206:
        told = _RANGE.fullmatch(headers.get("content-range", ""))
        return int(told[1]) if told else None
    length = headers.get("content-length", "")
    is_whole = status_code == 200 and "content-encoding" not in headers
    return int(length) if is_whole and length.isdecimal() and len(length) <= 18 else None

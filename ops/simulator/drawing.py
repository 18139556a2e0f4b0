"""What an output looks like: a strip of film with the prompt on it. Pillow only, no I/O."""

import colorsys
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Size = tuple[int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_PAPER: Final[Colour] = (244, 240, 232)
_FAINT: Final[Colour] = (168, 160, 150)
_STRIP: Final[Colour] = (16, 14, 14)
_CELLS: Final = 24


@dataclass(frozen=True, slots=True)
class Card:
    """What is to be shown, and how large."""

    title: str
    prompt: str
    size: Size


def size_of(ratio: str, short_side: int) -> Size:
    """Even width and height, as H.264 wants them; an unknown ratio ("adaptive") is 16:9."""
    width, _, height = ratio.partition(":")
    across, down = (int(width), int(height)) if height.isdecimal() else (16, 9)
    unit = short_side / min(across, down)
    return round(across * unit / 2) * 2, round(down * unit / 2) * 2


def draw_card(card: Card) -> Image.Image:
    """The part that stands still: ground, title and wrapped prompt."""
    width, height = card.size
    image = Image.new("RGB", card.size, _ground(card.prompt))
    draw = ImageDraw.Draw(image)
    unit = min(width, height)
    margin = unit // 10
    draw.text((margin, unit // 7), card.title, fill=_FAINT, font=_font(unit // 24))
    box = (width - 2 * margin, height - unit // 2)
    text, font = _fitted(card.prompt, box, unit)
    draw.multiline_text((margin, unit // 4), text, fill=_PAPER, font=font, spacing=unit // 60)
    return image


def draw_still(card: Card) -> Image.Image:
    """A picture: the still part between two rows of perforations."""
    image = draw_card(card)
    _draw_perforations(ImageDraw.Draw(image), image.size, 0.0)
    return image


def draw_motion(still: Image.Image, seconds: float, share: float) -> Image.Image:
    """A frame: the still part, perforations that run by, the time, a bar that fills."""
    image = still.copy()
    draw = ImageDraw.Draw(image)
    _draw_perforations(draw, image.size, seconds)
    _draw_bar(draw, image.size, share)
    unit = min(image.size)
    place = (unit // 10, image.size[1] - unit * 9 // 40)
    draw.text(place, f"{seconds:05.2f} s", fill=_FAINT, font=_font(unit // 24))
    return image


def _ground(prompt: str) -> Colour:
    """A dark colour of the prompt's own; the same prompt always has the same."""
    hue = zlib.crc32(prompt.encode()) % 360 / 360
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.55, 0.28)
    return round(red * 255), round(green * 255), round(blue * 255)


@lru_cache(maxsize=64)
def _font(size: int) -> Font:
    return ImageFont.load_default(max(8, size))


def _fitted(text: str, box: Size, unit: int) -> tuple[str, Font]:
    """The text wrapped in the largest of four sizes that fits, or else cut off."""
    lines: list[str] = []
    font = _font(8)
    room = 1
    for divisor in (12, 16, 22, 30):
        font = _font(unit // divisor)
        room = max(1, int(box[1] / (unit / divisor * 1.35)))
        lines = _wrapped(text, font, box[0])
        if len(lines) <= room:
            return "\n".join(lines), font
    return "\n".join([*lines[: room - 1], lines[room - 1] + " …"]), font


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    lines = [""]
    for word in text.split()[:400]:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _draw_perforations(draw: ImageDraw.ImageDraw, size: Size, seconds: float) -> None:
    width, height = size
    strip = min(size) // 12
    step, hole = strip, strip // 2
    for top in (0, height - strip):
        draw.rectangle((0, top, width, top + strip), fill=_STRIP)
        for left in range(-int(seconds * 2 * step) % step - step, width, step):
            inner = top + (strip - hole) // 2
            draw.rounded_rectangle((left, inner, left + hole, inner + hole), 2, fill=_PAPER)


def _draw_bar(draw: ImageDraw.ImageDraw, size: Size, share: float) -> None:
    width, height = size
    unit = min(size)
    margin, bottom, tall = unit // 10, height - unit // 8, unit // 30
    pitch = (width - 2 * margin) / _CELLS
    for cell in range(_CELLS):
        left = margin + cell * pitch
        colour = _PAPER if cell < share * _CELLS else _STRIP
        draw.rectangle((left, bottom - tall, left + pitch * 0.8, bottom), fill=colour)

"""Real images for tests, in every format that they come in."""

import base64
import io

from PIL import Image


def an_image(width: int, height: int, *, kind: str = "PNG", noisy: bool = False) -> bytes:
    """An image's file; a noisy one is long."""
    if noisy:
        image = Image.effect_noise((width, height), 60).convert("RGB")
    else:
        image = Image.new("RGB", (width, height), "teal")
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def inline(file: bytes) -> str:
    """A file as a ``data:`` URI."""
    return f"data:image/png;base64,{base64.b64encode(file).decode()}"

"""The files that generations make: real MP4 and PNG, rendered when somebody first asks."""

import asyncio
import io
import math
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import cache, partial
from typing import Final

import av
from av.container import OutputContainer
from PIL import Image

from ops.simulator.drawing import Card, draw_card, draw_motion, draw_still, size_of
from ops.simulator.ledger import Submission

_FRAMES_PER_SECOND: Final = 8
_SAMPLES_PER_SECOND: Final = 16_000
_SAMPLES_PER_FRAME: Final = 1_024
_TONE_HERTZ: Final = 220.0

# Smaller than asked for, in step with it: an output is to be seen, not to be judged.
_SHORT_SIDES: Final = {"480p": 360, "720p": 480, "1080p": 720, "1K": 512, "2K": 1_024}


class Gallery:
    """The rendered outputs, the latest of them kept. Renders each only once at a time."""

    def __init__(self, *, kept: int = 64) -> None:
        self._kept = kept
        self._files: OrderedDict[str, asyncio.Future[bytes]] = OrderedDict()
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="render")

    async def fetch(self, submission: Submission) -> bytes:
        """An output's bytes, the same for each; who asks meanwhile waits for one rendering."""
        name = submission.request_id
        if name not in self._files:
            loop = asyncio.get_running_loop()
            self._files[name] = loop.run_in_executor(self._threads, render, submission)
            self._files[name].add_done_callback(partial(self._forget_failure, name))
        self._files.move_to_end(name)
        while len(self._files) > self._kept:
            self._files.popitem(last=False)
        # One caller's going away must not cancel what another waits for.
        return await asyncio.shield(self._files[name])

    def _forget_failure(self, name: str, file: "asyncio.Future[bytes]") -> None:
        if file.cancelled() or file.exception() is not None:
            self._files.pop(name, None)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def render(submission: Submission) -> bytes:
    """A submission's output, as playable bytes. Takes some tenths of a second of CPU."""
    model, body = submission.model, submission.input
    ratio = model.option(body, "ratio") or model.option(body, "aspect_ratio") or "1:1"
    size = size_of(ratio, _SHORT_SIDES.get(model.option(body, "resolution"), 360))
    card = Card(title=model.model_id, prompt=str(body.get("prompt", "")), size=size)
    if model.makes == "image":
        return render_image(card, str(model.option(body, "output_format") or "png"))
    seconds = int(model.option(body, "duration") or 5)
    return render_video(card, seconds, has_sound=bool(model.option(body, "generate_audio")))


def render_image(card: Card, file_format: str) -> bytes:
    image = draw_still(card)
    stream = io.BytesIO()
    image.save(stream, file_format.upper(), compress_level=1)
    return stream.getvalue()


def render_video(card: Card, seconds: int, *, has_sound: bool) -> bytes:
    """An H.264 MP4, with an AAC tone if it is to have sound."""
    stream = io.BytesIO()
    # The index comes last ("faststart" needs a file on disk); players ask for its range.
    with av.open(stream, "w", format="mp4") as container:
        picture = container.add_stream("libx264", rate=_FRAMES_PER_SECOND)
        picture.width, picture.height = card.size
        picture.pix_fmt = "yuv420p"
        picture.options = {"preset": "ultrafast", "crf": "26"}
        sound = _add_sound(container) if has_sound else None
        for image in _frames(card, seconds):
            frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]  # PyAV's gap.
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        if sound is not None:
            for tone in _tone(seconds):
                container.mux(sound.encode(tone))
            container.mux(sound.encode(None))
    return stream.getvalue()


def _add_sound(container: OutputContainer) -> av.AudioStream:
    sound = container.add_stream("aac", rate=_SAMPLES_PER_SECOND, layout="mono")
    sound.options = {"aac_coder": "fast"}  # The default weighs each band twice as long.
    return sound


def _frames(card: Card, seconds: int) -> Iterator[Image.Image]:
    still = draw_card(card)
    count = seconds * _FRAMES_PER_SECOND
    for number in range(count):
        yield draw_motion(still, number / _FRAMES_PER_SECOND, (number + 1) / count)


def _tone(seconds: int) -> Iterator[av.AudioFrame]:
    """A quiet tone that swells twice a second."""
    # Every partial is a whole number of Hertz, so one second is all there is to compute.
    samples = _one_second() * (seconds + 1)
    for first in range(0, seconds * _SAMPLES_PER_SECOND, _SAMPLES_PER_FRAME):
        frame = av.AudioFrame(format="fltp", layout="mono", samples=_SAMPLES_PER_FRAME)
        frame.sample_rate = _SAMPLES_PER_SECOND
        frame.pts = first
        frame.time_base = Fraction(1, _SAMPLES_PER_SECOND)
        frame.planes[0].update(samples[first : first + _SAMPLES_PER_FRAME].tobytes())
        yield frame


@cache
def _one_second() -> "array[float]":
    return array("f", map(_sample, range(_SAMPLES_PER_SECOND)))


def _sample(number: int) -> float:
    turn = 2 * math.pi * number / _SAMPLES_PER_SECOND
    return 0.08 * math.sin(_TONE_HERTZ * turn) * (0.6 + 0.4 * math.sin(2 * turn))

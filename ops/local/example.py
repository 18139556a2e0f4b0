"""The example that everything is shown with: that of the first model's own page.

https://www.runcomfy.com/models/bytedance/seedance-v1.5-pro/image-to-video/api
"""

import json
import shlex
from typing import Final
from urllib.parse import urlencode

MODEL_ID: Final = "bytedance/seedance-v1.5-pro/image-to-video"

#: To the letter: two spaces before the last sentence, and one after it.
INPUT: Final = {
    "prompt": (
        "A gentle breeze blows softly, and the real girl's body remains stable. Her long hair, "
        "including the hair below, flutters naturally. The anime girl on the phone screen first "
        "closes her eyes for 2 seconds, then slowly opens them, with her mouth remaining still "
        "and silent. Her hair, including the hair below, also flutters naturally in the breeze "
        "in perfect synchronization. The rhythm and direction of the hair fluttering of the two "
        "girls are exactly the same.  The subway train moves rapidly, emitting a low rumbling "
        "echo. "
    ),
    "first_frame_image_url": (
        "https://playgrounds-storage-public.runcomfy.net/tools/7272/media-files/input-1-1.png"
    ),
}


def submit_url(gateway: str, webhook: str) -> str:
    """The RunComfy-compatible route for the example, with an endpoint to call back."""
    return f"{gateway}/v1/models/{MODEL_ID}?{urlencode({'webhook': webhook})}"


def curl_line(gateway: str, *, api_key: str, webhook: str) -> str:
    """One line for a shell that submits the example."""
    # JSON may write an apostrophe as \u0027: it then needs no tricks in any shell.
    body = json.dumps(INPUT).replace("'", "\\u0027")
    words = [
        "curl",
        submit_url(gateway, webhook),
        *("-H", f"Authorization: Bearer {api_key}"),
        *("-H", "Content-Type: application/json"),
        *("--data", body),
    ]
    return shlex.join(words)

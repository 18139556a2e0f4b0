"""``darkroom demo``: everything real, from nothing to nothing, and honest about what broke."""

import json

from tests.acceptance.local_stack import run, settings


def test_it_tells_the_whole_story_and_ends_well() -> None:
    # Twice as fast as the model; any faster and no poll would find it in the queue.
    demo = run("demo", environment=settings(simulator_speed="2"))
    assert demo.returncode == 0, demo.stdout + demo.stderr
    told = iter(demo.stdout.splitlines())
    for word in (
        "queued",
        "submitting",
        "in queue at position",
        "in progress",
        "succeeded",
        "callback attempt 1: 200",
        "signature verified",
        "video/mp4",
        "paid submissions    1",
    ):
        assert any(word in line for line in told), f"{word!r} is missing, or too early"
    assert demo.stdout.splitlines()[-1] == "demo: 1 generation succeeded, 1 callback verified"
    assert "\x1b" not in demo.stdout


def test_it_takes_nothing_from_a_real_setup_and_says_what_did_not_hold() -> None:
    rates = json.dumps({"submit": {"failed": 1}})
    environment = settings(simulator_speed="20", simulator_fault_rates=rates) | {
        "DARKROOM_REDIS_URL": "redis://redis.invalid:6379/0",
        "DARKROOM_GATEWAY_PORT": "nonsense",
        "RUNCOMFY_API_TOKEN": "a-real-token",
    }
    demo = run("demo", environment=environment)
    assert demo.returncode == 1
    assert "demo: not so: the generation succeeded; it is failed" in demo.stderr
    assert "The end of worker's log:" in demo.stderr
    assert "demo: 1 generation succeeded" not in demo.stdout

import pytest

from ops.simulator.catalog import Catalog, Input, Model
from ops.simulator.settings import SimulatorSettings

SEEDANCE = "bytedance/seedance-v1.5-pro/image-to-video"
SEEDREAM = "bytedance/seedream-5.0-pro/text-to-image"
FRAME = "https://example.com/frame.png"


def the_model(model_id: str) -> Model:
    model = Catalog.from_files().find(model_id)
    assert model is not None
    return model


def an_input(**fields: object) -> Input:
    return {"prompt": "a fox", "first_frame_image_url": FRAME} | fields


def test_seedance_has_every_field_and_validation_of_its_page() -> None:
    schema = the_model(SEEDANCE).record["input_schema"]
    properties = schema["properties"]
    assert list(properties) == [
        "prompt",
        "first_frame_image_url",
        "resolution",
        "ratio",
        "duration",
        "generate_audio",
        "camera_fixed",
    ]
    assert schema["required"] == ["prompt", "first_frame_image_url"]
    assert [v["validation_rule"] for v in properties["first_frame_image_url"]["validations"]] == [
        "width_pixels<",
        "height_pixels<",
        "width_pixels>",
        "height_pixels>",
        "width/height>",
        "width/height<",
        "file_size_mb<",
    ]
    assert properties["duration"]["enum"] == list(range(4, 13))


@pytest.mark.parametrize(
    ("body", "where", "kind"),
    [
        (an_input(duration=3), ["body", "duration"], "enum"),
        (an_input(prompt=5), ["body", "prompt"], "type"),
        (an_input(generate_audio="yes"), ["body", "generate_audio"], "type"),
        ({"prompt": "a fox"}, ["body", "first_frame_image_url"], "missing"),
        ([], ["body"], "type"),
    ],
)
def test_a_violation_says_where_and_what(body: object, where: list[str], kind: str) -> None:
    (violation,) = the_model(SEEDANCE).violations(body)
    assert (violation["loc"], violation["type"]) == (where, kind)


def test_fields_that_the_schema_does_not_know_are_let_through() -> None:
    assert the_model(SEEDANCE).violations(an_input(lora={"path": "mine"})) == []


def test_prices_follow_seconds_and_resolution() -> None:
    assert the_model(SEEDANCE).price_of(an_input(duration=10)) == 0.5
    assert the_model(SEEDREAM).price_of({"prompt": "x"}) == 0.08
    assert the_model(SEEDREAM).price_of({"prompt": "x", "resolution": "1K"}) == 0.04


def test_settings_read_seconds_numbers_and_json_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"TOKEN": "t", "HANG_FOR": "2.5", "RETENTION": "P1D", "SUBMIT_STATUS": "202"}
    for name, value in given.items():
        monkeypatch.setenv(f"DARKROOM_SIMULATOR_{name}", value)
    monkeypatch.setenv("DARKROOM_SIMULATOR_FAULT_RATES", '{"submit": {"answer_lost": 0.02}}')
    settings = SimulatorSettings()
    assert settings.hang_for.total_seconds() == 2.5
    assert settings.retention.days == 1
    assert settings.submit_status == 202
    assert settings.fault_rates == {"submit": {"answer_lost": 0.02}}

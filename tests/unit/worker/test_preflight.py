"""What a pre-flight says of the images it looked at."""

from generations.dialect import Image, ImageFacts, Measure, Rule
from worker.preflight import LONGEST_MESSAGE, faults_of_images

WIDE = Rule(Measure.WIDTH, is_upper=True, limit=6000.0, message="At most 6000 pixels.")
HIGH = Rule(Measure.HEIGHT, is_upper=True, limit=6000.0, message="At most 6000 pixels.")
RATIO = Rule(Measure.RATIO, is_upper=True, limit=2.5, message="At most 2.5 times as wide.")


def an_image(*path: str | int, rules: tuple[Rule, ...] = (WIDE, HIGH, RATIO)) -> Image:
    return Image(path, "https://images.example/cat.png?sig=1", rules)


def test_images_within_their_rules_are_not_mentioned() -> None:
    assert faults_of_images([(an_image("image"), ImageFacts(100, 100, 5))]) == ""
    assert faults_of_images([]) == ""


def test_the_schemas_own_words_are_said_once_for_each_field() -> None:
    looked = [
        (an_image("image"), ImageFacts(7000, 7000)),
        (an_image("images", 1), ImageFacts(700, 100)),
    ]
    assert faults_of_images(looked) == (
        "image: At most 6000 pixels. images.1: At most 2.5 times as wide."
    )


def test_an_image_that_could_not_be_looked_at_is_not_mentioned() -> None:
    assert faults_of_images([(an_image("image"), None), (an_image("other"), ImageFacts())]) == ""


def test_what_is_said_is_bounded() -> None:
    looked = [(an_image("images", n), ImageFacts(7000, 700)) for n in range(100)]
    assert len(faults_of_images(looked)) == LONGEST_MESSAGE

"""The dashboards: files that Grafana reads, as ``ops.dashboards.build`` writes them."""

import json
from itertools import combinations
from typing import Any

import pytest

from ops.dashboards.build import DASHBOARDS, FOLDER, written


@pytest.mark.parametrize("name", sorted(DASHBOARDS))
def test_each_file_is_what_is_built(name: str) -> None:
    assert (FOLDER / name).read_text() == written(DASHBOARDS[name]), (
        "run python -m ops.dashboards.build"
    )


def test_there_are_no_other_files() -> None:
    assert {file.name for file in FOLDER.glob("*.json")} == set(DASHBOARDS)


@pytest.mark.parametrize("name", sorted(DASHBOARDS))
def test_each_panel_has_queries_and_a_place_of_its_own(name: str) -> None:
    board = json.loads((FOLDER / name).read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["type"] == "row" or all(target["expr"] for target in panel["targets"])
    overlapping = [
        (one["title"], other["title"])
        for one, other in combinations(panels, 2)
        if overlap(one["gridPos"], other["gridPos"])
    ]
    assert overlapping == []


def test_each_dashboard_is_known_by_a_name_of_its_own() -> None:
    assert len({board["uid"] for board in DASHBOARDS.values()}) == len(DASHBOARDS)


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(
        one[at] < other[at] + other[length] and other[at] < one[at] + one[length]
        for at, length in (("x", "w"), ("y", "h"))
    )

"""The parts of a Grafana dashboard, as its JSON has them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

#: Grafana's own choice among those that it knows; see ``templating`` below.
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH: Final = 24
#: Width and height by the kind of panel.
_SIZES: Final = {"stat": (4, 4), "timeseries": (8, 8)}


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: queries by what they show."""

    title: str
    queries: dict[str, str]
    #: Grafana's name of it: s, ops, percentunit, short.
    unit: str = "short"
    kind: str = "timeseries"
    says: str = ""
    #: Above these it is shown in yellow and in red.
    limits: tuple[float, ...] = ()
    #: What values are called.
    words: dict[str, str] = field(default_factory=dict)


def dashboard(uid: str, title: str, says: str, rows: dict[str, Sequence[Panel]]) -> dict[str, Any]:
    """A dashboard whose panels stand in titled rows."""
    panels: list[dict[str, Any]] = []
    top = 0
    for name, row in rows.items():
        place = {"h": 1, "w": _WIDTH, "x": 0, "y": top}
        panels.append({"type": "row", "title": name, "collapsed": False, "gridPos": place})
        placed, top = _place(row, top + 1)
        panels += placed
    return {
        "uid": uid,
        "title": title,
        "description": says,
        "tags": ["darkroom"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "graphTooltip": 1,
        "links": [
            {"type": "dashboards", "tags": ["darkroom"], "title": "Darkroom", "asDropdown": False}
        ],
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                }
            ]
        },
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, 1)],
    }


def _place(row: Sequence[Panel], top: int) -> tuple[list[dict[str, Any]], int]:
    placed, left, height = [], 0, 0
    for panel in row:
        width, own_height = _SIZES[panel.kind]
        if left + width > _WIDTH:
            left, top = 0, top + height
        height = own_height
        placed.append(_panel(panel, {"h": height, "w": width, "x": left, "y": top}))
        left += width
    return placed, top + height


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + n), "expr": expr, "legendFormat": legend}
            for n, (legend, expr) in enumerate(panel.queries.items())
        ],
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    colours = ("green", "yellow", "red") if len(panel.limits) > 1 else ("green", "red")
    steps = [
        {"color": colour, "value": limit}
        for colour, limit in zip(colours, (None, *panel.limits), strict=False)
    ]
    shown = {value: {"text": text} for value, text in panel.words.items()}
    return {
        "unit": panel.unit,
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": [{"type": "value", "options": shown}] if shown else [],
    }

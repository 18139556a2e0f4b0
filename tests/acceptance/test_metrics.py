"""Metrics, as Prometheus scrapes them from real processes."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml
from prometheus_client.samples import Sample

from ops.dashboards.build import DASHBOARDS
from tests.acceptance.observed import GATEWAY, WORKER, Observed
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.prometheus import Prometheus
from tests.acceptance.waiting import eventually

RULES: Final = Path(__file__).parents[2] / "ops/dashboards/alerts.yml"
_NAMED: Final = re.compile(r"\b(darkroom_\w+)(?:\{([^}]*)\})?")
_MATCHER: Final = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')


@pytest.fixture(autouse=True)
def quiet(observed: Observed) -> None:
    """What earlier tests began has ended."""

    def unfinished() -> float:
        return value(observed.exported(WORKER), "darkroom_unfinished")

    eventually(lambda: unfinished() == 0, "nothing is unfinished")


def drawn() -> list[str]:
    """Whatever a dashboard asks Prometheus for."""
    panels = [panel for board in DASHBOARDS.values() for panel in board["panels"]]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def expressions() -> list[str]:
    """Whatever a dashboard or an alert asks Prometheus for."""
    groups: Any = yaml.safe_load(RULES.read_text())["groups"]
    return [*drawn(), *(rule["expr"] for group in groups for rule in group["rules"])]


def value(samples: list[Sample], name: str, **labels: str) -> float:
    """The sum of what is exported under a name, where it has these labels."""
    return sum(
        sample.value
        for sample in samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_whatever_a_dashboard_or_an_alert_names_is_exported(
    observed: Observed, watched: OriginClient
) -> None:
    endpoint = watched.endpoint()
    watched.submit(an_input(), webhook=endpoint.url)
    endpoint.wait_for_event("generation.succeeded")
    samples = [*observed.exported(GATEWAY), *observed.exported(WORKER)]
    asked = [found for expression in expressions() for found in _NAMED.findall(expression)]
    assert asked
    missing = [
        f"{name}{{{matchers}}}"
        for name, matchers in asked
        if not any(fits(sample, name, matchers) for sample in samples)
    ]
    assert missing == []


def test_every_panel_has_something_to_show(
    observed: Observed, watched: OriginClient, tmp_path: Path
) -> None:
    prometheus = Prometheus(observed.exporters, tmp_path, observed.stack.warden)
    prometheus.start()
    try:
        endpoint = watched.endpoint()
        watched.submit(an_input(), webhook=endpoint.url)
        endpoint.wait_for_event("generation.succeeded")
        for query in drawn():
            eventually(partial(prometheus.ask, query), f"{query} finds data")
    finally:
        prometheus.close()


def fits(sample: Sample, name: str, matchers: str) -> bool:
    """Whether a sample is one that a selector is meant for."""
    if sample.name != name:
        return False
    for label, how, wanted in _MATCHER.findall(matchers):
        found = sample.labels.get(label)
        if found is None or (how == "=" and found != wanted):
            return False
        if how == "=~" and not re.fullmatch(wanted, found):
            return False
    return True


def test_one_generation_is_counted_at_each_of_its_steps(
    observed: Observed, watched: OriginClient
) -> None:
    before = observed.exported(WORKER)
    endpoint = watched.endpoint(500)
    generation_id = watched.submit(an_input(), webhook=endpoint.url)
    endpoint.wait_for(2)
    watched.wait_until_delivered(generation_id)
    record = watched.record(generation_id)

    def grown(name: str, **labels: str) -> float:
        return value(observed.exported(WORKER), name, **labels) - value(before, name, **labels)

    what = "the delivery's end is counted"
    eventually(lambda: grown("darkroom_deliveries_total", outcome="delivered") == 1, what)
    assert grown("darkroom_submissions_total", outcome="accepted") == 1
    assert grown("darkroom_moves_total", status="succeeded", model=record["model"]) == 1
    assert grown("darkroom_polls_per_generation_sum") == record["polls"]
    assert grown("darkroom_attempts_total", result="5xx") == 1
    assert grown("darkroom_attempts_total", result="2xx") == 1
    # The simulator tells when it ended, as RunComfy does.
    assert grown("darkroom_detection_delay_seconds_count", source="runcomfy") == 1
    assert grown("darkroom_status_seconds_count", status="queued") == 1
    for lane in ("submissions", "polls", "deliveries"):
        assert grown("darkroom_claims_total", lane=lane) > 0
        assert grown("darkroom_due_lag_seconds_count", lane=lane) > 0


def test_any_gateway_process_tells_what_all_of_them_counted(
    observed: Observed, watched: OriginClient
) -> None:
    before = value(observed.exported(GATEWAY), "darkroom_accepts_total")
    # Over a connection of its own each: whichever process is free takes it.
    for _ in range(20):
        with httpx.Client(base_url=observed.stack.gateway_url, trust_env=False) as http:
            watched.post(an_input(), http=http).raise_for_status()
    what = "all accepts are counted"
    eventually(
        lambda: value(observed.exported(GATEWAY), "darkroom_accepts_total") - before == 20, what
    )


def test_a_refusal_is_counted_under_its_code(observed: Observed, watched: OriginClient) -> None:
    def refused() -> float:
        return value(observed.exported(GATEWAY), "darkroom_refusals_total", code="invalid_body")

    before = refused()
    answer = watched.call("POST", "/v1/generations", content=b"{")
    assert json.loads(answer.text)["code"] == "invalid_body"
    eventually(lambda: refused() == before + 1, "the refusal is counted")


@pytest.mark.parametrize("exporter", [GATEWAY, WORKER])
def test_every_exporter_tells_the_same_facts(observed: Observed, exporter: str) -> None:
    samples = observed.exported(exporter)
    assert value(samples, "darkroom_redis_up") == 1
    for lane in ("submissions", "polls", "deliveries"):
        assert any(
            sample.name == "darkroom_oldest_due_age_seconds" and sample.labels == {"lane": lane}
            for sample in samples
        )


def test_metrics_are_not_among_the_routes_that_callers_have(observed: Observed) -> None:
    answer = httpx.get(f"{observed.stack.gateway_url}/metrics", trust_env=False)
    assert answer.status_code == 404


def test_no_label_holds_what_is_one_generations_or_one_origins(
    observed: Observed, watched: OriginClient
) -> None:
    generation_id = watched.submit(an_input(), model_id="somebody/made/this-up")
    watched.wait_until_finished(generation_id)
    told = observed.exposition(GATEWAY) + observed.exposition(WORKER)
    assert 'model="other"' in told
    assert [word for word in (generation_id, watched.name, "made/this-up") if word in told] == []

"""The table that ``make bench`` prints."""

from bench.table import ROWS, table

MACHINE = {"python": "3.11.7", "architecture": "x86_64", "cores": 2, "memory_gib": 8}
#: What a reader of ``build/bench.json`` counts on.
PROMISED = {
    "polls_per_cpu_s",
    "polls_ratio_countdown",
    "polls_ratio_bare_client",
    "pacing_delay_ratio_lognormal",
    "pacing_delay_ratio_worst",
    "pacing_vs_optimum",
    "accepts_per_cpu_s",
    "accepts_ratio_plain",
    "deliveries_per_cpu_s",
    "capacity_in_flight",
    "capacity_due_lag_p99_s",
    "capacity_worker_rss_mb",
    "capacity_bytes_per_generation",
    "generations_per_cpu_s",
    "end_to_callback_p50_s",
    "end_to_callback_p99_s",
}


def test_every_promised_figure_has_a_row() -> None:
    assert {name for name, *_ in ROWS} >= PROMISED


def test_a_figure_is_written_as_people_read_it() -> None:
    said = table({"polls_per_cpu_s": 3294.4, "polls_ratio_countdown": 8.914, "machine": MACHINE})

    assert "| polls per worker CPU-second | 3,294 | 2,000 |" in said
    assert "| … of the best `countdown` peer's | 8.91 × | 8 × |" in said


def test_what_was_not_measured_has_no_row() -> None:
    said = table({"polls_per_cpu_s": 1.0, "machine": MACHINE})

    assert "accepts" not in said
    assert said.endswith("Python 3.11.7, x86_64, 2 cores, 8 GiB.")

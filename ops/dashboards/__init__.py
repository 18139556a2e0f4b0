"""What Grafana and Prometheus are given: dashboards, and alerts that lead into the runbook."""

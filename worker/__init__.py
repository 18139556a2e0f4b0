"""Submits, polls, delivers. ``celery -A worker worker`` finds its application here."""

from worker.app import celery

__all__ = ["celery"]

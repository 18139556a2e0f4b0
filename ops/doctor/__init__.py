"""``darkroom doctor``: what Darkroom depends on, looked at, judged, and what to do about it."""

from ops.doctor.report import run_doctor

__all__ = ["run_doctor"]

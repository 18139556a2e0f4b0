"""``darkroom doctor``: what Darkroom depends on, looked at, judged, and what to do about it."""

from ops.doctor.report import print_settings, run_doctor
from ops.doctor.settings import settings_now

__all__ = ["print_settings", "run_doctor", "settings_now"]

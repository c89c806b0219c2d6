"""The application of Django's registry. It opens no database: that waits for the first use."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core import checks
from django.core.signals import setting_changed

import bosa_auth

__all__ = ["BosaAuthConfig"]


class BosaAuthConfig(AppConfig):
    """``bosa_auth.django`` in ``INSTALLED_APPS``."""

    name = "bosa_auth.django"
    label = "bosa_auth"
    verbose_name = "BOSA Auth"

    def ready(self) -> None:
        """Connects the signals and registers the checks."""
        from bosa_auth.django import _checks, _signals

        checks.register(_checks.check, checks.Tags.security)
        user_logged_in.connect(_signals.logged_in, dispatch_uid="bosa_auth")
        user_logged_out.connect(_signals.logged_out, dispatch_uid="bosa_auth")
        setting_changed.connect(_changed, dispatch_uid="bosa_auth")


def _changed(*, setting: str, **_: Any) -> None:
    """Tests change settings; the next use opens what the new ones name."""
    if setting == "BOSA_AUTH":
        bosa_auth.shutdown()

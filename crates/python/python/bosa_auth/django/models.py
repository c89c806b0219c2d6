"""Which account of the project belongs to which user of BOSA Auth."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

__all__ = ["BosaAccount"]


class BosaAccount(models.Model):
    """The account that :class:`~bosa_auth.django.backends.BosaAuthBackend` made for a user.

    Accounts and users are matched by the user's id and nothing else.
    """

    bosa_user_id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, editable=False)
    """The user's id in BOSA Auth."""
    client_id: models.UUIDField[UUID, UUID] = models.UUIDField(editable=False)
    """The id of the user's client."""
    identifier: models.CharField[str, str] = models.CharField(max_length=320, editable=False)
    """The user's identifier when it last logged in; for people, not to decide anything by."""
    user: models.OneToOneField[AbstractBaseUser, AbstractBaseUser] = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="bosa_account", editable=False
    )
    """The account in the project."""

    class Meta:
        app_label = "bosa_auth"

    def __str__(self) -> str:
        return self.identifier

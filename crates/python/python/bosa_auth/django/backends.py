"""Logging users of BOSA Auth in to a Django project."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from bosa_auth.django import _session
from bosa_auth.django._instance import client_api_key, services
from bosa_auth.django.models import BosaAccount
from bosa_auth.exception import (
    InvalidClientException,
    InvalidInputException,
    PermissionDeniedException,
    RateLimitedException,
    UnauthorizedException,
)
from bosa_auth.models import CurrentUser

__all__ = ["BosaAuthBackend"]

_log = logging.getLogger("bosa_auth.web")


class BosaAuthBackend(ModelBackend):
    """Logs in the users of the client of ``BOSA_AUTH["CLIENT_API_KEY"]``.

    A user gets an account of the project at its first login, and the same one ever after: they are
    matched by the user's id in BOSA Auth, whatever its identifier is then. An account that was not made
    here is never touched, whatever its name is: a user that is called ``admin`` is not the project's
    ``admin``. The new account has no password, no rights, and the user's id as its name.

    Permissions and groups work as with Django's ``ModelBackend``.

    The next backend is asked when the user is unknown, its secret is wrong, or it tried too often (which
    is logged): whoever guesses here must not lock out an account of the project with the same name. A
    client key that is refused is logged as an error. A database that cannot be reached is raised, and
    answered 503 by the middleware.
    """

    @sensitive_variables("password", "bosa_token", "token", "given")
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        *,
        bosa_token: str | None = None,
        **given: Any,
    ) -> Any:
        """The account of a user, by identifier and secret or by a token of BOSA Auth.

        Args:
            request: The request, if there is one.
            username: The user's identifier.
            password: The user's secret.
            bosa_token: A token in place of both.
            given: May have the identifier by the name that the project's accounts have for theirs.
        """
        if username is None:
            username = given.get(_name_of_identifier())
        try:
            if bosa_token is not None:
                token = bosa_token
            elif username is not None and password is not None:
                token = _log_in(username, password)
            else:
                return None
            current = services().verify_token_service.current_user(token, client_api_key())
        except (UnauthorizedException, InvalidInputException):
            return None
        except RateLimitedException as error:
            _log.warning("a user may try to log in again in %.0f seconds", error.retry_after)
            return None
        except (InvalidClientException, PermissionDeniedException) as error:
            _log.error("nobody can log in with BOSA_AUTH['CLIENT_API_KEY']: %s", error)
            return None
        user = self._account(request, current).user
        if not self.user_can_authenticate(user):
            return None
        # For the session, if the user is logged in to one.
        vars(user)[_session.TOKEN] = token
        return user

    # The base class has its own, which asks the project's passwords.
    async def aauthenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **given: Any,
    ) -> Any:
        """The same for async views."""
        return await sync_to_async(self.authenticate)(request, username, password, **given)

    def get_user(self, user_id: Any) -> Any:
        """The account with this primary key, if it was made here and is active."""
        account = BosaAccount._default_manager.select_related("user").filter(user_id=user_id).first()
        if account is None or not self.user_can_authenticate(account.user):
            return None
        return account.user

    async def aget_user(self, user_id: Any) -> Any:
        """The same for async views."""
        return await sync_to_async(self.get_user)(user_id)

    def configure_user(
        self, request: HttpRequest | None, user: AbstractBaseUser, bosa_user: CurrentUser
    ) -> None:
        """Fills the fields of a new account before it is saved; for subclasses.

        Nobody has checked that an identifier that looks like an e-mail address is the user's.
        """

    def _account(self, request: HttpRequest | None, current: CurrentUser) -> BosaAccount:
        accounts = BosaAccount._default_manager.select_related("user")
        account = accounts.filter(bosa_user_id=current.user_id).first()
        name = str(current.user_id)
        # The name is tried once more with an addition: somebody may have taken it on purpose.
        for username in (name, f"{name}-{secrets.token_hex(8)}"):
            if account is not None:
                break
            try:
                account = self._new_account(request, current, username)
            except IntegrityError:
                # Another login of the same user was faster, or the name is taken.
                account = accounts.filter(bosa_user_id=current.user_id).first()
        if account is None:
            raise IntegrityError("the account of a user of BOSA Auth cannot be made")
        if account.identifier != current.identifier:
            account.identifier = current.identifier
            account.save(update_fields=["identifier"])
        return account

    def _new_account(
        self, request: HttpRequest | None, current: CurrentUser, username: str
    ) -> BosaAccount:
        user = get_user_model()(**{_name_of_identifier(): username})
        user.set_unusable_password()
        self.configure_user(request, user, current)
        with transaction.atomic():
            user.save(force_insert=True)
            return BosaAccount._default_manager.create(
                bosa_user_id=current.user_id,
                client_id=current.client_id,
                identifier=current.identifier,
                user=user,
            )


def _name_of_identifier() -> str:
    model: Any = get_user_model()
    return str(model.USERNAME_FIELD)


@sensitive_variables()
def _log_in(identifier: str, secret: str) -> str:
    login = services().authenticate_user_service.authenticate_user
    return login(client_api_key(), identifier, secret).token

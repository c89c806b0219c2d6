"""A session of ours begins with a token and ends with it."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest

from bosa_auth.django import _session
from bosa_auth.django._instance import client_api_key, services
from bosa_auth.exception import InvalidClientException, PermissionDeniedException

_log = logging.getLogger("bosa_auth.web")


def logged_in(*, request: HttpRequest, user: Any, **_: Any) -> None:
    """Keeps the token of the login in the session."""
    if not _session.is_ours(request.session):
        return
    token = vars(user).pop(_session.TOKEN, None)
    account = getattr(user, "bosa_account", None)
    if token is None and account is not None:
        # The project logs the user in without its secret.
        issue = services().create_token_service.create_token
        token = issue(account.bosa_user_id, account.client_id).token
    request.session[_session.TOKEN] = token


def logged_out(*, request: HttpRequest, **_: Any) -> None:
    """Revokes the token of the session."""
    token = request.session.get(_session.TOKEN)
    if not token:
        return
    try:
        services().revoke_token_service.revoke_token(client_api_key(), token)
    except (InvalidClientException, PermissionDeniedException) as error:
        _log.warning("the token of a session that ends could not be revoked: %s", error)

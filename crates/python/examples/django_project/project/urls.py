"""A page for users with a session, and an API for clients with a key and users with a token."""

import json
from typing import Any

from django.contrib.auth import views
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST

from bosa_auth import ThirdPartyIntegrationAuth
from bosa_auth.django import (
    aservices,
    client_key,
    client_required,
    current_user,
    services,
    user_required,
)
from bosa_auth.exception import InvalidInputException


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """For people: Django's session, begun with BOSA Auth."""
    # An account of the project itself has no user of BOSA Auth.
    name = getattr(request.user, "bosa_account", request.user)
    return HttpResponse(f"Hello {name}", "text/plain")


@require_POST
@client_required
def sign_up(request: HttpRequest) -> HttpResponse:
    """Makes a user; its secret is in this answer only."""
    user = services().create_user_service.create_user(client_key(request), text(request, "identifier"))
    return JsonResponse(user.model_dump(mode="json"), status=201)


@require_POST
@client_required
def log_in(request: HttpRequest) -> HttpResponse:
    token = services().authenticate_user_service.authenticate_user(
        client_key(request), text(request, "identifier"), text(request, "secret")
    )
    return JsonResponse(token.model_dump(mode="json"))


@user_required
async def me(request: HttpRequest) -> HttpResponse:
    return JsonResponse(current_user(request).model_dump(mode="json"))


@user_required
async def connect(request: HttpRequest, connector: str) -> HttpResponse:
    """Stores an account at a third party. Its credential goes in and never comes out."""
    user = current_user(request)
    integrations = (await aservices()).third_party_integration_service
    account = await integrations.create_integration(
        ThirdPartyIntegrationAuth(
            client_id=user.client_id,
            user_id=user.user_id,
            connector=connector,
            auth_string=text(request, "auth_string"),
            user_identifier=text(request, "user_identifier"),
        )
    )
    return JsonResponse(account.model_dump(mode="json", exclude={"auth_string"}), status=201)


def text(request: HttpRequest, name: str) -> str:
    """A text of the request's body."""
    try:
        value: Any = json.loads(request.body)[name]
    except (ValueError, KeyError, TypeError):
        raise InvalidInputException(f"{name} is missing", field=name) from None
    if not isinstance(value, str):
        raise InvalidInputException(f"{name} is not text", field=name)
    return value


urlpatterns = [
    path("", home),
    path("accounts/login/", views.LoginView.as_view()),
    path("accounts/logout/", views.LogoutView.as_view()),
    path("api/users", sign_up),
    path("api/login", log_in),
    path("api/me", me),
    path("api/accounts/<connector>", connect),
]

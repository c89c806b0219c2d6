"""The routes of the example, and some that only tests want."""

from __future__ import annotations

from typing import cast

from django.contrib.auth import aauthenticate, alogin, authenticate, login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from project.urls import urlpatterns as of_example

from bosa_auth import exception
from bosa_auth.django import BosaRequest, calling_client, client_required, services


@client_required
def client(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"name": calling_client(request).name})


@client_required
async def async_client(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"name": calling_client(request).name})


def seen(request: HttpRequest) -> HttpResponse:
    """Never refuses."""
    user, caller = cast(BosaRequest, request).bosa_user, cast(BosaRequest, request).bosa_client
    return JsonResponse({"user": user and user.identifier, "client": caller and caller.name})


async def async_session(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    return JsonResponse({"authenticated": user.is_authenticated})


@csrf_exempt
async def async_login(request: HttpRequest) -> HttpResponse:
    user = await aauthenticate(
        request, username=request.POST["username"], password=request.POST["password"]
    )
    if user is None:
        return HttpResponse(status=400)
    await alogin(request, user)
    return HttpResponse()


@csrf_exempt
def token_login(request: HttpRequest) -> HttpResponse:
    user = authenticate(request, bosa_token=request.POST["token"])
    if user is None:
        return HttpResponse(status=400)
    login(request, user)
    return HttpResponse()


def wrong(request: HttpRequest) -> HttpResponse:
    raise exception.ConfigurationException("AUTH_SECRET_KEY is too short")


def opens(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"clients": len(services().client_aware_service.get_client_list().items)})


urlpatterns = [
    *of_example,
    path("client", client),
    path("async-client", async_client),
    path("seen", seen),
    path("async-session", async_session),
    path("async-login", async_login),
    path("token-login", token_login),
    path("wrong", wrong),
    path("opens", opens),
]

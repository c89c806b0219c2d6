"""A server for each module and database, a client in it for each test, and the public clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clients import CommandLine, Face, Sdk, SdkProcesses, bare_environment
from companion import BrowserAndProviders
from server import MASTER_KEY, Client, Server, database, running


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserAndProviders]:
    home = tmp_path_factory.mktemp("browser")
    browser = BrowserAndProviders(Path(__file__).parents[1] / "browser", bare_environment(home))
    yield browser
    browser.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings of a database that is empty at first."""
    with database(request.param) as settings:
        yield settings


@pytest.fixture(scope="module")
def provider(browser: BrowserAndProviders, settings: dict[str, str]) -> dict[str, Any]:
    """An OAuth provider for the server with these settings, and what a connector says of it."""
    return browser.ask("provider")


@pytest.fixture(scope="module")
def server(
    settings: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    provider: dict[str, Any],
    browser: BrowserAndProviders,
) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), settings, provider) as server:
        server.want("PUT", "/connectors/example/settings", provider["settings"], key=MASTER_KEY)
        callback = server.url + "/connectors/example/success-authorize-callback"
        browser.ask("open", issuer=provider["issuer"], redirect_uri=callback)
        yield server


@pytest.fixture
def client(server: Server) -> Client:
    return server.client("Acme")


@pytest.fixture
def other(server: Server) -> Client:
    """A second client, which learns nothing of the first."""
    return server.client("Other")


@pytest.fixture(scope="session")
def sdk_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SdkProcesses]:
    processes = SdkProcesses(tmp_path_factory.mktemp("home"))
    yield processes
    processes.close()


@pytest.fixture
def build(sdk_processes: SdkProcesses, server: Server) -> Callable[..., Sdk]:
    """Builds an SDK, with `api_key` or without, for the server or another address of it."""

    def build(face: Face, address: str = server.url, **key: str | None) -> Sdk:
        return Sdk(sdk_processes.of(face), face, address, key)

    return build


@pytest.fixture
def command_line(request: pytest.FixtureRequest, tmp_path: Path) -> CommandLine:
    """The command line that the test names, with a home of its own."""
    return CommandLine(request.param, tmp_path)

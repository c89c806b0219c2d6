"""Calls a release of the original for its driver: runs with that release on the path.

The arguments are the URL of the database, the port of Redis and the lifetime of tokens in minutes. Takes
a call on each line of the input and answers with what came of it, or with the error that was raised, on
a line of the output.
"""

import inspect
import json
import os
import sys
from uuid import UUID

from bosa_core.authentication import AuthenticationDbSettings, init_auth_services, service
from bosa_core.authentication.plugin.repository.models import ThirdPartyIntegrationAuth


def begin(database, redis_port, minutes):
    """Starts the services, which brings the database up to the release's schema."""
    settings = [
        AuthenticationDbSettings(
            database_authentication_url=database,
            auth_secret_key=os.environ["AUTH_SECRET_KEY"],
            auth_access_token_expire_minutes=int(minutes),
        )
    ]
    # Releases before 0.9 have no Redis.
    if len(inspect.signature(init_auth_services).parameters) > 1:
        from bosa_core.cache.config import CacheSettings

        settings.append(CacheSettings(redis_host="127.0.0.1", redis_port=int(redis_port)))
    init_auth_services(*settings)


def argument(name, value):
    """An argument as the services want it."""
    if name == "integration":
        fields = ThirdPartyIntegrationAuth.model_fields
        return ThirdPartyIntegrationAuth(**{field: value[field] for field in value if field in fields})
    if name.endswith("_id"):
        return UUID(value)
    if name.endswith("_ids"):
        return [UUID(one) for one in value]
    return value


def plain(value):
    """The same as JSON can say it."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def main():
    # The original prints.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    begin(*sys.argv[1:])
    print(json.dumps({"result": None}), file=output, flush=True)
    for line in sys.stdin:
        call = json.loads(line)
        try:
            method = getattr(getattr(service, call["service"]), call["method"])
            arguments = {name: argument(name, value) for name, value in call["arguments"].items()}
            answer = json.dumps({"result": plain(method(**arguments))}, default=str)
        except Exception as error:
            answer = json.dumps({"error": type(error).__name__, "text": str(error)})
        print(answer, file=output, flush=True)


main()

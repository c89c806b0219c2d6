"""Names that come by an asterisk, which some type in a session."""

from typing import assert_type

from bosa_auth import *  # pyright: ignore[reportWildcardImportFromLibrary]

initialize_authentication_db(AuthenticationDbSettings("sqlite://"))
assert_type(create_client_service.create_client("acme"), ClientModel)
try:
    create_client_service.create_client("acme")
except ClientAlreadyExistsException as error:
    assert_type(error.code, str)
shutdown()

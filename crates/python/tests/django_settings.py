"""Those of the example, with a database that the tests make."""

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "examples" / "django_project"
sys.path.insert(0, str(PROJECT))

from project.settings import *  # noqa: E402, F403
from project.settings import DATABASES  # noqa: E402

ROOT_URLCONF = "django_urls"
BOSA_AUTH: dict[str, str] = {}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES["default"]["NAME"] = os.environ.get("DJANGO_DATABASE", "unused.sqlite3")

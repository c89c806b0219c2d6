"""What a project needs for BOSA Auth is marked."""

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key

DIRECTORY = Path(__file__).parent.parent

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or get_random_secret_key()
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
ROOT_URLCONF = "project.urls"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

# The project's own database; that of BOSA Auth is another one, or the same PostgreSQL.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DJANGO_DATABASE", DIRECTORY / "project.sqlite3"),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "bosa_auth.django",  # BOSA Auth
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "bosa_auth.django.middleware.BosaAuthMiddleware",  # BOSA Auth
]

AUTHENTICATION_BACKENDS = [
    "bosa_auth.django.backends.BosaAuthBackend",  # BOSA Auth
    # Accounts of the project itself, such as the first administrator.
    "django.contrib.auth.backends.ModelBackend",
]

# BOSA Auth: the key of the client whose users log in. DATABASE_AUTHENTICATION_URL and others may be
# here too; they come from the environment otherwise.
BOSA_AUTH = {"CLIENT_API_KEY": os.environ.get("CLIENT_API_KEY", "")}

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [DIRECTORY / "project" / "templates"],
        "OPTIONS": {"context_processors": ["django.contrib.auth.context_processors.auth"]},
    }
]

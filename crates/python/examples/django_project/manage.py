"""A web site and an API for the users of one client, with Django.

export DATABASE_AUTHENTICATION_URL=sqlite:///accounts.db CLIENT_API_KEY=sk-client-…
python manage.py migrate
python manage.py runserver
"""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    execute_from_command_line(sys.argv)

"""The entry point of servers: `gunicorn wsgi:app`, `flask run`."""

from config import Config
from projectapi import create_app

app = create_app(Config.from_env())

"""The application with workers whose patience is that of real ones in short, so that tests see its end within seconds."""

from __future__ import annotations

from config import Config
from projectapi import create_app
from projectapi.serving import pace, worker

worker.QUEUE_SECONDS = 1.0
worker.BODY_SECONDS = 2.0
pace.GRACE_SECONDS = 3.0
app = create_app(Config.from_env())

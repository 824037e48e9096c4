"""How gunicorn serves projectapi; it reads this file by itself. The settings are in config.py, none are read here."""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from typing import Any

from gunicorn.glogging import Logger

from config import Config, ConfigError

# Every name in this file that is one of gunicorn's settings is taken for one: `config` is, so ours has another name.
try:
    _settings = Config.from_env()
except ConfigError as error:
    sys.exit(f"projectapi cannot start:\n{error}")

bind = f"0.0.0.0:{_settings.port}"
workers = _settings.web_concurrency
worker_class = "gthread"
threads = _settings.web_threads

# With gthread this is no limit on requests: it finds workers that are stuck as a whole. Calls have their own deadlines.
timeout = 30
# Heroku kills 30 s after it asked; requests under way may take all the time before that.
graceful_timeout = 25
# Longer than routers keep an idle connection (Heroku: 90 s), else they send requests into a closing one.
keepalive = 95
# Against slow growth of memory. Rare: a request of more than `graceful_timeout`, a big upload, is cut by it.
max_requests = 20_000
max_requests_jitter = 2_000

# The heartbeat file; on a disk it could block for seconds.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# Where the workers count for the metrics. Made before anything imports prometheus_client, which looks for it then; a reload
# reads this file once more and keeps it, a new parent process that was started with the old one's environment does not.
_METRICS = "PROMETHEUS_MULTIPROC_DIR"
if __name__ == "__config__" and f"-{os.getpid()}-" not in os.environ.get(_METRICS, ""):
    os.environ[_METRICS] = tempfile.mkdtemp(prefix=f"projectapi-metrics-{os.getpid()}-", dir=worker_tmp_dir)

limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190


class _Log(Logger):
    """gunicorn's own lines in the form of ours, from the first one on."""

    def setup(self, cfg: Any) -> None:
        """Set up, also after a reload."""
        super().setup(cfg)
        from projectapi.infra.logs import mask_log_of_gunicorn

        mask_log_of_gunicorn(_settings.log_form)


logger_class = _Log
errorlog = "-"
loglevel = _settings.log_level.lower()
# projectapi logs each request itself, at a fraction of the cost.
accesslog = None
# A socket in the home folder that lets anybody with its rights command the server.
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Let a new worker look for its servers and learn how the cache stands, so that its first requests need not."""
    # In the background: with the database away a worker must start all the same.
    threading.Thread(target=worker.wsgi.extensions["projectapi"].prepare, name="prepare", daemon=True).start()


def pre_fork(server: Any, worker: Any) -> None:
    """Give a new worker the lowest free place among the files of the metrics."""
    taken = {other.metrics_slot for other in server.WORKERS.values()}
    worker.metrics_slot = next(slot for slot in itertools.count() if slot not in taken)


def post_fork(server: Any, worker: Any) -> None:
    """Let a new worker count in its place."""
    from projectapi.infra import metrics

    metrics.take_slot(worker.metrics_slot)


def child_exit(server: Any, worker: Any) -> None:
    """Clear up after a worker, however it ended."""
    from projectapi.infra import metrics

    metrics.leave_slot(worker.metrics_slot)


def on_exit(server: Any) -> None:
    """Remove the files of the metrics."""
    shutil.rmtree(os.environ[_METRICS], ignore_errors=True)


def on_starting(server: Any) -> None:
    """Start the stand-ins in gunicorn's parent process, so that all workers inherit the same ones; not in production."""
    from projectapi import devstack

    try:
        servers = devstack.provide_for(_settings)
    except devstack.DevstackError as error:
        sys.exit(f"projectapi cannot start: {error}")
    if servers.mongodb_uri != _settings.mongodb_uri:
        # A process of its own: a client of MongoDB must not be alive here when workers are forked.
        subprocess.run([sys.executable, "-m", "flask", "--app", "wsgi", "db", "init"], check=True, env=_without_metrics())


def _without_metrics() -> dict[str, str]:
    """Return the environment for a command, which does not count along with the workers."""
    return {name: value for name, value in os.environ.items() if name != _METRICS}

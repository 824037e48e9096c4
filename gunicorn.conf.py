"""How gunicorn serves projectapi; it reads this file by itself. The settings are in config.py, none are read here."""

import itertools
import os
import resource
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
worker_class = "projectapi.serving.worker.BoundedWorker"
threads = _settings.web_threads
# Kept connections count, too; past it new ones wait in the system's queue. Each takes a file descriptor.
worker_connections = 1_000

# With gthread this is no limit on requests: it finds workers that are stuck as a whole. Calls have their own deadlines.
timeout = 30
# Heroku kills 30 s after it asked; requests under way may take all the time before that.
graceful_timeout = 25
# Longer than routers keep an idle connection (Heroku: 90 s), else they send requests into a closing one.
keepalive = 95
# Against slow growth of memory. A worker leaves between requests, so that none is cut.
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


def pre_fork(server: Any, worker: Any) -> None:
    """Give a new worker the lowest free place among the files of the metrics."""
    taken = {other.metrics_slot for other in server.WORKERS.values()}
    worker.metrics_slot = next(slot for slot in itertools.count() if slot not in taken)


def post_fork(server: Any, worker: Any) -> None:
    """Tell a new worker how many requests may wait in it, and let it count in its place."""
    from projectapi.infra import metrics
    from projectapi.serving.refusals import Refusals

    metrics.take_slot(worker.metrics_slot)
    worker.limit(
        waiting=_settings.max_waiting_requests,
        refusals=Refusals(_settings.cors_origins, metrics.count_refusal),
        note_wait=metrics.QUEUE_SECONDS.observe,
    )


def worker_exit(server: Any, worker: Any) -> None:
    """Give the connections to MongoDB and Redis back, once the last request is answered."""
    # A worker that was stopped while it started has no application.
    app = getattr(worker, "wsgi", None)
    if app is not None:
        worker.preparation.join(3.0)
        app.extensions["projectapi"].close()


def post_worker_init(worker: Any) -> None:
    """Let a new worker look for its servers and learn how the cache stands, so that its first requests need not."""
    backend = worker.wsgi.extensions["projectapi"]
    # What there is to say of the disk with the videos is said once, not by every worker.
    steps = [backend.prepare, backend.announce_disk] if worker.age == 1 else [backend.prepare]
    # In the background: with the database away a worker must start all the same.
    worker.preparation = threading.Thread(target=lambda: [step() for step in steps], name="prepare", daemon=True)
    worker.preparation.start()


def child_exit(server: Any, worker: Any) -> None:
    """Clear up after a worker, however it ended."""
    from projectapi.infra import metrics

    metrics.leave_slot(worker.metrics_slot)


def on_exit(server: Any) -> None:
    """Remove the files of the metrics."""
    shutil.rmtree(os.environ[_METRICS], ignore_errors=True)


def on_starting(server: Any) -> None:
    """Prepare the parent process: signals, room for connections, and the stand-ins that all workers share (development)."""
    from projectapi import devstack
    from projectapi.serving.forking import lose_no_stop_signal

    lose_no_stop_signal()
    _raise_file_limit()

    try:
        servers = devstack.provide_for(_settings)
    except devstack.DevstackError as error:
        sys.exit(f"projectapi cannot start: {error}")
    if servers.mongodb_uri != _settings.mongodb_uri:
        # A process of its own: a client of MongoDB must not be alive here when workers are forked.
        subprocess.run([sys.executable, "-m", "flask", "--app", "wsgi", "db", "init"], check=True, env=_without_metrics())


def _raise_file_limit() -> None:
    """Allow as many open files as the connections of a worker, its pools and its videos may need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * worker_connections
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _without_metrics() -> dict[str, str]:
    """Return the environment for a command, which does not count along with the workers."""
    return {name: value for name, value in os.environ.items() if name != _METRICS}

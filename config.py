"""The settings of projectapi: read once from the environment, validated whole, then frozen.

This module is the only reader of the environment. Every field of `Config` names its variable, its default and its meaning;
the table in docs/configuration.md is checked against them by a test.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import click
import limits
from dotenv import dotenv_values
from pymongo import MongoClient
from pymongo.uri_parser import split_options
from redis import ConnectionPool

_HOST_MARKERS = ("DYNO", "RENDER")
"""Variables that Heroku and Render set by themselves: who forgets APP_ENV there must not get a development server."""

_PASSWORD_IN_URL = re.compile(r"(?<=://)\S*@")
"""Up to the last @, since a password may hold what somebody forgot to encode."""


class ConfigError(click.ClickException):
    """One or more settings are wrong; the text lists all of them, with secrets masked.

    As a ClickException it is shown without a traceback by every `flask` command.
    """


def mask_connection_string(uri: str) -> str:
    """Return `uri` without the user, the password and the options in it, fit for a log line."""
    return _PASSWORD_IN_URL.sub("***@", uri).partition("?")[0]


def _text(value: str) -> str:
    return value


def _path(value: str) -> Path:
    return Path(value).expanduser().resolve()


def _origins(value: str) -> tuple[str, ...]:
    origins = tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s*]+", origin):
            raise ValueError("a comma-separated list of origins such as https://editor.example.org")
    return origins


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value) if re.fullmatch(r"\s*[+-]?\d{1,18}\s*", value) else low - 1
        if not low <= number <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return number

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise ValueError(f"a number of seconds from {low:g} to {high:g}")
        return number

    return parse


def _address_prefix(value: str) -> str:
    if not re.fullmatch(r"/(?:[A-Za-z0-9_.~-]+/)*", value):
        raise ValueError("a path of letters, digits and - _ . ~ that begins and ends with /")
    return value


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return value

    return parse


def _mongodb_uri(value: str) -> str:
    uri = value.strip()
    if not _driver_takes(uri):
        raise ValueError(
            "a connection string that starts with mongodb:// or mongodb+srv://, with special characters in user and password "
            "percent-encoded, known options only, and not w=0"
        )
    return uri


def _driver_takes(uri: str) -> bool:
    """Tell whether PyMongo can work with `uri`, without asking the network."""
    query = uri.partition("?")[2]
    try:
        # The client would let unknown options and wrong values pass with a mere warning.
        options = split_options(query) if query else {}
        # An unopened client looks nothing up, not even the hosts behind mongodb+srv://.
        MongoClient[dict[str, Any]](uri, connect=False).close()
    except Exception:
        # Errors of many kinds, and what they say may quote a part of the password.
        return False
    # With w=0 nobody would hear of a write that failed.
    return uri.startswith(("mongodb://", "mongodb+srv://")) and options.get("w") != 0


def _redis_url(value: str) -> str:
    url = value.strip()
    if not _redis_client_takes(url):
        raise ValueError(
            "a URL such as redis://user:password@host:6379/0, rediss://... or unix:///path?db=0, with special characters in "
            "user and password percent-encoded, a whole number as database, and known options only"
        )
    return url


def _redis_client_takes(url: str) -> bool:
    """Tell whether redis-py can work with `url` and means by it what it says, without asking the network."""
    try:
        parts = urlsplit(url)
        # Made, not opened: unknown options show only here.
        ConnectionPool.from_url(url).make_connection()
    except Exception:
        # Errors of many kinds, and what they say may quote a part of the password.
        return False
    if parts.scheme == "unix":
        return len(parts.path) > 1
    # redis-py takes localhost for a missing host and 0 for a database that is no number; after a # it reads nothing.
    return bool(parts.hostname) and not parts.fragment and re.fullmatch(r"(/\d*)?", parts.path) is not None


def _without_certificate_check(url: str) -> str:
    """Return a Redis URL whose TLS takes any certificate, unless the URL itself says what to take."""
    if not url.startswith("rediss://") or "ssl_cert_reqs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=none"


def _switch(value: str) -> bool:
    if value not in ("0", "1"):
        raise ValueError("0 or 1")
    return value == "1"


def _times_to_live(value: str) -> tuple[tuple[str, float], ...]:
    times = re.findall(r"(project|timeline|history|list)=(\d{1,6}(?:\.\d+)?)(?:,|$)", value)
    if ",".join(f"{kind}={seconds}" for kind, seconds in times) != value.strip().rstrip(","):
        raise ValueError("kind=seconds pairs with commas between; kinds are project, timeline, history, list")
    return tuple((kind, float(seconds)) for kind, seconds in times)


def _rate_limits(value: str) -> str:
    try:
        limits.parse_many(value)
    except ValueError:
        raise ValueError("limits with ; between, such as 600/minute;20/second") from None
    return value.strip()


def _setting(variable: str, parse: Callable[[str], Any], default: Any, meaning: str, **extra: Any) -> Any:
    """Declare one field of Config: its environment variable, its parser, its default and what it means."""
    metadata = {"variable": variable, "parse": parse, "meaning": meaning, **extra}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True, repr=False)
class Config:
    """All settings of one process; build it with `Config.from_env` or, in tests, with keyword arguments."""

    app_env: str = _setting(
        "APP_ENV",
        _one_of("development", "production", "testing"),
        "development",
        "`development`, `production` or `testing`; `production` by itself on Heroku and Render. Production refuses to start "
        "without `MONGODB_URI`.",
    )
    mongodb_uri: str | None = _setting(
        "MONGODB_URI",
        _mongodb_uri,
        None,
        "MongoDB connection string. Missing in development: the embedded stand-in is started. "
        "Options in it win over the settings below.",
        secret=True,
        alias="MONGO_URI",
    )
    mongodb_database: str = _setting(
        "MONGODB_DATABASE",
        _text,
        "projectapi",
        "Name of the database; a name inside `MONGODB_URI` only says where to authenticate.",
    )
    mongodb_max_pool_size: int = _setting(
        "MONGODB_MAX_POOL_SIZE", _integer(1, 500), 20, "Most connections to MongoDB per worker process."
    )
    mongodb_min_pool_size: int = _setting(
        "MONGODB_MIN_POOL_SIZE", _integer(0, 500), 2, "Connections to MongoDB that a worker keeps open."
    )
    database_deadline_seconds: float = _setting(
        "DATABASE_DEADLINE_SECONDS",
        _seconds(0.5, 20),
        8.0,
        "Longest time for one database operation, all its attempts together, and for all those of one request, in seconds.",
    )
    redis_url: str | None = _setting(
        "REDIS_URL",
        _redis_url,
        None,
        "Redis URL. Missing in development: the embedded stand-in is started; missing in production: no cache.",
        secret=True,
    )
    redis_tls_check: bool = _setting(
        "REDIS_TLS_CHECK",
        _switch,
        True,
        "`0`: the certificate behind a `rediss://` URL is not checked. Heroku's are self-signed, and its URL cannot be edited.",
    )
    cache_ttl_seconds: float = _setting(
        "CACHE_TTL_SECONDS", _seconds(1, 86_400), 300.0, "How long a cached answer is kept, give or take a tenth, in seconds."
    )
    cache_ttls: tuple[tuple[str, float], ...] = _setting(
        "CACHE_TTLS",
        _times_to_live,
        (),
        "Other times for single kinds of answers, such as `list=60,history=120`; kinds: project, timeline, history, list.",
    )
    stale_if_error: bool = _setting(
        "STALE_IF_ERROR",
        _switch,
        True,
        "`1`: with MongoDB away, projects are shown as they were last known, marked as such. `0`: they are not shown.",
    )
    port: int = _setting("PORT", _integer(1, 65535), 8001, "TCP port that the server listens on.")
    web_concurrency: int = _setting("WEB_CONCURRENCY", _integer(1, 64), 2, "Worker processes of gunicorn.")
    web_threads: int = _setting("WEB_THREADS", _integer(1, 256), 8, "Threads per worker process.")
    max_waiting_requests: int = _setting(
        "MAX_WAITING_REQUESTS",
        _integer(0, 10_000),
        100,
        "Requests that may wait for a thread in each worker process; what comes on top is told at once to try again later.",
    )
    secret_key: str | None = _setting(
        "SECRET_KEY", _text, None, "Flask's secret key. Nothing is signed with it today.", secret=True
    )
    media_dir: Path = _setting(
        "MEDIA_DIR", _path, Path("instance/media").resolve(), "Folder of videos and thumbnails. Must survive restarts."
    )
    instance_dir: Path = _setting(
        "INSTANCE_DIR", _path, Path("instance").resolve(), "Folder of the embedded stand-ins' data (development)."
    )
    backup_dir: Path = _setting(
        "BACKUP_DIR",
        _path,
        Path("instance/backups").resolve(),
        "Folder that `flask backup` writes archives into. Should be on another disk than the data.",
    )
    max_upload_bytes: int = _setting(
        "MAX_UPLOAD_BYTES", _integer(1, 2**40), 2 * 2**30, "Largest video taken, in bytes (2 GiB)."
    )
    uploads_at_once: int = _setting(
        "UPLOADS_AT_ONCE",
        _integer(1, 256),
        4,
        "Uploads that a worker process receives at once; more are asked to come back (503). Each holds one of `WEB_THREADS`.",
    )
    disk_reserve_bytes: int = _setting(
        "DISK_RESERVE_BYTES",
        _integer(0, 2**40),
        64 * 2**20,
        "What uploads, cuts and all else that is made of videos leave free on the disk under `MEDIA_DIR`, in bytes (64 MiB); "
        "what does not fit beside it is refused before it begins (507).",
    )
    upload_lifetime_hours: int = _setting(
        "UPLOAD_LIFETIME_HOURS",
        _integer(1, 10_000),
        24,
        "For how many hours after its last bytes a resumable upload can go on. After that `flask db sweep` deletes it.",
    )
    x_accel_prefix: str | None = _setting(
        "X_ACCEL_PREFIX",
        _address_prefix,
        None,
        "Where nginx in front serves `MEDIA_DIR` from, as an `internal` location such as `/media-files/`: it then sends the "
        "files itself (`X-Accel-Redirect`). Missing: projectapi sends them.",
    )
    jobs_at_once: int = _setting(
        "JOBS_AT_ONCE",
        _integer(1, 64),
        2,
        "Cuts, exports and transcriptions that run at once on this machine, in all its processes together.",
    )
    max_body_bytes: int = _setting(
        "MAX_BODY_BYTES",
        _integer(1024, 2**28),
        17 * 2**20,
        "Largest JSON body taken, in bytes (17 MiB; MongoDB stores at most 16 MiB of it as one document).",
    )
    cors_origins: tuple[str, ...] = _setting(
        "CORS_ORIGINS",
        _origins,
        ("http://localhost:3000", "http://127.0.0.1:3000"),
        "Origins of the frontends that browsers may call from, separated by commas.",
    )
    rate_limits: str | None = _setting(
        "RATE_LIMITS",
        _rate_limits,
        None,
        "How many requests one client may send, such as `600/minute;20/second`; what comes on top is answered with 429. "
        "None: any number.",
    )
    trusted_proxies: int = _setting(
        "TRUSTED_PROXIES",
        _integer(0, 10),
        0,
        "How many proxies in front add to `X-Forwarded-For` (Heroku and Render: 1); the address that the last of them saw is "
        "the client's. `0`: the header is not believed.",
    )
    ownership: str = _setting(
        "OWNERSHIP",
        _one_of("open", "enforced"),
        "open",
        "`open`: who knows a project's id may use it. `enforced`: only the owner named in `X-User-Id` may.",
    )
    history_keep_all_hours: int = _setting(
        "HISTORY_KEEP_ALL_HOURS",
        _integer(24, 1_000_000),
        24,
        "For how many hours every saved version of a timeline is kept. After that `flask db sweep` thins out the unnamed ones.",
    )
    history_keep_hourly_days: int = _setting(
        "HISTORY_KEEP_HOURLY_DAYS",
        _integer(0, 40_000),
        7,
        "For how many days after that one version an hour is kept; later one a day is, for ever.",
    )
    speech: str = _setting(
        "SPEECH",
        _one_of("auto", "pocketsphinx", "whisper", "off"),
        "auto",
        "What transcribes: `pocketsphinx` (English, works at once), `whisper` (far better; see below), `auto` (Whisper where "
        "it is there) or `off`.",
    )
    whisper_model_dir: Path | None = _setting(
        "WHISPER_MODEL_DIR",
        _path,
        None,
        "Folder of a faster-whisper model; needs `requirements-whisper.txt` installed. Nothing is downloaded.",
    )
    dyno: str | None = _setting(
        "DYNO", _text, None, "Set by Heroku itself. Its disks vanish at every restart, which is said at start."
    )
    render: str | None = _setting(
        "RENDER", _text, None, "Set by Render itself. Without a disk mounted at `MEDIA_DIR` the same is said at start."
    )
    log_level: str = _setting(
        "LOG_LEVEL", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO", "`DEBUG`, `INFO`, `WARNING` or `ERROR`."
    )
    log_format: str | None = _setting(
        "LOG_FORMAT",
        _one_of("json", "text"),
        None,
        "`json`: one JSON object a line. `text`: lines for people. Missing: `json` in production, else `text`.",
    )
    access_log: bool = _setting(
        "ACCESS_LOG",
        _switch,
        False,
        "`1`: a line for each request at `INFO`. `0`: none; Heroku's and Render's routers write one with the same request id.",
    )
    metrics_token: str | None = _setting(
        "METRICS_TOKEN",
        _text,
        None,
        "Bearer token with which `/metrics` may be read. Missing: by everybody, but in production by nobody.",
        secret=True,
    )
    sentry_dsn: str | None = _setting(
        "SENTRY_DSN",
        _text,
        None,
        "Where errors are reported to; needs `requirements-telemetry.txt` installed. Neither bodies nor documents are sent.",
        secret=True,
    )
    otlp_endpoint: str | None = _setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        _text,
        None,
        "Where traces are sent to (OpenTelemetry, OTLP over HTTP), such as `http://localhost:4318`; needs the same packages.",
        secret=True,
    )
    database_limit_bytes: int = _setting(
        "DATABASE_LIMIT_BYTES",
        _integer(0, 2**50),
        512 * 2**20,
        "How large the database may grow, in bytes, for the metrics and their alert (Atlas' free tier: 512 MB); `0`: any size.",
    )
    slow_database_operation_ms: int = _setting(
        "SLOW_DATABASE_OPERATION_MS",
        _integer(1, 60_000),
        250,
        "A command to MongoDB that takes this long is logged as a warning, in milliseconds.",
    )

    def __post_init__(self) -> None:
        problems = list(self._contradictions())
        if problems:
            raise ConfigError("\n".join(problems))

    @property
    def log_form(self) -> str:
        """Return the form of the log's lines: ``json`` or ``text``."""
        return self.log_format or ("json" if self.app_env == "production" else "text")

    def _contradictions(self) -> list[str]:
        problems = []
        if self.app_env == "production" and not self.mongodb_uri:
            problems.append(
                "MONGODB_URI is missing: in production set it to the connection string of your MongoDB "
                "(Atlas: Connect, Drivers)."
            )
        if self.mongodb_min_pool_size > self.mongodb_max_pool_size:
            problems.append(
                f"MONGODB_MIN_POOL_SIZE is {self.mongodb_min_pool_size}: it must not exceed "
                f"MONGODB_MAX_POOL_SIZE ({self.mongodb_max_pool_size})."
            )
        options = _options_of(self.mongodb_uri or "")
        smallest = options.get("minpoolsize", "")
        if "maxpoolsize" not in options and smallest.isdecimal() and int(smallest) > self.mongodb_max_pool_size:
            problems.append(
                f"MONGODB_URI sets minPoolSize={smallest}: it must not exceed "
                f"MONGODB_MAX_POOL_SIZE ({self.mongodb_max_pool_size})."
            )
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,38}", self.mongodb_database):
            problems.append("MONGODB_DATABASE: 1 to 38 letters, digits, _ or - are allowed (Atlas' limit).")
        if self.mongodb_uri and self.app_env == "production" and _switches_tls_off(self.mongodb_uri):
            problems.append("MONGODB_URI switches TLS or its checks off: that is refused with mongodb+srv:// in production.")
        return problems

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Config:
        """Read all settings from `environ` (default: the process' environment over the file `.env`).

        An empty variable counts as missing. Raises ConfigError, which lists every wrong setting at once with its name, its
        value (secrets masked) and what is allowed.
        """
        if environ is None:
            environ = {**{k: v for k, v in dotenv_values(".env").items() if v is not None}, **os.environ}
        on_a_host = any(environ.get(marker) for marker in _HOST_MARKERS)
        values: dict[str, Any] = {"app_env": "production"} if on_a_host else {}
        problems: list[str] = []
        wrong: list[str] = []
        for field in dataclasses.fields(cls):
            names = (field.metadata["variable"], field.metadata.get("alias", ""))
            name, raw = next(((n, environ[n]) for n in names if environ.get(n)), ("", ""))
            if not name:
                continue
            try:
                values[field.name] = field.metadata["parse"](raw)
            except ValueError as error:
                shown = "***" if field.metadata.get("secret") else repr(raw[:80])
                problems.append(f"{name} is {shown}: allowed is {error}.")
                wrong.append(field.metadata["variable"])
        if "redis_url" in values and not values.get("redis_tls_check", True):
            values["redis_url"] = _without_certificate_check(values["redis_url"])
        try:
            config = cls(**values)
        except ConfigError as error:
            # A wrong setting stands at its default here: what that contradicts is nobody's mistake.
            problems += [line for line in str(error).splitlines() if not any(variable in line for variable in wrong)]
        if problems:
            raise ConfigError("\n".join(problems))
        return config

    def masked(self) -> dict[str, str]:
        """Return every setting by the name of its variable, as text that is fit for a log."""
        shown = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.metadata.get("secret") and value:
                value = mask_connection_string(value) if "://" in value else "***"
            shown[field.metadata["variable"]] = str(value)
        return shown

    def __repr__(self) -> str:
        return "Config(" + ", ".join(f"{name}={value!r}" for name, value in self.masked().items()) + ")"


def _options_of(uri: str) -> dict[str, str]:
    """Return the options of a MongoDB connection string by their names in lower case; MongoDB allows ; between them, too."""
    return {name.lower(): value for name, value in parse_qsl(uri.partition("?")[2].replace(";", "&"))}


def _switches_tls_off(uri: str) -> bool:
    """Tell whether a mongodb+srv URI turns off the TLS, or the certificate checks, that it otherwise implies."""
    options = {name: value.lower() for name, value in _options_of(uri).items()}
    off = options.get("tls") == "false" or options.get("ssl") == "false"
    unchecked = any(
        options.get(name) == "true" for name in ("tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames")
    )
    return uri.startswith("mongodb+srv://") and (off or unchecked)

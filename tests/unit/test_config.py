"""Settings: read once, checked whole, secrets masked."""

from __future__ import annotations

import dataclasses

import pytest

from config import Config, ConfigError, mask_connection_string

SECRET_URI = "mongodb+srv://editor:s3cret@cluster0.example.net/?retryWrites=true"


def test_everything_has_a_default_in_development() -> None:
    config = Config.from_env({})

    assert (config.app_env, config.port, config.mongodb_uri) == ("development", 8001, None)
    assert config.cors_origins == ("http://localhost:3000", "http://127.0.0.1:3000")


def test_the_environment_wins_over_the_defaults() -> None:
    config = Config.from_env({"PORT": "9000", "MONGODB_URI": "mongodb://db/", "CORS_ORIGINS": "https://a.example, https://b.example"})

    assert (config.port, config.mongodb_uri) == (9000, "mongodb://db/")
    assert config.cors_origins == ("https://a.example", "https://b.example")


def test_mongo_uri_is_an_alias_that_gives_way_to_mongodb_uri() -> None:
    assert Config.from_env({"MONGO_URI": "mongodb://old/"}).mongodb_uri == "mongodb://old/"
    assert Config.from_env({"MONGO_URI": "mongodb://old/", "MONGODB_URI": "mongodb://new/"}).mongodb_uri == "mongodb://new/"


def test_an_empty_variable_counts_as_missing() -> None:
    assert Config.from_env({"PORT": "", "REDIS_URL": ""}).redis_url is None


def test_all_mistakes_are_listed_at_once() -> None:
    wrong = {"PORT": "eighty", "APP_ENV": "prod", "MONGODB_URI": "postgres://u:s3cret@h/", "CORS_ORIGINS": "*"}

    with pytest.raises(ConfigError) as caught:
        Config.from_env(wrong)

    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines] == ["APP_ENV", "MONGODB_URI", "PORT", "CORS_ORIGINS"]
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("value", ["0", "65536", "-1", "8001.5", "٨٠٠١x", "9" * 5000])
def test_a_number_out_of_bounds_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="PORT is .* allowed is a whole number from 1 to 65535"):
        Config.from_env({"PORT": value})


@pytest.mark.parametrize(
    "uri",
    [
        "postgres://db/",
        "mongodb://",
        "mongodb://user:pa/ss@host/",
        "mongodb://user:pa?ss@host/",
        "mongodb://user:pa@ss@host/",
        "mongodb://user:pa%ss@host/",
        "mongodb://host:port/",
        "mongodb://host:99999/",
        "mongodb://a,,b/",
        "mongodb://host/?w=0",
        "mongodb://host/?w=0&journal=false",
        "mongodb://host/?nonsense=1",
        "mongodb://host/?ss",
        "mongodb://host/?maxPoolSize=abc",
        "mongodb://host/?maxPoolSize=1&minPoolSize=ss",
        "mongodb://host/?maxPoolSize=1&minPoolSize=2",
        "mongodb://host/?connectTimeoutMS=inf",
        "mongodb://host/?tlsCAFile=/does/not/exist/ss.pem",
        "mongodb+srv://host.example.net:27017/",
        "mongodb+srv://a.example.net,b.example.net/",
        "mongodb+srv://host.example.net/?nonsense=1",
    ],
)
def test_a_connection_string_that_the_driver_would_refuse_is_refused_without_being_quoted(uri: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_env({"MONGODB_URI": uri, "APP_ENV": "production"})

    assert str(caught.value) == (
        "MONGODB_URI is ***: allowed is a connection string that starts with mongodb:// or mongodb+srv://, with special "
        "characters in user and password percent-encoded, known options only, and not w=0."
    )


@pytest.mark.parametrize(
    "uri",
    [
        SECRET_URI,
        "mongodb://user:pa%2Fss@a:1,b:2,[::1]:3/db?authSource=admin&replicaSet=rs0",
        "mongodb://%2Ftmp%2Fmongodb.sock/",
        "mongodb://host?w=1;journal=false",
        "mongodb+srv://u:p@c.example.net/?srvMaxHosts=2&srvServiceName=other&w=majority",
    ],
)
def test_a_connection_string_is_checked_without_asking_anybody(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("dns.resolver.resolve", lambda *arguments, **_: asked.append(arguments))
    monkeypatch.setattr("socket.getaddrinfo", lambda *arguments, **_: asked.append(arguments))

    assert Config.from_env({"MONGODB_URI": f" {uri}\n"}).mongodb_uri == uri
    assert asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://cache/",
        "redis://",
        "redis:///0",
        "redis://host:port/0",
        "redis://host:99999/0",
        "redis://:pw@h:6379/abc",
        "redis://:pw@h:6379/0/1",
        "redis://:pw@h:6379/-1",
        "redis://:12#pw@h/0",
        "redis://user:12#pw@h/0",
        "redis://:p/w@h/0",
        "redis://h/?db=pw",
        "redis://h/?nonsense=pw",
        "rediss://h/?ssl_cert_reqs=pw",
        "unix://",
    ],
)
def test_a_redis_url_that_the_client_would_refuse_or_misread_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_env({"REDIS_URL": url})

    assert str(caught.value) == (
        "REDIS_URL is ***: allowed is a URL such as redis://user:password@host:6379/0, rediss://... or unix:///path?db=0, with "
        "special characters in user and password percent-encoded, a whole number as database, and known options only."
    )


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache",
        "redis://:p%2Fw@cache:6379/",
        "redis://user:pw@[::1]:6379/15?socket_timeout=1",
        "rediss://:pw@cache:6380?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_a_redis_url_is_taken_without_the_spaces_around_it(url: str) -> None:
    assert Config.from_env({"REDIS_URL": f" {url} "}).redis_url == url


def test_production_needs_a_database() -> None:
    with pytest.raises(ConfigError, match="MONGODB_URI is missing"):
        Config.from_env({"APP_ENV": "production"})


@pytest.mark.parametrize("marker", ["DYNO", "RENDER"])
def test_a_host_is_production_even_if_nobody_says_so(marker: str) -> None:
    uri = "mongodb://db/"

    assert Config.from_env({marker: "web.1", "MONGODB_URI": uri}).app_env == "production"
    assert Config.from_env({marker: "web.1", "MONGODB_URI": uri, "APP_ENV": "development"}).app_env == "development"


@pytest.mark.parametrize(
    "option", ["tls=false", "ssl=false", "tlsInsecure=true", "tlsAllowInvalidCertificates=true", "w=1;tls=false"]
)
def test_production_does_not_switch_tls_off(option: str) -> None:
    with pytest.raises(ConfigError, match="TLS"):
        Config.from_env({"APP_ENV": "production", "MONGODB_URI": f"mongodb+srv://u:p@c.example.net/?{option}"})


def test_the_smaller_pool_limit_may_not_exceed_the_larger() -> None:
    with pytest.raises(ConfigError, match="MONGODB_MIN_POOL_SIZE"):
        Config.from_env({"MONGODB_MIN_POOL_SIZE": "5", "MONGODB_MAX_POOL_SIZE": "4"})


def test_the_connection_string_s_smaller_pool_limit_may_not_exceed_the_setting() -> None:
    with pytest.raises(ConfigError, match="^MONGODB_URI sets minPoolSize=50: it must not exceed MONGODB_MAX_POOL_SIZE"):
        Config.from_env({"MONGODB_URI": "mongodb://db/?minPoolSize=50"})


@pytest.mark.parametrize("options", ["minPoolSize=50&maxPoolSize=60", "minPoolSize=20", "maxPoolSize=1"])
def test_pool_limits_of_the_connection_string_that_fit_are_taken(options: str) -> None:
    assert Config.from_env({"MONGODB_URI": f"mongodb://db/?{options}"}).mongodb_uri


@pytest.mark.parametrize(
    "environ",
    [
        {"MONGO_URI": "mongodb://host/?nonsense=1", "APP_ENV": "production"},
        {"MONGODB_MAX_POOL_SIZE": "lots", "MONGODB_MIN_POOL_SIZE": "50"},
    ],
)
def test_a_wrong_setting_is_not_blamed_for_what_its_default_would_do(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_env(environ)

    assert len(str(caught.value).splitlines()) == 1


def test_no_text_form_of_the_settings_shows_a_secret() -> None:
    config = Config.from_env(
        {
            "MONGODB_URI": SECRET_URI,
            "REDIS_URL": "redis://:hidden@cache:6379/0",
            "SECRET_KEY": "topsecret",
            "METRICS_TOKEN": "t0ken",
            "SENTRY_DSN": "https://keyhole@sentry.example/1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://tracer:sw0rdfish@traces.example",
        }
    )

    shown = repr(config) + str(config) + str(config.masked())

    secrets = ("s3cret", "editor", "hidden", "topsecret", "t0ken", "keyhole", "sw0rdfish")
    assert not [secret for secret in secrets if secret in shown]


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (SECRET_URI, "mongodb+srv://***@cluster0.example.net/"),
        ("redis://cache:6379/0", "redis://cache:6379/0"),
        ("redis://:p@ss@cache", "redis://***@cache"),
        ("mongodb://u:p/a?s#s@db/", "mongodb://***@db/"),
        ("mongodb://u:p%40ss@a:1,b:2/db?authSource=x", "mongodb://***@a:1,b:2/db"),
    ],
)
def test_a_connection_string_keeps_only_its_hosts(uri: str, shown: str) -> None:
    assert mask_connection_string(uri) == shown


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config.from_env({}).port = 1  # type: ignore[misc]


@pytest.mark.parametrize("value", ["600", "many", "600/fortnight", "600/minute;", "-1/minute", "600/minute;x"])
def test_limits_that_nobody_understands_are_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="RATE_LIMITS is .* allowed is limits with ; between"):
        Config.from_env({"RATE_LIMITS": value})


def test_limits_are_off_unless_they_are_given() -> None:
    assert Config.from_env({}).rate_limits is None
    assert Config.from_env({"RATE_LIMITS": " 600/minute;20/second "}).rate_limits == "600/minute;20/second"


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("rediss://:s3cret@cache:6380", "rediss://:s3cret@cache:6380?ssl_cert_reqs=none"),
        ("rediss://cache:6380/1?socket_timeout=1", "rediss://cache:6380/1?socket_timeout=1&ssl_cert_reqs=none"),
        ("rediss://cache:6380?ssl_cert_reqs=required", "rediss://cache:6380?ssl_cert_reqs=required"),
        ("redis://cache:6379", "redis://cache:6379"),
    ],
)
def test_a_self_signed_certificate_of_redis_is_taken_on_demand(url: str, taken: str) -> None:
    assert Config.from_env({"REDIS_URL": url, "REDIS_TLS_CHECK": "0"}).redis_url == taken
    assert Config.from_env({"REDIS_URL": url}).redis_url == url

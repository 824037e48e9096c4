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


def test_production_needs_a_database() -> None:
    with pytest.raises(ConfigError, match="MONGODB_URI is missing"):
        Config.from_env({"APP_ENV": "production"})


@pytest.mark.parametrize("marker", ["DYNO", "RENDER"])
def test_a_host_is_production_even_if_nobody_says_so(marker: str) -> None:
    uri = "mongodb://db/"

    assert Config.from_env({marker: "web.1", "MONGODB_URI": uri}).app_env == "production"
    assert Config.from_env({marker: "web.1", "MONGODB_URI": uri, "APP_ENV": "development"}).app_env == "development"


@pytest.mark.parametrize("option", ["tls=false", "ssl=false", "tlsInsecure=true", "tlsAllowInvalidCertificates=true"])
def test_production_does_not_switch_tls_off(option: str) -> None:
    with pytest.raises(ConfigError, match="TLS"):
        Config.from_env({"APP_ENV": "production", "MONGODB_URI": f"mongodb+srv://u:p@c.example.net/?{option}"})


def test_the_smaller_pool_limit_may_not_exceed_the_larger() -> None:
    with pytest.raises(ConfigError, match="MONGODB_MIN_POOL_SIZE"):
        Config.from_env({"MONGODB_MIN_POOL_SIZE": "5", "MONGODB_MAX_POOL_SIZE": "4"})


def test_no_text_form_of_the_settings_shows_a_secret() -> None:
    redis_url = "redis://:hidden@cache:6379/0"
    config = Config.from_env({"MONGODB_URI": SECRET_URI, "REDIS_URL": redis_url, "SECRET_KEY": "topsecret"})

    shown = repr(config) + str(config) + str(config.masked())

    assert not [secret for secret in ("s3cret", "editor", "hidden", "topsecret") if secret in shown]


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (SECRET_URI, "mongodb+srv://***@cluster0.example.net/"),
        ("redis://cache:6379/0", "redis://cache:6379/0"),
        ("mongodb://u:p%40ss@a:1,b:2/db?authSource=x", "mongodb://***@a:1,b:2/db"),
    ],
)
def test_a_connection_string_keeps_only_its_hosts(uri: str, shown: str) -> None:
    assert mask_connection_string(uri) == shown


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config.from_env({}).port = 1  # type: ignore[misc]

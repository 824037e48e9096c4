"""What `flask doctor` thinks of the settings, which were found to be right when the program started."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlsplit

from projectapi.protocols import Diagnosis, ok, warn


class Settings(Protocol):
    """The settings that are looked at; `create_app` keeps them in `app.config["PROJECTAPI"]`."""

    @property
    def app_env(self) -> str: ...
    @property
    def cors_origins(self) -> tuple[str, ...]: ...
    @property
    def rate_limits(self) -> str | None: ...
    @property
    def trusted_proxies(self) -> int: ...
    @property
    def dyno(self) -> str | None: ...


class SettingsExamination:
    """Whether right settings also make sense together, where they are."""

    name = "settings"
    needs = ""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        settings = self._settings
        if settings.app_env != "production":
            return ok(f"right, for {settings.app_env}")
        if all(urlsplit(origin).hostname in ("localhost", "127.0.0.1") for origin in settings.cors_origins):
            return warn(
                "right, but browsers may call from frontends on this machine only",
                "Set CORS_ORIGINS to the address of your frontend, such as https://editor.example.org.",
            )
        if settings.dyno and settings.rate_limits and not settings.trusted_proxies:
            return warn("right, but all clients share one of RATE_LIMITS: the router's", "Set TRUSTED_PROXIES=1.")
        return ok("right, for production")

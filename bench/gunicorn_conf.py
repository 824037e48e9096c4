"""projectapi's own gunicorn settings for everybody else: the numbers without the hooks, which know projectapi."""

import runpy
from types import ModuleType

from bench.processes import ROOT

_settings = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
globals().update(
    {
        name: value
        for name, value in _settings.items()
        if not name.startswith("_") and not callable(value) and not isinstance(value, ModuleType)
    }
)

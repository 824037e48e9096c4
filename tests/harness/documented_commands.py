"""Commands that stand in a page, and the answers that stand below them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from flask import Flask
from werkzeug.serving import make_server


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Have the application answer over TCP; give its host and port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pattern_of(answer: str) -> str:
    """Return what an answer must match: three dots stand for anything, and so does what the server makes up."""
    escaped = re.escape(answer).replace(re.escape("..."), ".*").replace(r"\ .*", ".*").replace(r".*\ ", ".*")
    return escaped.replace("4f1c0a5d9be2a7c3d8e6f012", "[0-9a-f]{24}")

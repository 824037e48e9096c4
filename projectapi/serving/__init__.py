"""How gunicorn's workers treat connections: what happens to a request before the application sees it, and after it answered."""

# syntax=docker/dockerfile:1
FROM python:3.11-slim AS packages
COPY requirements.txt .
# Every requirement comes as a wheel: no compiler is needed, and none is left behind.
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: -r requirements.txt

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    APP_ENV=production \
    FLASK_APP=wsgi \
    PORT=8001 \
    MEDIA_DIR=/var/lib/projectapi/media \
    BACKUP_DIR=/var/lib/projectapi/backups
# The folders are made here, so that volumes mounted over them belong to the user, too.
RUN useradd --system --uid 10001 --home-dir /srv/projectapi --shell /usr/sbin/nologin projectapi \
 && install -d -o projectapi -g projectapi /var/lib/projectapi/media /var/lib/projectapi/backups
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/projectapi
COPY wsgi.py config.py gunicorn.conf.py ./
COPY projectapi projectapi
USER projectapi
EXPOSE 8001
# That it is alive, not that it is ready: a restart does not bring MongoDB back.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://localhost:{os.environ[\"PORT\"]}/health', timeout=3)"]
CMD ["gunicorn", "wsgi:app"]

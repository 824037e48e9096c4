# Read by the `flask` command: where the application is, and the port of plain `flask run`.
FLASK_APP=wsgi
FLASK_RUN_PORT=8001

"""The verbs on data: every query and every update that projectapi sends to MongoDB is in here."""

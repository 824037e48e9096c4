"""The `flask` commands of people who run projectapi."""

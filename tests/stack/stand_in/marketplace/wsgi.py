"""A stand-in for the web process: /health/ asks the database."""

import os

import psycopg


def application(environ, start_response):
    try:
        with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=2) as connection:
            connection.execute("SELECT 1")
        status = "200 OK"
    except psycopg.Error:
        status = "503 Service Unavailable"
    start_response(status, [("Content-Type", "text/plain")])
    return [b"web"]

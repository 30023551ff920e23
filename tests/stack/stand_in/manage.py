"""A stand-in for the project's manage.py: just enough for ./run to be tested without Django."""

import json
import os
import socket
import sys
import time

import psycopg
import redis
import uvicorn


def owner():
    return psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True)


command = sys.argv[1]
if command == "migrate":
    assert sys.argv[2:4] == ["--database", "owner"]
    with owner() as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS django_migrations (id bigint GENERATED ALWAYS AS IDENTITY, name text)"
        )
        connection.execute("CREATE TABLE IF NOT EXISTS notes (note text)")
        connection.execute("GRANT SELECT, INSERT ON notes TO touchstone_app")
        connection.execute("INSERT INTO django_migrations (name) VALUES ('first')")
elif command == "facts":
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        user, server = connection.execute("SELECT current_user, current_setting('server_version_num')").fetchone()
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    client.set("fact", "kept")
    with owner() as connection:
        owner_user = connection.execute("SELECT current_user").fetchone()[0]
    facts = {"user": user, "owner": owner_user, "server": server, "redis": client.get("fact").decode(), **os.environ}
    print(json.dumps(facts))
elif command == "note":
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("INSERT INTO notes VALUES (%s)", [sys.argv[2]])
elif command == "notes":
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        print(json.dumps([row[0] for row in connection.execute("SELECT note FROM notes")]))
elif command == "sleep":
    print("sleeping", flush=True)
    time.sleep(float(sys.argv[2]))
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("SELECT 1")
    print("slept", flush=True)
elif command == "staff_key":
    print(json.dumps({"email": sys.argv[3], "key": "staff-secret", "scopes": ["staff"], "expires_at": None}))
elif command == "live":
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((sys.argv[3], int(sys.argv[5])))
    uvicorn.Server(uvicorn.Config("marketplace.asgi:application", access_log=False)).run(sockets=[bound])
elif command == "relay":
    time.sleep(1_000_000)
elif command == "check_promises":
    print("promises:", *sys.argv[2:])
elif command == "fail":
    sys.exit(7)
else:
    sys.exit(f"unknown command {command}")

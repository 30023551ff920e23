"""Whether a process of the site answers on this machine: `healthcheck.py PORT PATH`; exit 1 when it does not.

It asks under the site's own name, for any other is refused, and over plain HTTP, which only these paths allow.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException


def answers(port: int, path: str) -> bool:
    """Whether the path gives 200 within five seconds."""
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip()
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host.lstrip(".")})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers(int(sys.argv[1]), sys.argv[2]) else 1)

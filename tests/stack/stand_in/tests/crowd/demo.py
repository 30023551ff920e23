"""A stand-in for the demo: says what it was given as the last line of stdout."""

import json
import os
import sys
import urllib.request

url = sys.argv[sys.argv.index("--base-url") + 1]
status = urllib.request.urlopen(url + "/health/", timeout=5).status
print(
    json.dumps({"argv": sys.argv[1:], "key": os.environ["TOUCHSTONE_STAFF_KEY"], "status": status, "cwd": os.getcwd()})
)

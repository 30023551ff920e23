"""HTTP: pages and REST, served by WSGI threads."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings.prod")
application = get_wsgi_application()

# Needs the apps, so it comes after the set-up.
from marketplace.common.boot import require_safety  # noqa: E402
from marketplace.common.durability import require_durability  # noqa: E402

require_safety()
require_durability()

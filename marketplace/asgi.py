"""The live server: WebSockets, and long-poll and a health check beside them. Pages and API are `marketplace.wsgi`'s."""

import os

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings.prod")
django.setup()

# They need the apps, so they come after the set-up.
from marketplace.common.boot import require_safety  # noqa: E402
from marketplace.common.durability import require_durability  # noqa: E402
from workers.live.admin_socket import AdminConsumer  # noqa: E402
from workers.live.consumers import WorkerConsumer  # noqa: E402
from workers.live.http import lifespan, plain, refuse_unknown_sockets  # noqa: E402
from workers.live.requester_socket import RequesterConsumer  # noqa: E402

require_safety()
require_durability()
SOCKETS = (WorkerConsumer, RequesterConsumer, AdminConsumer)
application = ProtocolTypeRouter(
    {
        "http": plain,
        "lifespan": lifespan,
        "websocket": refuse_unknown_sockets(
            URLRouter([path(f"ws/{kind.socket}/", kind.as_asgi()) for kind in SOCKETS])
        ),
    }
)

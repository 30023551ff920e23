"""`./run bench WHAT …`: one module for each thing that is measured."""

import importlib
import sys

MODULES = {
    "assign": "claim and submit over HTTP at several sizes, beside the floors of HTTP and of SQL",
    "fair": "many workers at their own pace on one batch to its end: latencies, false empties",
    "plans": "plans and buffers of every statement of claim and submit",
    "profile": "where the time of one steady cycle goes",
    "import": "import beside raw COPY",
    "export": "export beside raw COPY",
    "peers": "Label Studio and Turkle through the same loop in the same run",
    "servers": "web servers and connections, on the steady cycle and on the trivial view",
    "live": "sockets: memory, connecting, one change for all, stream mode beside HTTP, everybody back after a crash",
    "soak": "sockets at work for long while everything beside PostgreSQL dies again and again",
    "slow": "sockets that read nothing beside good ones",
    "pages": "the worker's pages in a browser: what each fetches, and how soon the next task is there",
    "ledger": "payments and transfers a second beside bare updates by pgbench",
    "crowd": "whom the market limits, and what gives its gold away, by a simulated or a recorded crowd",
    "aggregation": "Dawid-Skene and majority beside crowd-kit",
    "outbox": "whether readers of events miss any, and how far behind they are",
    "consensus": "what running consensus costs for each answer",
}


def main(argv: list[str]) -> int:
    """Run one benchmark; its exit code."""
    if not argv or argv[0] not in MODULES:
        print("Usage: ./run bench WHAT [options]; ./run bench WHAT --help lists them.\n")
        print("\n".join(f"  {name:<12} {about}" for name, about in MODULES.items()))
        return 0 if not argv or argv[0] in ("-h", "--help") else 2
    return int(importlib.import_module(f"tests.benchmarks.bench_{argv[0]}").main(argv[1:]) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Every socket and every topic × person × {own, foreign, nonexistent} (R27, R28), generated from `who_may`.

A socket or a kind of topic without a line fails.
"""

import re
from typing import Any

import pytest
from channels.db import database_sync_to_async

from marketplace import asgi
from marketplace.accounts.commands.tickets import issue_ticket
from marketplace.common.transactions import one_transaction
from tests.contracts.persons import PERSONS, World
from tests.contracts.test_page_matrix import lets_in
from tests.contracts.who_may import SOCKETS, TOPICS
from tests.live.communicators import Socket
from tests.live.conftest import one_connection  # noqa: F401  (for every test here)
from tests.live.test_streams_socket import run
from tests.live.test_worker_socket import PAGE
from workers.live.topics import known_kinds

WHOSE = ("nonexistent", "foreign", "own")


def test_every_socket_and_every_kind_of_topic_has_its_line() -> None:
    assert {kind.socket for kind in asgi.SOCKETS} == set(SOCKETS) == set(TOPICS)
    assert {topic.partition(":")[0] for topics in TOPICS.values() for topic in topics} == known_kinds()


def ticket_of(world: World, person: str, socket: str) -> str:
    """By the session of his pages, whatever the address of tickets would say of it."""
    if person not in world.sessions:
        return "nothing"
    with one_transaction(principal="test"):
        return issue_ticket(user_id=world.people[person].pk, socket=socket, session_key=world.sessions[person])[0]


async def opened(world: World, person: str, kind: str) -> Socket | None:
    """The socket, where the person is let in."""
    ticket = await database_sync_to_async(ticket_of)(world, person, kind)
    socket = Socket(f"/ws/{kind}/", origin=PAGE)
    assert (await socket.connect())[0]
    await socket.send_json({"type": "authenticate", "ticket": ticket})
    answer = await socket.receive_output(timeout=10)
    while answer["type"] == "websocket.send" and '"hello"' not in answer["text"]:
        answer = await socket.receive_output(timeout=10)
    if answer["type"] == "websocket.close":
        assert answer["code"] in (4401, 4403), answer
        await socket.leave()
        return None
    return socket


async def looks_on(socket: Socket, topic: str) -> tuple[str, Any]:
    """`in`, or how it is refused, with the words."""
    await socket.send_json({"type": "subscribe", "id": "s", "topic": topic})
    answer = await socket.receive_json()
    if answer["type"] == "state":
        await socket.send_json({"type": "unsubscribe", "topic": topic})
        return "in", None
    assert answer["type"] == "reply", answer
    # Long names of topics are told only in part.
    named = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{20,27}", "", str(answer["body"]))
    return {403: "low", 404: "none"}[answer["status"]], named


@pytest.mark.parametrize("kind", SOCKETS)
def test_every_socket_opens_to_whom_it_should_and_shows_him_what_he_may_see(world: World, kind: str) -> None:
    gate = SOCKETS[kind]
    wrong: list[str] = []
    asked = 0

    async def story() -> None:
        nonlocal asked
        for person in PERSONS:
            socket = await opened(world, person, kind)
            asked += 1
            # A worker's socket is every worker's own.
            may = lets_in("open" if gate == "worker" else gate, person, "own")
            if (socket is not None) != may:
                wrong.append(f"{kind} as {person}: {'opened' if socket else 'refused'}")
            if socket is None:
                continue
            # All that there is anywhere: what is another socket's is not here for anybody.
            for other, topics in TOPICS.items():
                for topic, who in topics.items():
                    words = {}
                    for whose in WHOSE if "{" in topic else ("own",):
                        said, words[whose] = await looks_on(socket, topic.format(**world.things[whose]))
                        asked += 1
                        fine = other == kind and lets_in(who, person, whose)
                        low = other == kind and whose == "own" and lets_in("viewer", person, whose)
                        if said != ("in" if fine else "low" if low else "none"):
                            wrong.append(f"{kind} as {person}, {topic} {whose}: {said}")
                    if person != "other requester" and len(words) > 1 and words["foreign"] != words["nonexistent"]:
                        wrong.append(f"{kind} as {person}, {topic}: another's is told from none: {words}")
            await socket.leave()

    run(story)
    assert wrong == [], "\n".join(wrong)
    print(f"\n{kind}: {asked} questions to its socket")
    assert asked > len(PERSONS)


@pytest.mark.parametrize("person", [*PERSONS])
def test_a_ticket_for_one_socket_opens_no_other(world: World, person: str) -> None:
    async def story() -> None:
        for kind in SOCKETS:
            text = await database_sync_to_async(ticket_of)(world, person, kind)
            for other in set(SOCKETS) - {kind}:
                socket = Socket(f"/ws/{other}/", origin=PAGE)
                assert (await socket.connect())[0]
                await socket.send_json({"type": "authenticate", "ticket": text})
                answer = await socket.receive_output(timeout=10)
                while answer["type"] == "websocket.send":
                    assert '"hello"' not in answer["text"], (person, kind, other)
                    answer = await socket.receive_output(timeout=10)
                assert answer["code"] == 4401
                await socket.leave()

    run(story)

"""Work that says how good something is, or which is better."""

from django.utils.translation import gettext_lazy as _

from marketplace.projects.starters.base import Starter

RATING = Starter(
    type="rating",
    title=_("Rate on a scale"),
    summary=_("How good, how relevant, how toxic: a point on a scale with words for each."),
    interface={
        "data": [
            {"name": "question", "type": "text", "title": "Somebody searched for"},
            {"name": "result", "type": "text", "title": "And found"},
        ],
        "answer": [
            {
                "name": "relevance",
                "type": "rating",
                "title": "How well does the result answer the search?",
                "points": 5,
                "labels": ["Not at all", "Hardly", "In part", "Mostly", "Fully"],
            }
        ],
    },
    instructions="""## What this is about

We want to show better results. Each task has a search and one result of it.

## How to

Imagine that you typed the search yourself. How content would you be with this result alone?

| Point | Meaning |
| --- | --- |
| 5 | It answers the search fully; you would look no further. |
| 4 | It answers most of it. |
| 3 | It helps, but you would go on searching. |
| 2 | It is about the same thing, but no help. |
| 1 | It has nothing to do with the search. |

## Rules

- Judge the result for this search, not how well it is written.
- A search that can mean two things: a result for the likelier meaning is good.
- If you do not understand the search, say that the task is *unclear*.
""",
    sample={
        "question": "repot orchid when",
        "result": "Repot an orchid every two years, best just after it has flowered. Use coarse bark, not soil.",
    },
)

PREFERENCE = Starter(
    type="preference",
    title=_("Compare two"),
    summary=_("Which of two answers, pictures or texts is better, and by how much."),
    interface={
        "data": [
            {"name": "question", "type": "text", "title": "Question"},
            {"name": "first", "type": "markdown", "title": "Answer A"},
            {"name": "second", "type": "markdown", "title": "Answer B"},
        ],
        "answer": [
            {
                "name": "better",
                "type": "preference",
                "title": "Which answer is better?",
                "left": "first",
                "right": "second",
                "strengths": 3,
                "equal": True,
            },
            {
                "name": "why",
                "type": "text",
                "title": "What decided it?",
                "help": "A few words are enough.",
                "required": False,
                "max_length": 500,
            },
        ],
    },
    instructions="""## What this is about

A question was answered twice. Say which answer helps more the person who asked.

## How to

1. Read the question, then **both** answers to their end.
2. Ask in this order: Is it true? Does it answer the question? Is it clear? Is it as short as it can be?
3. Say how sure the difference is: from slightly to much better. Choose *equal* only where you see no difference at all.

## Rules

- A wrong answer is worse than a short one.
- Longer is not better.
- You may look facts up. If you cannot judge whether an answer is true, say that the task is *unclear*.
""",
    sample={
        "question": "Why is the sky blue?",
        "first": "Because air scatters **short waves** of light more than long ones, blue reaches us from all sides.",
        "second": "The sky is blue because it mirrors the sea.",
    },
)

RANKING = Starter(
    type="ranking",
    title=_("Put in order"),
    summary=_("Three or more things from best to worst."),
    interface={
        "data": [
            {"name": "question", "type": "text", "title": "What was asked"},
            {"name": "options", "type": "table", "title": "Answers"},
        ],
        "answer": [
            {
                "name": "order",
                "type": "ranking",
                "title": "Order the answers, the best first",
                "items": [
                    {"value": "A", "title": "Answer A"},
                    {"value": "B", "title": "Answer B"},
                    {"value": "C", "title": "Answer C"},
                ],
            }
        ],
    },
    instructions="""## What this is about

Each task shows one request and three answers to it. Put them in order, the most helpful first.

## How to

1. Read all three before you move any.
2. Find the best, then the worst, then place what is left.
3. Drag them, or use the arrow keys.

## Rules

- Truth before style: an answer with a wrong fact stands below one without.
- If two are the same to you, put the shorter one first.
""",
    sample={
        "question": "A name for a bakery near a lighthouse",
        "options": [
            {"answer": "A", "text": "The Daily Beacon"},
            {"answer": "B", "text": "Bakery"},
            {"answer": "C", "text": "Crust and Keeper"},
        ],
    },
)

JUDGING = (RATING, PREFERENCE, RANKING)

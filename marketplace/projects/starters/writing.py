"""Work that writes something down."""

from django.utils.translation import gettext_lazy as _

from marketplace.projects.starters.base import Starter

TEXT = Starter(
    type="text",
    title=_("Write a text"),
    summary=_("Describe a picture, summarise, translate, copy what is written."),
    interface={
        "data": [{"name": "picture", "type": "image", "title": "Picture"}],
        "answer": [
            {
                "name": "description",
                "type": "text",
                "title": "Describe the picture for somebody who cannot see it",
                "help": "One or two sentences.",
                "max_length": 400,
            }
        ],
    },
    instructions="""## What this is about

Your descriptions are read out to people who cannot see the pictures.

## How to

1. Begin with what matters most: who or what is it, and what happens?
2. Then the surroundings, as far as they matter.
3. Write whole sentences in English, one or two of them.

## Rules

- Say what is there, not what it may mean: "a woman smiles", not "a happy woman".
- Do not begin with "A picture of".
- Copy out writing that can be read, if it matters.
- Name nobody by his face.

> **Good:** A red house stands on a green hill under a blue sky; a path leads to its door.
>
> **Too little:** A house.
""",
)

NUMBER = Starter(
    type="number",
    title=_("Count or measure"),
    summary=_("A number: how many, how long, how old."),
    interface={
        "data": [{"name": "picture", "type": "image", "title": "Picture"}],
        "answer": [
            {
                "name": "count",
                "type": "number",
                "title": "How many windows do you see?",
                "integer": True,
                "minimum": 0,
                "maximum": 500,
            }
        ],
    },
    instructions="""## What this is about

Count the windows in each picture.

## How to

1. Make the picture larger (*+*) until you see each of them well.
2. Count row by row, so that you miss none.
3. None at all? The answer is 0.

## Rules

- Count a window if at least half of it is seen.
- A pane is not a window: what one frame holds counts once.
- Doors, mirrors and windows of cars do not count.
- Too blurred or too many to count? Say that the task is *unclear*.
""",
)

WRITING = (TEXT, NUMBER)

"""Work that chooses out of given labels."""

from django.utils.translation import gettext_lazy as _

from marketplace.projects.starters.base import Starter

CHOICE = Starter(
    type="choice",
    title=_("Sort into classes"),
    summary=_("One label out of a few for each item: sentiment, topic, spam or not."),
    interface={
        "data": [{"name": "text", "type": "text", "title": "Message"}],
        "answer": [
            {
                "name": "sentiment",
                "type": "choice",
                "title": "How does the writer feel about it?",
                "help": "Judge what is written, not what you think of it yourself.",
                "labels": [
                    {
                        "value": "positive",
                        "title": "Positive",
                        "definition": "On the whole the writer is pleased.",
                        "includes": ["praise with a small complaint"],
                        "excludes": ["praise that is plainly ironic"],
                        "examples": ["Arrived a day early and works well."],
                        "counter_examples": ["Great, broken after one day."],
                        "hotkey": "p",
                        "colour": 3,
                    },
                    {
                        "value": "neutral",
                        "title": "Neutral",
                        "definition": "The writer states facts or asks and shows no feeling, or good and bad are even.",
                        "examples": ["Does it fit the older model?"],
                        "hotkey": "n",
                        "colour": 2,
                    },
                    {
                        "value": "negative",
                        "title": "Negative",
                        "definition": "On the whole the writer is displeased.",
                        "includes": ["irony that means a complaint"],
                        "excludes": ["a complaint that the writer says was solved"],
                        "examples": ["Two weeks late and the box was open."],
                        "hotkey": "g",
                        "colour": 5,
                    },
                ],
            }
        ],
    },
    instructions="""## What this is about

You read short messages of customers. We want to know how the writers feel, to see where things go wrong.

## How to

1. Read the whole message.
2. Choose the **one** label that fits the message as a whole.
3. Open the definition of a label (key *I*) whenever you hesitate.

## Rules

- Irony counts as what it means, not as what it says.
- Where good and bad are mixed, ask what the writer would tell a friend: would he buy again?
- If the message is in a language that you do not read, or is cut off, say that the task is *unclear*.

Take the time that you need. Most messages take about ten seconds.
""",
    sample={
        "text": "The delivery took a week longer than promised, but the lamp itself is lovely and gives a warm light."
    },
)

TAXONOMY = Starter(
    type="taxonomy",
    title=_("File in a tree of categories"),
    summary=_("For many labels that belong together: products, topics, species."),
    interface={
        "data": [{"name": "text", "type": "text", "title": "Product"}],
        "answer": [
            {
                "name": "category",
                "type": "taxonomy",
                "title": "Where does it belong?",
                "tree": [
                    {
                        "value": "home",
                        "title": "Home and garden",
                        "children": [
                            {
                                "value": "furniture",
                                "title": "Furniture",
                                "definition": "What one sits or lies on, or keeps things in.",
                                "excludes": ["furniture for outside"],
                            },
                            {"value": "lighting", "title": "Lighting", "definition": "Lamps, bulbs and candles."},
                            {
                                "value": "garden",
                                "title": "Garden",
                                "definition": "All that is made to stay outside.",
                                "examples": ["A bench of teak"],
                            },
                        ],
                    },
                    {
                        "value": "electronics",
                        "title": "Electronics",
                        "children": [
                            {"value": "phones", "title": "Phones"},
                            {"value": "computers", "title": "Computers"},
                            {"value": "accessories", "title": "Cables and accessories"},
                        ],
                    },
                    {"value": "other", "title": "Something else", "definition": "It fits nowhere above."},
                ],
            }
        ],
    },
    instructions="""## What this is about

Each task shows the description of one product. Find the category under which a shop would keep it.

## How to

1. Read the description.
2. Open the tree level by level, or type a part of the name (key */*).
3. Choose the **deepest** category that fits.

## Rules

- Two categories fit? Take the one for what the product is *mainly* for.
- Nothing fits? Choose *Something else*. Do not guess.
- No product at all, or several at once? Say that the task is *unclear*.
""",
    sample={"text": "Solar lantern made of weatherproof steel, 30 cm, with a spike for the lawn. Lights up at dusk."},
)

SPANS = Starter(
    type="spans",
    title=_("Mark words in a text"),
    summary=_("Names, dates, quotes: stretches of a text with a label, and how they belong together."),
    interface={
        "data": [{"name": "text", "type": "text", "title": "Text"}],
        "answer": [
            {
                "name": "names",
                "type": "spans",
                "title": "Mark every name",
                "of": "text",
                "labels": [
                    {
                        "value": "person",
                        "title": "Person",
                        "definition": "The name of a human being, real or invented.",
                        "excludes": ["titles such as Dr. or Mrs."],
                        "hotkey": "p",
                    },
                    {
                        "value": "organisation",
                        "title": "Organisation",
                        "definition": "The name of a company, an authority, a club, a party.",
                        "hotkey": "o",
                    },
                    {
                        "value": "place",
                        "title": "Place",
                        "definition": "A place on a map: a town, a country, a river, a street.",
                        "excludes": ["a country that stands for its government"],
                        "counter_examples": ["London has refused the plan. (Organisation)"],
                        "hotkey": "l",
                    },
                ],
            }
        ],
    },
    instructions="""## What this is about

You mark the names of people, organisations and places in sentences from the news.

## How to

1. Choose a label, then draw over the words. With the keyboard: the arrow keys move, *Shift* and the arrows mark.
2. Mark **every** name, each time that it occurs.
3. No name in the text? Submit it without a mark.

## Rules

- Mark the whole name and nothing else: no title, no full stop, no quotation mark around it.
- *Universität Zürich* is one organisation, not an organisation and a place.
- "He", "the company" and the like are not names.
""",
    sample={
        "text": "Ada Lovelace met Charles Babbage in London in 1833, years before Luigi Menabrea of the University of"
        " Turin wrote about his engine."
    },
)

CHOOSING = (CHOICE, TAXONOMY, SPANS)

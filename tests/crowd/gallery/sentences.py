"""Texts to read, written for this demo: sentences with names, reviews with a mood, questions with two answers."""

from __future__ import annotations

import re
from typing import Any

MARKED = re.compile(r"\[([^|\]]+)\|(person|place|group|date)\]")

# What is in brackets is a name, and what it names.
NEWS = (
    "[Ada Lovelace|person] was born in [London|place] on [10 December 1815|date].",
    "The ferry from [Dover|place] reached [Calais|place] an hour late, and [Captain Moreau|person] apologised himself.",
    "In [1886|date] the [Harbour Society|group] had [Thomas Reed|person] paint the lights of [Cornwall|place].",
    "Nobody at the [Royal Institution|group] believed [Mary Somerville|person] until the spring of [1826|date].",
    "[Björn Åkesson|person] walked from [Malmö|place] to [Lund|place] in a single day.",
    "The [Night Mail Union|group] struck in [March 1911|date]; trains stood still as far as [York|place].",
    "After the flood, [Elena Petrova|person] rebuilt the library of [Riga|place] shelf by shelf.",
    "[Florence Nightingale|person] left [Scutari|place] in [1856|date] and never gave a speech about it.",
    "A letter signed only “R.” arrived in [Vienna|place] on [New Year's Day|date].",
    "The [Blue Anchor Company|group] sold its last sailing ship to [John Silva|person] of [Lisbon|place].",
    "[Ibn Battuta|person] saw [Mecca|place], [Delhi|place] and [Beijing|place] and was robbed near all three.",
    "Rain ruined the parade, but the [Fire Brigade|group] marched anyway, led by [Mrs Okafor|person].",
    "On [Tuesday|date] the [City Orchestra|group] plays in [Gdańsk|place] without its conductor, [Anna Wolska|person].",
    "Bread was cheap that summer and nothing else was.",
    "[Marco Ferri|person] swears that the oldest map of [Naples|place] hangs in his kitchen.",
    "The [Ministry of Tides|group] denied in [June 2019|date] that it had ever existed.",
    "[Sofia|person] has never been to [Sofia|place].",
    "When the [Polar Club|group] met in [Tromsø|place], [Dr Lindqvist|person] slept through the vote.",
    "They named the comet after [Caroline Herschel|person], who had found it from a garden in [Slough|place].",
    "By [1 May|date] the swallows were back in [Seville|place].",
)

# (text, stars from 1 to 5, what it is about)
REVIEWS = (
    ("The kettle boils in two minutes and the lid no longer sticks. Exactly what I wanted.", 5, ("product", "quality")),
    ("Arrived a week late, and the driver left it in the rain.", 1, ("service", "delivery")),
    ("It is a lamp. It lights the room. What else is there to say?", 3, ("product", "quality")),
    ("I phoned three times and each time somebody kind rang back within the hour.", 5, ("service", "support")),
    ("Lovely colour, but the zip broke on the second day.", 2, ("product", "quality")),
    ("For that price I expected a handle that does not wobble.", 2, ("price",)),
    ("Cheaper than in town, and my daughter has not put it down since.", 5, ("price",)),
    ("The manual is in four languages, none of which I can read.", 2, ("product", "manual")),
    ("Packed with such care that unpacking took longer than dinner.", 4, ("service", "delivery")),
    ("Does what it says. Nothing more, nothing less.", 3, ("product", "quality")),
    ("The chat robot sent me in circles until I gave up.", 1, ("service", "support")),
    ("Clear pictures for every step; my eight-year-old built the shelf alone.", 5, ("product", "manual")),
    ("Good shoes, though a bit tight at first. They have softened since.", 4, ("product", "size")),
    ("I ordered medium and received a tent.", 1, ("product", "size")),
    ("Not bad, not great; I would probably buy it again on sale.", 3, ("price",)),
    ("They replaced the cracked cup without asking for a photograph.", 5, ("service", "support")),
    ("Smells of paint even after a month on the balcony.", 2, ("product", "quality")),
    ("Next-day delivery that really came the next day.", 5, ("service", "delivery")),
)

# (question, one answer, the other, which is better, by how much from 1 to 3)
QUESTIONS = (
    ("Why is the sky blue?",
     "Air scatters short waves of light more than long ones, so from all directions we see mostly blue.",
     "Because it reflects the sea.", "left", 3),
    ("How do I stop onions from making me cry?",
     "Buy other vegetables.",
     "Chill them for half an hour and use a sharp knife: less of the gas gets into the air.", "right", 3),
    ("What is a leap year for?",
     "The Earth needs about 365 and a quarter days to go round the Sun; the extra day makes up for the quarters.",
     "A leap year has 366 days. It comes every four years, with a few exceptions.", "left", 2),
    ("Can I freeze cooked rice?",
     "Yes. Cool it quickly, freeze it in flat bags, and heat it until it steams.",
     "Yes, you can freeze cooked rice; heat it well afterwards.", "left", 1),
    ("Is a tomato a fruit?",
     "To a botanist yes, for it holds the seeds. To a cook it is a vegetable.",
     "Botanically a fruit, in the kitchen a vegetable.", "equal", 0),
    ("How far away is the Moon?",
     "Very far.",
     "About 384,000 kilometres; it varies by some five per cent over a month.", "right", 3),
    ("What does “ad hoc” mean?",
     "“For this”: made for one purpose, when it is needed.",
     "It is Latin. Lawyers say it, and committees.", "left", 2),
    ("Why do cats purr?",
     "Nobody is quite sure: when content, but also when hurt, perhaps to calm themselves.",
     "They purr because they are happy. Always.", "left", 2),
    ("How long should I boil an egg?",
     "From boiling water: six minutes for a soft yolk, ten for a hard one.",
     "It depends on the egg.", "left", 3),
    ("Who invented the wheel?",
     "A man called Wheeler.",
     "Nobody knows. The oldest ones found are more than five thousand years old.", "right", 3),
    ("Should I water plants at noon?",
     "Better in the morning: less of it dries up before the roots get it.",
     "Morning is best, evening is fine, noon wastes water.", "right", 1),
    ("Does sound travel in space?",
     "Hardly: there is next to nothing that could carry it.",
     "No. Sound needs something to travel in.", "equal", 0),
)  # fmt: skip


def marked(sentence: str) -> tuple[str, list[dict[str, Any]]]:
    """The sentence without its brackets, and the stretches that they mark.

    >>> marked("To [Rome|place]!")
    ('To Rome!', [{'label': 'place', 'start': 3, 'end': 7}])
    """
    text, spans, last = "", [], 0
    for found in MARKED.finditer(sentence):
        text += sentence[last : found.start()]
        spans.append({"label": found[2], "start": len(text), "end": len(text) + len(found[1])})
        text += found[1]
        last = found.end()
    return text + sentence[last:], spans

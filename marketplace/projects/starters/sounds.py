"""Work with sounds and films."""

from django.utils.translation import gettext_lazy as _

from marketplace.projects.starters.base import Starter

SOUND = {"name": "sound", "type": "audio", "title": "Recording"}

TRANSCRIPTION = Starter(
    type="transcription",
    title=_("Write down speech"),
    summary=_("What is said in a recording, with the times if you like."),
    interface={
        "data": [SOUND],
        "answer": [
            {"name": "transcript", "type": "transcription", "title": "Write down what is said", "of": "sound"},
        ],
    },
    instructions="""## What this is about

Write down, word for word, what you hear.

## How to

1. Listen once without writing.
2. Mark each sentence on the timeline and write what is said in it. *Space* plays and stops.
3. Listen to each once more and correct it.

## Rules

- Write what is said, not what should have been said. Leave out "er" and "um".
- Numbers as words up to twelve, then as digits.
- A word that you cannot make out: `[unclear]`. A whole recording: say that the task is *unclear*.
- Nobody speaks? Submit the task without text.
""",
)

SEGMENTS = Starter(
    type="segments",
    title=_("Mark stretches of a sound"),
    summary=_("Who speaks when, where music plays, where a machine knocks."),
    interface={
        "data": [SOUND],
        "answer": [
            {
                "name": "stretches",
                "type": "segments",
                "title": "Mark speech and music",
                "of": "sound",
                "min_duration": 0.2,
                "labels": [
                    {
                        "value": "speech",
                        "title": "Speech",
                        "definition": "Somebody talks, near or far.",
                        "excludes": ["singing"],
                        "hotkey": "s",
                    },
                    {
                        "value": "music",
                        "title": "Music",
                        "definition": "Instruments or singing, also in the background.",
                        "hotkey": "m",
                    },
                ],
            }
        ],
    },
    instructions="""## What this is about

Mark where somebody speaks and where music plays.

## How to

1. Listen once to the whole recording.
2. Choose the label, then draw over its stretch on the timeline. *Space* plays and stops.
3. Pull at both ends until they are right to a tenth of a second.

## Rules

- Speech over music is marked as both.
- A pause of less than half a second does not end a stretch.
- Nothing to mark? Submit the task without a mark.
""",
)

SOUNDS = (TRANSCRIPTION, SEGMENTS)

"""The embedded default of `./run`: one machine, loopback, mail on the console."""

from marketplace.settings.base import *

"""Python runs this at the start of every process of a tortured site: its clock can jump, its source can be mutated.

It does nothing in a process that the supervisor of `./run torture` did not start. The offset of the clock is eight
bytes of shared memory, so a jump reaches all processes at once. A mutant is a file that names modules, patterns and
replacements; a module is compiled from its changed text, and a pattern that does not occur exactly once stops the
process: a mutant that changes nothing would prove nothing.
"""

import os

if os.environ.get("TOUCHSTONE_SUPERVISED") and os.environ.get("TOUCHSTONE_DATA"):
    import torture_clock
    import torture_mutant

    _control = os.path.join(os.environ["TOUCHSTONE_DATA"], "control")
    os.makedirs(_control, exist_ok=True)
    torture_clock.install(os.path.join(_control, "clock"))
    torture_mutant.install(os.path.join(_control, "mutant.json"))

"""What all tests share: Ctrl-C is heard, and a profile for those that draw examples."""

import signal

from hypothesis import Phase, settings

# a suite started in the background of a shell is deaf to Ctrl-C, and so would be the programs that
# tests interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)

# for when each test runs a thousand times against mutants: the same examples every time, and a
# failure is enough: nobody reads a mutant's smallest counterexample
settings.register_profile(
    "mutation",
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
)

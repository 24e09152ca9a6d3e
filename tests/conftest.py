"""One profile for all tests that draw examples, when each of them runs a thousand times against mutants."""

from hypothesis import Phase, settings

# the same examples every time, and a failure is enough: nobody reads a mutant's smallest counterexample
settings.register_profile(
    "mutation", derandomize=True, database=None, deadline=None, phases=(Phase.explicit, Phase.generate)
)

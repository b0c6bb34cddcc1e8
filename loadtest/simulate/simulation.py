"""A run: the events of a scenario, what a policy decides about them, and what the books say to that."""

from collections.abc import Callable
from math import inf

from loadtest.simulate.books import Books
from loadtest.simulate.figures import Figures, Tally
from loadtest.simulate.policies import Policy
from loadtest.simulate.scenario import Scenario
from loadtest.simulate.timeline import What, chunks


def simulate(
    scenario: Scenario,
    policy: Policy,
    period: float = inf,
    on_arrivals: Callable[[int], None] = lambda arrivals: None,
) -> tuple[Figures, Books]:
    """The figures, and the books at the end. `period` (in mean stays) is that of the policy's ticks, if it has any.

    `on_arrivals` is told now and then how many more have been decided about, those of the warm-up as well.
    """
    books, tally = Books(scenario.limits), Tally(scenario)
    for chunk in chunks(scenario, period):
        decisions = policy.decide(chunk)
        decided = iter(decisions)
        for event in chunk:
            if event.what is What.LEAVES:
                books.leave(event.number)
            elif event.what is What.ASKS:
                substation = next(decided)
                tally.ask(event, substation, books)
                if substation is not None:
                    books.take(event.number, substation, event.watts)
            else:
                tally.tick(event, books)
        on_arrivals(len(decisions))
    return tally.figures(books), books

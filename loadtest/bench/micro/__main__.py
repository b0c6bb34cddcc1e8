"""`python -m loadtest.bench.micro`: what it runs on, then a table for each experiment as soon as it is done."""

import sys

from rich.console import Console

from grid.local import LocalGridError, end_on_signals
from loadtest.bench import machine
from loadtest.bench.micro import line, protect, rate, scripts
from loadtest.own_redis import own_redis


def main() -> None:
    if wrong := machine.missing(["redis-server"]):
        sys.exit(wrong)
    end_on_signals()
    console, progress = Console(soft_wrap=True), Console(stderr=True)
    about = ", ".join(f"{name} {value}" for name, value in machine.versions_of_ledger().items())
    console.print(f"{about}; the median of the rounds (and their range)", highlight=False)
    try:
        with own_redis() as (redis, _):
            scripts.by_substations(redis, console, progress)
            scripts.by_cars(redis, console)
            rate.measure(redis, console, progress)
            line.measure(redis, console)
            protect.by_what_is_protected(redis, console, progress)
    except LocalGridError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped.")


if __name__ == "__main__":
    main()

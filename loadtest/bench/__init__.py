"""What a whole request costs: the grid, beside the same hops that decide nothing, and beside the usual design.

Five loads, each with the machine to itself, in turns: grid, floor, polling, grid with one driver who is always alone,
grid with fleets of 100, and from the beginning (`arms.py`).
In each turn an arm is started, warmed up, and measured twice (`turn.py`):

- as fast as it can: wrk with as many requests under way as there are connections (`saturate.py`)
- at half of that rate: requests at fixed instants, whether or not others are answered, and each latency counts from
  the instant at which its request was due (`open_loop.py`)

What the arm's processes used meanwhile is read from /proc (`cpu.py`). Cars begin to charge in both and none ends: each
charges for longer than a measurement, and the next one begins when all have gone. What their ends cost is told apart.

What a decision costs without all this, each script alone with a Redis, is measured by `micro`.
"""

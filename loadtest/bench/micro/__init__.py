"""What a decision costs: the ledger's scripts, each alone with a Redis, without HTTP.

Five experiments, each on zones made for it (`zone.py`) on a redis-server that nobody else uses, with its log on:

- reserve, cancel and heartbeat in grids of 10, 1,000 and 100,000 substations (`scripts.py`)
- the same where one substation has 10 to 10,000 cars (`scripts.py`)
- how many decisions a second 1, 4 and 16 processes are given that ask for them as fast as they can (`rate.py`)
- a line of 10 and one of 10,000 before a full grid (`line.py`)
- reserve with no charger size protected, and with four (`protect.py`)

Server time and commands are Redis' own account of a script, client time is the wall clock around the call (`cost.py`).
Zones that are compared take turns, so that whatever else the machine does meets all of them.
"""

"""The public api: checks what drivers and fleets ask for, in kW and kWh, and hands it to a balancer."""

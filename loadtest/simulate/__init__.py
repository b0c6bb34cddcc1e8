"""A laboratory for placement: random cars on a virtual clock, our rule by its real scripts, other rules, and theory."""

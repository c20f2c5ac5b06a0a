"""Benchmarks: the package beside a hand-written build and a Pyomo model of the same equations."""

"""Cases solved in two levels: plans of vehicles (docs/formulation.md §12) or of sites (§11) are
columns of a small linear programme, with a bound.
"""

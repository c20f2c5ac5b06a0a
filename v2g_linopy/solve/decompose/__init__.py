"""Cases too large for one linear programme: plans as columns of a small one, with a bound
(docs/formulation.md §12).
"""

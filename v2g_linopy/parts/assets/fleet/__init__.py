"""Fleets: vehicles, packed rows of sessions, cohorts or whole fleets, as virtual batteries
(docs/formulation.md §1).
"""

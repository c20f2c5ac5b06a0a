"""Contracts with the owners of vehicles: offered, or designed together with the plan
(docs/formulation.md §10).
"""

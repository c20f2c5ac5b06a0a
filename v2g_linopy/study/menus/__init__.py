"""Menus of contracts for owners of vehicles: designed exactly or by a linear program, and judged
(docs/formulation.md §10).
"""

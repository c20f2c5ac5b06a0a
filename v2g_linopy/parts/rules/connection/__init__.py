"""The connection of each pod to the grid: its limits and its bill, from supply to peak tariff
(docs/formulation.md §5).
"""

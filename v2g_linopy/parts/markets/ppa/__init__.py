"""Power purchase agreements and contracts for difference, physical and financial
(docs/formulation.md §6)."""

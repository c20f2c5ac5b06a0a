"""What many sites can do together, without anybody but the site knowing its devices
(docs/formulation.md §11).
"""

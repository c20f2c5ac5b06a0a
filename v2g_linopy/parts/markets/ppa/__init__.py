"""Power purchase agreements and contracts for difference, physical and financial (FORMULATION
§6).
"""

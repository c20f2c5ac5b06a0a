"""Reserve products: regulation, FCR, aFRR, mFRR and others as labels of data (docs/formulation.md
§3).
"""

"""Reserve products: regulation, FCR, aFRR, mFRR and others as labels of data (FORMULATION §3)."""

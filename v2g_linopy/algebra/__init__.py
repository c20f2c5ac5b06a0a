"""Linear expressions whose rows are written once; the only room that touches linopy's private
names.
"""

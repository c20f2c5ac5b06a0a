"""What a plan is worth and why: ladder, scenarios, value of information, wear counted afterwards,
explanations, menus of contracts.
"""

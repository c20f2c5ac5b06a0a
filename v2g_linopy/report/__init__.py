"""Page, figures, tables, CSV and exports of a written result. Figures and the page need the extra
``[report]``; tables do not.
"""

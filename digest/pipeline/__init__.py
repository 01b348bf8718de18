"""The day, step by step: collect → issue → publish → deliver. The steps do not know each other; app.py calls them."""

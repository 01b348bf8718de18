"""Editions → messages. Pure; smtp.py and the outbox carry them."""

"""Measurements, side by side with what a user would pick instead; each file says its command."""

"""Reinforcement learning of the three roles: advantages, loss, rewards."""

"""Training of the roles: supervised and sparse stages, reinforcement learning, distillation, merging, the recipe."""

"""Who writes text: the Policy interface, endpoints, replay of recorded runs, budgets and retries."""

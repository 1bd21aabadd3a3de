"""LLM clients: the Policy interface, endpoints, in-process models, replay of recorded runs, budgets and retries."""

"""Rules: how each kind of claim is shown, over the ledger that the reader fills."""

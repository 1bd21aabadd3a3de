"""Rules: what each kind of claim needs to be shown, over the ledger that the reader fills."""

"""Attacks on the checker: bogus proofs by kind, mutation fuzz, a composing policy; and valid proofs in unusual words.

`python -m lab.adversary --help`. The evaluator here shares no code with the checker: it judges by trying numbers.
"""

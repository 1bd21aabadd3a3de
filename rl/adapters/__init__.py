"""Adapters: prompt, parser and reward of each role (`rl.tasks.roles`) as other RL engines take them. Imports no torch.

`lemmata adapt` writes a folder with the data in the form of an engine and ``adapter.json``, the settings of the
rewards; the functions of this package find it by the environment variable ``LEMMATA_ADAPTER``. Only
`rl.adapters.for_verifiers` needs its engine to be imported.
"""

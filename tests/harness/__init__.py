"""What the outside suites share: a Postrider process, a webhook receiver, numbers, waiting.

Nothing here knows anything of Postrider but what its documentation promises to everybody.
"""

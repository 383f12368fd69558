"""A trained model of sequences as an environment: agents play in it as in the game.

It stands behind the pool's interface. It lives here and not in workers/, which never import torch.
"""

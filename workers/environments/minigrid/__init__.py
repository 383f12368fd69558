"""Mazes and tasks of MiniGrid and BabyAI."""

"""Simulators of Box2D: CarRacing and LunarLander."""

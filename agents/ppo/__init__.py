"""PPO: what it learns from, its losses joined, its steps, how its policy acts."""

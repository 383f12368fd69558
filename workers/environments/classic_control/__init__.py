"""CartPole, MountainCar, Acrobot, Pendulum; the first two also many at once."""

"""Step environments in worker processes, without an agent: python -m examples.worker_pool_alone."""

from functools import partial

import numpy as np

from configs.schema import EnvironmentSection
from workers.environments.make import make_environment
from workers.pool import WorkerPool

NUM_ENVIRONMENTS, NUM_STEPS = 8, 200
CARTPOLE = EnvironmentSection(env_type="classic_control", env_id="CartPole-v1")

if __name__ == "__main__":
    random = np.random.default_rng(0)
    make = partial(make_environment, CARTPOLE)
    with WorkerPool(make, num_environments=NUM_ENVIRONMENTS, num_processes=2, base_seed=1) as pool:
        print("first observations", pool.reset().shape)
        lengths = []
        for _ in range(NUM_STEPS):
            pool.send(0, random.integers(pool.spec.num_actions, size=NUM_ENVIRONMENTS))
            # Whatever else is to be done, is done here, while the environments step.
            step = pool.recv(0)
            lengths += [episode.length for episode in step.episodes]
    print(f"{len(lengths)} episodes of random play, {np.mean(lengths):.1f} steps each")

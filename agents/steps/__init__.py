"""From a gradient to a step, whatever learns: replicas, Adam, what is said of a gradient."""

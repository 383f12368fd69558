"""A run's own command, in the words that start it again."""

from training.folders.own_command import own_command

FLAGS = ["main.py", "--train", "--log_name=demo"]


def test_one_process_is_started_by_python() -> None:
    assert own_command(FLAGS, {}) == ["python", *FLAGS]


def test_torchruns_part_stands_before_it() -> None:
    group = {"TORCHELASTIC_RUN_ID": "1", "GROUP_WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "2"}
    torchrun = ["torchrun", "--nnodes", "1", "--nproc_per_node", "2"]
    assert own_command(FLAGS, group) == [*torchrun, "--standalone", *FLAGS]


def test_several_nodes_meet_somewhere_that_is_not_known_here() -> None:
    group = {"TORCHELASTIC_RUN_ID": "1", "GROUP_WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "4"}
    torchrun = ["torchrun", "--nnodes", "2", "--nproc_per_node", "4"]
    assert own_command(FLAGS, group) == [*torchrun, *FLAGS]

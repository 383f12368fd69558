"""The actor side: simulators in processes. numpy and gymnasium, never torch."""

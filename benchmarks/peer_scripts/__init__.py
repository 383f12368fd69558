"""Other trainers, each driven by a script of ours that says how far it has come."""

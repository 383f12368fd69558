"""What the terminal shows of a run while it runs: a screen in place, or plain lines."""

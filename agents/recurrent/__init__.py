"""What a policy with a memory acts and learns from: sequences, with what it remembered."""

"""What families of environments are made from; knows none of them."""

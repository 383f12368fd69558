"""Super Mario Bros., by nes-py."""

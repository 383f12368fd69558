"""Any environment registered with Gymnasium: other people's, so held to what it says."""

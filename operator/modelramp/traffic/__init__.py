"""A RoutePlan rendered as an object of a router, and read back. One file a router."""

"""What tests with real processes share."""

"""End-to-end tests: the product in a real Kubernetes. What can be tested without one belongs in tests/."""

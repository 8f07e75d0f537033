"""What the tests start and talk to: a real PostgreSQL, the real program, and clients for both."""

"""Users, sessions, API keys, roles and grants."""

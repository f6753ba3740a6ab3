"""Jobs of tokenkit."""

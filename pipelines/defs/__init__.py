"""What the code location is made of: each module defines its own part."""

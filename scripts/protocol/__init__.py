"""What generate_protocol.py does: `pinning` reduces a binary's schema, `generating` makes Python of what is pinned."""

"""Who attacks, what is tried, and what refuses it: on the real servers with TLS and ACLs, and at the normaliser."""

"""The fault matrix: what is sent under each fault, what is stored, what is lost, what is double (`make chaos`)."""

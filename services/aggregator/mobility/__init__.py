"""What happened at a junction, as pure functions of the set of C-ITS records about it."""

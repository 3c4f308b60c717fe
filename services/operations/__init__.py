"""What an operator does with a running site: look at it, account for it, bring back what was refused, prove it."""

"""What earlier versions wrote, and this one must go on with."""

"""Speed, measured: messages per second and processor time per message, with the real servers on this machine."""

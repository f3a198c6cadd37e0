"""Redis: every key, the one atomic script, and the reader's side. Only this room imports redis."""

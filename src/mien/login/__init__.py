"""Log in to Linux with a face: a PAM module that asks, and a warm daemon that looks."""

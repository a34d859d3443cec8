"""Install the login daemon and its PAM lines, undo that, and say how it stands."""

"""Decide whether a living person is in front of the camera, or a picture of one."""

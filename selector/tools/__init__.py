"""Tools: the command line and what its verbs do; nothing here imports ROS."""

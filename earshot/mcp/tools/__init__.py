"""The tools, by what they are about. Each is a function of its context and its arguments."""

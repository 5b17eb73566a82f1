"""The MCP server: lets AI assistants search and read a library, over stdin and stdout or over HTTP.

Tools call earshot/library, and nothing beneath it. Each passage has who says it, when, and links to that second. Titles, names
and words are data: they are returned as JSON, and the instructions to the assistant say that they are no instructions.
"""

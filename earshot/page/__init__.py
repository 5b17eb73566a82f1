"""Earshot's page: search, read, hear and name, in a browser; and the same as JSON under /api/v1.

A thin layer over `earshot.library`: no function here knows a table, a model or Dagster.

| module | |
|---|---|
| app.py | the application: routes, middleware, errors |
| access.py | who may ask: hosts, origins, the token, and the headers that keep a page from loading anything else |
| problems.py | errors, as problem+json or as a page |
| rendering.py | templates |
| etags.py | ETags of JSON |
| serving.py | the server process, and the file that says where it is |
| api/ | /api/v1 |
| pages/ | HTML |
"""

"""The face editor. Imports run one way, down this list:

server.py        listen at an address, serve until Ctrl-C
answers.py       what the server does with an edit, an upload, a face: no routes
uploads.py       pictures that somebody hands in: limits, photographs, label maps
editing.py       edits as functions; for notebooks, the command line and the page
"""

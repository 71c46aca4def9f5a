"""The face editor. Imports run one way, down this list:

server.py        listen at an address, serve until Ctrl-C
routes.py        what can be asked of the server, how large and how slow it may be
turns.py         who is served when many ask
guard.py         whose requests are answered, and what the browser is told not to do
answers.py       what the server answers for an edit, an upload, a face; no HTTP
edit_files.py    an edit as a small file, and whether another machine would paint the same of it
upload_store.py  what was uploaded, in memory, by session
wire.py          grids as text, pictures as files
uploads.py       pictures that somebody hands in: limits, photographs, label maps
wishes.py        edits as flags of edit.py ask for them
style_codes.py   the style codes of a generator, mixed with another face's
pasting.py       an edit put back into the photograph, at the photograph's own size
editing.py       edits as functions; for notebooks, the command line and the page
shaping.py       how a map changes shape: move, scale, turn, mirror; mouth, eyes, hair; arrays only
parts.py         which part a pixel has that was painted with a region; arrays only
borrowing.py     how a region of one face fits another; arrays only
compositing.py   what of a photograph an edit changes, how softly, in which colours; arrays only
oklab.py         colours as the eye orders them
page/            the page in the browser: page/main.js begins it
"""

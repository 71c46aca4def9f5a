"""What was uploaded stays for a while, within bounds."""

from dataclasses import replace

import numpy as np
import pytest

from facegan.editor import editing
from facegan.editor.upload_store import Gone, UploadStore, name_of


def test_uploads_go_when_they_lie_idle_or_are_too_many(prepared_64):
    now = [0.0]
    store = UploadStore(most=3, most_bytes=10**6, idle=100, clock=lambda: now[0])
    face = editing.read_face(prepared_64, 0)
    names = ["0", "1", "2"]
    for name in names:
        store.add("a", name, face.map)
    store.get("a", names[0])
    store.add("b", "0", face.map)
    with pytest.raises(Gone):
        store.get("a", names[1])  # the least used
    now[0] = 90
    store.get("a", names[0])
    now[0] = 150
    store.get("a", names[0])
    assert len(store.entries) == 1
    many = UploadStore()
    many.add("b", "first", face.map)
    for i in range(20):
        many.add("a", str(i), face.map)
    assert len(many.entries) == UploadStore.MOST_OF_ONE + 1
    assert many.get("b", "first") is face.map
    large = replace(face, image=np.zeros((600, 600, 3), np.uint8))
    store.add("a", "large", large)
    assert store.bytes() <= 10**6


def test_the_name_of_an_upload_says_what_it_is():
    names = [name_of("photo", b"x"), name_of("photo", b"x", aligned=True), name_of("map", b"x"), name_of("map", b"y")]
    assert len(set(names)) == 4
    assert name_of("photo", b"x") == names[0]


def test_the_uploads_of_a_session_are_listed_the_one_used_last_first(prepared_64):
    store, face = UploadStore(), editing.read_face(prepared_64, 0)
    names = ["1", "2"]
    for name in names:
        store.add("a", name, face)
    store.add("b", "1", face)
    assert list(store.of_session("a")) == names[::-1]
    store.get("a", names[0])
    assert list(store.of_session("a")) == names
    assert store.of_session("c") == {}

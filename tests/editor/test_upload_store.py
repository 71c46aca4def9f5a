"""What was uploaded stays for a while, within bounds."""

from dataclasses import replace

import numpy as np
import pytest

from facegan.editor import editing
from facegan.editor.upload_store import Gone, UploadStore


def test_uploads_go_when_they_lie_idle_or_are_too_many(prepared_64):
    now = [0.0]
    store = UploadStore(most=3, most_bytes=10**6, idle=100, clock=lambda: now[0])
    face = editing.read_face(prepared_64, 0)
    names = [store.add("a", face.map, bytes([i])) for i in range(3)]
    store.get("a", names[0])
    store.add("b", face.map, b"")
    with pytest.raises(Gone):
        store.get("a", names[1])  # the least used
    now[0] = 90
    store.get("a", names[0])
    now[0] = 150
    store.get("a", names[0])
    assert len(store.entries) == 1
    many = UploadStore()
    first = many.add("b", face.map, b"first")
    for i in range(20):
        many.add("a", face.map, bytes([i]))
    assert len(many.entries) == UploadStore.MOST_OF_ONE + 1
    assert many.get("b", first) is face.map
    large = replace(face, image=np.zeros((600, 600, 3), np.uint8))
    store.add("a", large, b"large")
    assert store.bytes() <= 10**6
    assert store.add("a", face.map, b"0") == store.add("a", face.map, b"0") != store.add("b", face.map, b"0")


def test_the_uploads_of_a_session_are_listed_the_one_used_last_first(prepared_64):
    store, face = UploadStore(), editing.read_face(prepared_64, 0)
    names = [store.add("a", face, content) for content in (b"1", b"2")]
    store.add("b", face, b"1")
    assert list(store.of_session("a")) == names[::-1]
    store.get("a", names[0])
    assert list(store.of_session("a")) == names
    assert store.of_session("c") == {}

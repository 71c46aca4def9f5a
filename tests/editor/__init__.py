"""The face editor: tests of facegan/editor/ and of its page in a real browser."""

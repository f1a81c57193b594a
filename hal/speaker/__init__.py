"""Speakers: clips by id, never text."""

"""``sentinel report``: one day at one junction, from the journal, as text, JSON or one HTML page."""

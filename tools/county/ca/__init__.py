"""The county's certificate authority: who is let in to its broker, and which broker its nodes talk to."""

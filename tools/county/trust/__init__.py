"""The county's signature: its keys, its TUF repository, and the bundles cut from it."""

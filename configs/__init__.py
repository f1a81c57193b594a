"""Site configuration: one YAML file a site, its schema, loader and examples. Imports nothing else of this project."""

"""Resources read from YAML files, with the line of every field."""

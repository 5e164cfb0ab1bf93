"""Small networks that turn memory maps into vectors. They know nothing of censoring."""

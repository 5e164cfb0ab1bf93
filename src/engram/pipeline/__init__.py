"""The only place where images and statistics meet: check, embed, evaluate, report, and all of them in turn."""

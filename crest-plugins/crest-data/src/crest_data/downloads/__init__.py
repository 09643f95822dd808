"""Downloads from public archives: thin calls of the clients that the field uses, which are optional."""

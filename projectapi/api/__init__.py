"""HTTP and nothing else: a handler loads its schema, makes one call to a store, and answers."""

"""The same product as others would build it: create, list, open and save projects, each as small as it is fair.

They get every advantage that keeps them small: no history, no trash, no upload, and a save is one update of one document.
Durability is the same for all (it stands in the connection string).
"""

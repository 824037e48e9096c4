"""The inside of `create_app`: what stands behind the protocols, made of the settings and of the clients of the servers."""

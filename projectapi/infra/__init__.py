"""What talks to servers: the pooled MongoClient, retries, the translation of driver errors, database set-up."""

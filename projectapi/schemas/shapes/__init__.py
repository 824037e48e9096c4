"""What successful answers have in them, field by field with units and examples: what `schemas.answers` and its like write.

Nothing is checked with these schemas at run time; the documentation is made of them, and the tests hold every answer to it.
Every field is always there, unless its description says otherwise.
"""

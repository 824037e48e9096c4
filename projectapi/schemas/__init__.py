"""The shapes on the wire: marshmallow for what comes in, plain rendering for what goes out."""

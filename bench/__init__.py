"""How fast projectapi is: ratios against the limits of its parts and against peers, measured in one run."""

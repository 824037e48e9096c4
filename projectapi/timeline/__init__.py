"""Pure rules of a timeline's history: how revisions are packed, compared, patched and thinned out. Nothing here does I/O."""

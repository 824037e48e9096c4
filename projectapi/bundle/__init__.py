"""Bundles: one project in one zip file, to be kept, sent, or brought to another server.

::

    project.json             name, description, dates, and what is said of the current version of the timeline
    timeline.json            the current state of the timeline, as the frontend saved it
    timeline.otio            the same as OpenTimelineIO, for other editors
    transcript.json          the transcript, if there is one
    history.jsonl            by option: the earlier versions, one JSON object a line, the oldest first
    video/<name>             by option: the original video
    manifest.json            the last: every other file with its bytes and SHA-256

`writing` makes them; `opening` opens what a stranger sent, and `reading` believes it when everything was checked.
"""

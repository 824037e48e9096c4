"""A limit that two parts know is one limit."""

from __future__ import annotations

import pytest
from werkzeug.test import EnvironBuilder

from projectapi import errors
from projectapi.api.uploading import UploadRequest
from projectapi.media.segments import clamp
from projectapi.media.storage import MediaFolder
from projectapi.project import FORM_OVERHEAD_BYTES, SEGMENTS_MAX, Segment
from projectapi.schemas.requests import TrimRequest


def test_the_parser_and_the_folder_take_the_same_length_of_a_body(folder: MediaFolder) -> None:
    request = UploadRequest(EnvironBuilder().get_environ())
    with folder.new_part() as part:
        request.receive_into(part, folder.max_upload_bytes)

    most = request.max_content_length
    assert most == folder.max_upload_bytes + FORM_OVERHEAD_BYTES
    folder.new_part(most).close()
    with pytest.raises(errors.VideoTooLarge):
        folder.new_part(most + 1)


@pytest.mark.parametrize(("count", "taken"), [(SEGMENTS_MAX, True), (SEGMENTS_MAX + 1, False)])
def test_a_request_may_name_as_many_segments_as_can_be_cut(count: int, taken: bool) -> None:
    problems = TrimRequest().validate({"project_id": "p", "segments": [{"startTime": 0, "duration": 1}] * count})

    assert ("segments" not in problems) == taken
    if taken:
        clamp([Segment(0, 1)] * count, 6.0)

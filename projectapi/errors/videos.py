"""What can be wrong with the files of videos, and with those that are made of them."""

from __future__ import annotations

from projectapi.errors.base import ProjectApiError
from projectapi.errors.requests import BadRequest, BodyTooLarge, NotFound


class InvalidVideo(BadRequest, code="invalid_video"):
    """The file is no video that this server can read."""

    sentence = "Invalid file type. Only MP4, MOV, AVI, MKV files are allowed."


class UploadIncomplete(BadRequest, code="upload_incomplete"):
    """The body ended, or stood still, before all bytes that were announced had come."""

    sentence = "The upload broke off before its end. The project is unchanged; please upload the video again."


class VideoTooLarge(BodyTooLarge, code="video_too_large"):
    """The video has more bytes than ``MAX_UPLOAD_BYTES``."""

    sentence = "File size too large. Maximum size is 2GB."


class VideoNotFound(NotFound, code="video_not_found"):
    """The project has no video."""

    sentence = "Video file not found"


class VideoLost(VideoNotFound, code="video_lost", status=410):
    """The project has a video whose file is gone from the server's disk."""

    sentence = (
        "The video's file is no longer on the server's disk. The project is safe, and its video must be uploaded again: upload "
        "the same file, and it is attached to the timeline and the history as it was."
    )


class ThumbnailNotFound(NotFound, code="thumbnail_not_found"):
    """The project has no thumbnail."""

    sentence = "Thumbnail not found"


class RangeNotSatisfiable(ProjectApiError, code="range_not_satisfiable", status=416):
    """The range that was asked for begins behind the end of the file."""

    sentence = "The file is shorter than the place that was asked for."


class DiskFull(ProjectApiError, code="disk_full", status=507):
    """The media disk has no room for an upload, or for what was to be made of a video; nothing of it was kept."""

    sentence = "The server's disk is full, so nothing new was stored. What was there before is untouched."

"""How every command of ffmpeg begins."""

from __future__ import annotations

import imageio_ffmpeg

from projectapi.media.sandbox import CONTAINERS, FIRST_INPUT


def ffmpeg_command() -> list[str]:
    """Return the program and what all its runs have in common: quiet, no input to wait for, outputs overwritten."""
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y"]


def untrusted_input() -> list[str]:
    """Return the arguments by which ffmpeg reads the sandbox's untrusted file, no other file, and only known containers."""
    return ["-protocol_whitelist", "fd", "-format_whitelist", CONTAINERS, "-fd", str(FIRST_INPUT), "-i", "fd:"]

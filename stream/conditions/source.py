"""Bytes of a file as text: what editors and spreadsheets make of UTF-8."""

import codecs

from stream.conditions.excerpt import place
from stream.conditions.problems import DefinitionError, Mark, Problem

_EXPECTED = "a text file in UTF-8"


def text_of(data: bytes, source: str) -> str:
    """Text of a file's bytes; a mark of the byte order at its beginning is no part of it.

    Raises
    ------
    DefinitionError
        If it is no text, or in another encoding than UTF-8 or, marked as such, UTF-16.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise _refused(source, Mark(1, 1), "UTF-16 that breaks off") from None
    if b"\0" in data:
        raise _refused(source, Mark(1, 1), "bytes that are no text", "is it the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        char = data[error.start : error.start + 1].decode("cp1252", "replace")
        found = f"the byte 0x{data[error.start]:02X}, which is not UTF-8"
        hint = f'save the file as UTF-8; from Windows it may be "{char}"'
        raise _refused(source, Mark(*place(before, len(before))), found, hint) from None


def _refused(
    source: str, mark: Mark, found: str, hint: str = "save the file anew"
) -> DefinitionError:
    return DefinitionError(source, [Problem(mark, "", found, _EXPECTED, hint)])

"""The course: assignments made from the library, and the tool that releases, checks and grades them.

``python -m hw`` lists what it can do; README.md beside this file is the manual for staff.
"""

from __future__ import annotations


class UsageError(ValueError):
    """Something that a user can mend: it is shown as a message, without a traceback."""

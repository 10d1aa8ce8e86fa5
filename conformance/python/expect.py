"""What a failed call must raise."""

from contextlib import contextmanager

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

KINDS = {404: ResourceNotFoundError, 409: ResourceExistsError}


@contextmanager
def refused(status: int, code: str, inner: str | None = None, text: str = ""):
    """The block raises the exception class of `status`, with the error codes that programs test.

    `text` must occur in the message, whatever its case.
    """
    with pytest.raises(KINDS.get(status, HttpResponseError)) as caught:
        yield caught
    error = caught.value
    assert error.status_code == status, error
    assert error.error is not None and error.error.code == code, error
    if inner:
        assert error.error.innererror.get("code") == inner, error
    assert text.lower() in error.message.lower(), error


def bad_parameter(text: str = ""):
    """400 with the code that every malformed request gets."""
    return refused(400, "BadParameter", text=text)

"""What a failed call must raise."""

import json
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


@contextmanager
def config_refused(status: int, error: type[HttpResponseError] = HttpResponseError, kind: str = ""):
    """The block raises exactly this class, with the kind of problem that the store names, or with no body."""
    with pytest.raises(HttpResponseError) as caught:
        yield caught
    raised = caught.value
    assert type(raised) is error and raised.status_code == status, repr(raised)
    body = raised.response.text()
    if kind:
        assert json.loads(body)["type"] == f"https://azconfig.io/errors/{kind}", body
    elif status in (401, 403, 404, 412):
        assert body == "", body

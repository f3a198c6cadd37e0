"""What is not there, or could not be made, says what to do and nothing of what went wrong."""

import logging

import httpx
import pytest
from fastapi import FastAPI

from stream.dashboard.plain import tell_plainly
from tests.dashboard.served import Served


def test_a_page_that_is_not_there_leads_back(served: Served):
    status, headers, text = served.get("/nothing?<script>")
    assert status == 404
    assert "No such page" in text
    assert '<a href="/">' in text
    assert "<script" not in text
    assert "content-security-policy" in headers


async def test_a_page_that_fails_keeps_the_reason_for_the_log(caplog: pytest.LogCaptureFixture):
    app = FastAPI()
    tell_plainly(app)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("the password is plum")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    with caplog.at_level(logging.ERROR):
        async with httpx.AsyncClient(transport=transport, base_url="http://agos") as client:
            answer = await client.get("/broken")
    assert answer.status_code == 500
    assert "log says why" in answer.text
    assert "plum" not in answer.text
    assert any("bug" in record.message and record.exc_info for record in caplog.records)

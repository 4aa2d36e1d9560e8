"""The HTTP face of one model: predictions, probes, metrics."""

from __future__ import annotations

import logging
import time
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from digits.server.metrics import Metrics
from digits.server.reader import PIXELS, Reader

_log = logging.getLogger(__name__)


class Question(BaseModel):
    """The body of POST /predict; `label` is the truth, where it is known already."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixels: tuple[Annotated[float, Field(ge=0, le=16)], ...] = Field(min_length=PIXELS, max_length=PIXELS)
    label: int | None = Field(default=None, ge=0, le=9)


class Service:
    """One model behind HTTP.

    It listens before the model is loaded, so that "alive, not ready" can be told from "dead".
    """

    def __init__(self, *, model: str, version: str) -> None:
        self.metrics = Metrics(model=model, version=version)
        self.reader: Reader | None = None
        self.draining = False
        self._served = {"model": model, "version": version}

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/predict", self._predict)
        app.on_response_prepare.append(self._finish_headers)
        return app

    async def _finish_headers(self, _request: web.Request, response: web.StreamResponse) -> None:
        response.headers["x-model-version"] = self._served["version"]
        if self.draining:
            # The caller must not send its next request on a connection that is about to end. By now aiohttp
            # has written its own Connection header, so closing alone would come without a word.
            response.force_close()
            response.headers["Connection"] = "close"

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        if self.draining:
            return web.Response(status=503, text="stopping\n")
        if self.reader is None:
            return web.Response(status=503, text="the model is being loaded\n")
        return web.Response(text="ready\n")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def _predict(self, request: web.Request) -> web.Response:
        started = time.perf_counter()
        code, body = await self._answer(await request.read())
        self.metrics.request(code=code, seconds=time.perf_counter() - started)
        return web.json_response(self._served | body, status=code)

    async def _answer(self, content: bytes) -> tuple[int, dict[str, str | int | float]]:
        if self.reader is None:
            return 503, {"error": "the model is being loaded; wait for /readyz"}
        try:
            question = Question.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            return 400, {"error": f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}"}
        try:
            prediction = await self.reader.answer(question.pixels)
        except Exception as error:  # noqa: BLE001 (whatever a model does wrong is a 500 of that request)
            _log.exception("prediction failed")
            return 500, {"error": f"{type(error).__name__}: {error}"}
        self.metrics.prediction(prediction.score)
        if question.label is not None:
            self.metrics.outcome(correct=prediction.digit == question.label)
        return 200, {"digit": prediction.digit, "score": round(prediction.score, 4)}

"""The published files: what is below site.output, and nothing else. fastlane.py answers for those known here already."""

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.parse import quote

from anyio import open_file, to_thread
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import Receive, Scope, Send

from digest.web.conditions import read_asked
from digest.web.files import Answer, File, Files, press, signature
from digest.web.pages import ALWAYS

_CHUNK = 256 << 10


class Published:
    """The files of a site, `index.html` for a folder; `root` is the path of site.url. `digests` are the folders of its digests:
    each may have a 404.html of its own."""

    def __init__(self, files: Files, root: str, digests: Sequence[str] = ()) -> None:
        self._files = files
        self._root = root
        self._digests = sorted({"", *digests}, key=len, reverse=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises HTTPException for what is no file, where no 404.html is published, and for other methods."""
        if scope["type"] != "http":
            return
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
        # A slash in disguise is in no address of ours.
        place = self._files.place(path) if b"%2f" not in scope.get("raw_path", b"").lower() else None
        file = await self._file(place) if place else None
        if file is not None:
            target = scope.get("raw_path")
            if target:
                self._files.learn(bytes(target), file.path)
            if not await self._answer(file, scope, send):
                await self(scope, receive, send)
        elif path and await to_thread.run_sync(self._files.is_folder, path):
            # By its own path, so that it leads nowhere else.
            await RedirectResponse(f"{self._root}{quote(path)}/", headers=ALWAYS)(scope, receive, send)
        else:
            await self._missing(path, scope, send)

    async def _file(self, place: str) -> File | None:
        file = self._files.fresh(place)
        if file is None:
            file = await to_thread.run_sync(self._files.load, place)
            if file is None:
                self._files.forget(place)
            else:
                self._files.keep(file)
        return file

    async def _answer(self, file: File, scope: Scope, send: Send, status: int = 200) -> bool:
        """False, and nothing sent, for a large file that was replaced in this moment."""
        asked = read_asked(scope["headers"])
        form = file.representation(asked.gzip)
        if form is None:
            self._files.add_pressed(file, await to_thread.run_sync(press, file))
            form = file.representation(asked.gzip) or file.plain
        answer = form.missing if status == 404 else form.answer(asked)
        if scope["method"] == "GET" and answer.body is None:
            return await _send_large(file, answer, send)
        await _start(answer, send)
        await _send(b"" if scope["method"] == "HEAD" else answer.body or b"", send)
        return True

    async def _missing(self, path: str, scope: Scope, send: Send) -> None:
        folder = next(folder for folder in self._digests if path.startswith(folder))
        for page in dict.fromkeys((f"{folder}404.html", "404.html")):
            place = self._files.place(page)
            file = await self._file(place) if place else None
            if file is not None and await self._answer(file, scope, send, status=404):
                return
        raise HTTPException(404)


async def _send_large(file: File, answer: Answer, send: Send) -> bool:
    """From the disk, in parts. Whatever takes the file's place meanwhile, these are the bytes of the one that was opened;
    False if that is no more the one that the answer is of."""
    try:
        stream = await open_file(file.path, "rb")
    except OSError:
        return False
    async with stream:
        if signature(os.fstat(stream.wrapped.fileno())) != file.signature:
            return False
        await _start(answer, send)
        while chunk := await stream.read(_CHUNK):
            await _send(chunk, send, more=True)
        await _send(b"", send)
    return True


async def _start(answer: Answer, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})


async def _send(body: bytes, send: Send, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})

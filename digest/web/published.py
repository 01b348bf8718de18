"""The published files: what is below site.output, and nothing else."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from digest.web.pages import ALWAYS, FILE_POLICY

if TYPE_CHECKING:
    from starlette.staticfiles import PathLike

# Feeds bring a style sheet, which browsers apply only to this type.
_XML = "application/xml"


class Published(StaticFiles):
    """Files of a folder that may not be there yet, `index.html` for a folder; `root` is the path of site.url."""

    def __init__(self, directory: PathLike, root: str) -> None:
        super().__init__(directory=directory, html=True, check_dir=False)
        self._root = root

    async def check_config(self) -> None:
        """Before the first run there is no folder: then nothing is found in it, and that is no fault."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] in ("GET", "HEAD") and not scope["path"].endswith("/"):
            redirect = await anyio.to_thread.run_sync(self._folder, path)
            if redirect is not None:
                return redirect
        try:
            return await super().get_response(path, scope)
        except OSError as error:
            raise HTTPException(status_code=404) from error
        except HTTPException as error:
            # A file that this user may not read is as good as none.
            raise HTTPException(
                404 if error.status_code == 401 else error.status_code, headers=error.headers
            ) from None

    def _folder(self, path: str) -> Response | None:
        """The redirect to a folder asked for without its final slash: by its own path, so that it leads nowhere else."""
        try:
            _, found = self.lookup_path(path)
        except (OSError, ValueError):
            return None
        if found is None or not stat.S_ISDIR(found.st_mode):
            return None
        below = "" if path == "." else f"{quote(path)}/"
        return RedirectResponse(f"{self._root}{below}", headers=ALWAYS)

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(
            {**ALWAYS, "Content-Security-Policy": FILE_POLICY, "Cache-Control": "no-cache"}
        )
        if str(full_path).endswith(".xml") and "content-type" in response.headers:
            response.headers["content-type"] = _XML
        return response

"""The Jinja environment: autoescape, the sandbox, and faults that name their template and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from digest.errors import RenderError
from digest.render.filters import filters
from digest.render.frames import Frame, frame_of

if TYPE_CHECKING:
    from jinja2 import BytecodeCache
    from jinja2.runtime import Context
    from jinja2.sandbox import SandboxedEnvironment


# Mails that are no edition: the archive has no copy of them.
LETTERS = frozenset({"letter.html", "confirm.html", "known.html", "nothing.html"})


class Renderer:
    """Templates of `folders`, the first folder that has one wins, so that an operator overrides file by file.

    A template is escaped when its name ends in .html or .xml, and runs in Jinja's sandbox: it can show what it is
    given and nothing else. A variable that does not exist is an error, never an empty place.
    """

    def __init__(self, folders: Sequence[Path], *, language: str = "en") -> None:
        from jinja2 import FileSystemLoader, StrictUndefined, select_autoescape

        self.folders = tuple(folders)
        self._environment = _sandbox()(
            loader=FileSystemLoader([str(folder) for folder in folders]),
            autoescape=select_autoescape(("html", "xml"), default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
            bytecode_cache=_bytecode_cache(),
        )
        self._environment.filters |= filters()
        self._environment.globals |= {"language": language}
        self._macros: dict[tuple[str, str], Callable[..., str]] = {}

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that are others as soon as a template of what the archive shows is, or the language."""
        hashed = blake2b(str(self._environment.globals["language"]).encode(), digest_size=8)
        for folder in self.folders:
            shown = (file for file in folder.glob("*.html") if file.name not in LETTERS)
            for file in sorted((*shown, *folder.glob("archive/*.html"))):
                hashed.update(f"\0{file.relative_to(folder)}\0".encode("utf-8", "surrogateescape"))
                with suppress(OSError):  # of which whoever asks for this one is told
                    hashed.update(file.read_bytes())
        return hashed.hexdigest()

    def render(self, template: str, **variables: object) -> str:
        """The text that a template makes of `variables`. Raises RenderError with template, line and mend."""
        with self._explaining(template):
            return str(self._environment.get_template(template).render(**variables))

    def macro(self, template: str, name: str) -> Callable[..., str]:
        """A macro of a template as a function, for what is made hundreds of times: always the same one. Raises RenderError, as it
        does."""
        if (template, name) not in self._macros:
            self._macros[template, name] = self._macro(template, name)
        return self._macros[template, name]

    def _macro(self, template: str, name: str) -> Callable[..., str]:
        with self._explaining(template):
            module = self._environment.get_template(template).module
        made = getattr(module, name, None)
        if made is None:
            raise RenderError(
                f"template {template}: no macro {name!r}. Put it back (docs/templates.md), or delete your copy of the file.",
                template=template,
            )

        faults = _faults()

        def call(*values: object) -> str:
            try:
                return str(made(*values))
            except faults as error:
                raise self._explained(template, error) from error

        return call

    def series(self, template: str, shared: Mapping[str, object]) -> Callable[[Mapping[str, object]], bytes]:
        """A function that gives the page `render` makes of `shared` and a page's own variables, in UTF-8: what pages share is
        rendered once. Raises RenderError, as it does."""
        frames: dict[frozenset[str], Frame | None] = {}

        def page(variables: Mapping[str, object]) -> bytes:
            own = frozenset(variables)
            if own not in frames:
                with self._explaining(template):
                    found = self._environment.get_template(template)
                frames[own] = frame_of(found, shared, own, folder=self.folders[-1], faults=_faults())
            frame = frames[own]
            if frame is None:
                return self.render(template, **{**shared, **variables}).encode()
            with self._explaining(template):
                pieces = frame.filled(variables)
            return b"".join([piece if isinstance(piece, bytes) else piece.encode() for piece in pieces])

        return page

    @contextmanager
    def _explaining(self, template: str) -> Iterator[None]:
        try:
            yield
        except _faults() as error:
            raise self._explained(template, error) from error
        except OSError as error:
            raise RenderError(
                f"template {error.filename or template}: cannot be read ({error.strerror}). Give this user the right to read it.",
                template=template,
            ) from error

    def _explained(self, template: str, error: Exception) -> RenderError:
        from jinja2 import TemplateNotFound, TemplateSyntaxError

        folders = ", ".join(str(folder) for folder in self.folders)
        if isinstance(error, TemplateNotFound):
            return RenderError(
                f"template {error.name}: not found in {folders}. Put it back, or name the right folder as site.templates.",
                template=str(error.name),
            )
        if isinstance(error, TemplateSyntaxError):
            name, line = error.name or template, error.lineno
        else:
            name, line = self._place(error) or (template, 0)
        said = str(error).rstrip(".")
        return RenderError(
            f"template {name}, line {line}: {said}. Mend that line (docs/templates.md lists what there is to show), "
            f"or delete your copy of the file to use the one that comes with the program.",
            template=name,
            line=line or None,
        )

    def _place(self, error: Exception) -> tuple[str, int] | None:
        """The innermost template and line that an error passed through."""
        place, trace = None, error.__traceback__
        while trace is not None:
            file = Path(trace.tb_frame.f_code.co_filename)
            for folder in self.folders:
                if file.is_relative_to(folder):
                    # A macro called from here is compiled code, whose lines Jinja has not yet turned into the template's.
                    compiled = trace.tb_frame.f_globals.get("__jinja_template__")
                    line = compiled.get_corresponding_lineno(trace.tb_lineno) if compiled else trace.tb_lineno
                    place = (file.relative_to(folder).as_posix(), line)
            trace = trace.tb_next
        return place


@cache
def _faults() -> tuple[type[Exception], ...]:
    """Jinja's own faults, and what plain Python says to an expression such as {{ 1 + "a" }}. A template that includes itself,
    directly or by another, ends in a RecursionError."""
    from jinja2 import TemplateError

    python = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
    return (TemplateError, *python)


@cache
def _sandbox() -> type[SandboxedEnvironment]:
    """Jinja's sandbox, with short ways to what templates do most: half of the time of a page went into asking (2026-11)."""
    from jinja2.compiler import CodeGenerator
    from jinja2.environment import TemplateModule
    from jinja2.runtime import LoopContext, Macro
    from jinja2.sandbox import SandboxedEnvironment
    from markupsafe import Markup, escape

    class Code(CodeGenerator):
        """What is shown is escaped as Jinja does it, and not made Markup: it is joined with the rest of the page at once."""

        def _output_child_pre(self, node: Any, frame: Any, finalize: Any) -> None:
            if frame.eval_ctx.autoescape and not frame.eval_ctx.volatile and finalize.src is None:
                self.write("environment.escaped(")
            else:
                super()._output_child_pre(node, frame, finalize)

    shown = (Struct, LoopContext, TemplateModule)

    class Sandbox(SandboxedEnvironment):
        code_generator_class = Code

        @staticmethod
        def escaped(value: object) -> str:
            """What `markupsafe.escape` gives, as text."""
            if type(value) is str:
                return _escaped(value)
            return value if type(value) is Markup else escape(value)

        def getattr(self, obj: Any, attribute: str) -> Any:
            # What the sandbox forbids are names that begin with an underscore and the insides of functions and classes: a frozen
            # value of ours has none of these in its fields, nor has a loop, nor what a template exports.
            if attribute[:1] != "_" and isinstance(obj, shown):
                try:
                    return getattr(obj, attribute)
                except AttributeError:
                    return self.undefined(obj=obj, name=attribute)
            return super().getattr(obj, attribute)

        def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as Jinja names them
            if type(__obj) is Macro and not kwargs:  # of a template, and so made in the sandbox
                return __obj(__context.eval_ctx, *args)
            return super().call(__context, __obj, *args, **kwargs)

    return Sandbox


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace(">", "&gt;").replace("<", "&lt;")
    return text.replace("'", "&#39;").replace('"', "&#34;")


def _bytecode_cache() -> BytecodeCache | None:
    """Compiled templates, kept in a folder of this user below the system's temporary one: compiling took 107 ms of
    processor time in every run, loading takes 6 (2026-11, 2 cores). Jinja refuses a folder that belongs to others."""
    from jinja2 import FileSystemBytecodeCache

    try:
        # Under a name of its own: the code is ours (_sandbox).
        return FileSystemBytecodeCache(pattern="__digest_%s.cache")
    except (RuntimeError, OSError):
        return None

"""Line by line times of a process, with line_profiler."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def lines_timed(path: Path) -> Iterator[None]:
    """Time every line that this thread runs of the project's functions; write the times to `path`.

    Modules that lie in the working directory count as the project's: an environment of one's own.
    No function is wrapped, so all of them still travel to other processes.
    """
    from line_profiler import LineProfiler  # noqa: PLC0415 - for profiling runs alone
    from line_profiler.line_profiler import LineStats  # noqa: PLC0415

    profiler = LineProfiler()
    for function in {function for module in _own_modules() for function in functions_of(module)}:
        profiler.add_function(function)
    profiler.enable_by_count()
    try:
        yield
    finally:
        profiler.disable_by_count()
        stats = profiler.get_stats()
        called = {function: times for function, times in stats.timings.items() if times}
        path.parent.mkdir(parents=True, exist_ok=True)
        LineStats(called, stats.unit).to_file(path)


def functions_of(module: ModuleType) -> Iterator[FunctionType]:
    """Return the functions and methods that the module's file defines, without their decorators."""
    yield from _functions(vars(module), str(module.__file__), module.__name__)


def _functions(members: dict[str, object], file: str, module: str) -> Iterator[FunctionType]:
    for member in list(members.values()):
        if isinstance(member, type) and member.__module__ == module:
            yield from _functions(dict(vars(member)), file, module)
        inner = [getattr(member, name, None) for name in _inner_names(member)]
        for part in (member, *inner):
            function = inspect.unwrap(part) if isinstance(part, FunctionType) else part
            if isinstance(function, FunctionType) and function.__code__.co_filename == file:
                yield function


def _inner_names(member: object) -> tuple[str, ...]:
    """Return the attributes under which a decorated member holds functions."""
    if isinstance(member, property):
        return ("fget", "fset")
    if isinstance(member, staticmethod | classmethod):
        return ("__func__",)
    return ("__wrapped__",) if hasattr(member, "cache_info") else ()


def _own_modules() -> list[ModuleType]:
    """Return the modules that are loaded and lie in the project or the working directory."""
    roots = (ROOT, Path.cwd())
    modules = []
    for module in list(sys.modules.values()):
        file = Path(getattr(module, "__file__", None) or "")  # relative where torch makes one up
        if not file.is_absolute() or "site-packages" in file.parts:
            continue
        if any(file.resolve().is_relative_to(root) for root in roots):
            modules.append(module)
    return modules

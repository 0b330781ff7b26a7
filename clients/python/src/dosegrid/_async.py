"""The client for programs with an event loop: the calls of `Client`, from threads of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, Sequence, TypeVar, Union

from . import _address, _clinic, _core, _integrals, _job_calls, _kernel, _merge, _resample, _result, _stored
from ._calls import CLOSED, Cancel
from ._client import core, goes_nowhere
from ._errors import FieldError, Unavailable, of_fields
from ._geometry import Grid
from ._images import Axes, ImageLike, Volume
from ._jobs import JobInfo
from ._messages import OnFraction
from ._progress import OnProgress

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Options
    from ._request import Prepared

_T = TypeVar("_T")
#: Calls at a time; more wait here.
_CALLS = 64


class _Listener:
    """Hears of progress on a thread, and tells it on the loop. What raises there ends the call."""

    def __init__(self, tell: Callable[[Any], Any], cancel: Cancel) -> None:
        self._tell, self._cancel = tell, cancel
        self._loop = asyncio.get_running_loop()
        self.error: Optional[BaseException] = None

    def __call__(self, progress: Any) -> None:
        self._loop.call_soon_threadsafe(self._on_loop, progress)

    def _on_loop(self, progress: Any) -> None:
        if self.error is not None:
            return
        try:
            self._tell(progress)
        except BaseException as error:  # noqa: BLE001  (it is raised again where the caller waits)
            self.error = error
            self._cancel.cancel()


class _Threads:
    """Runs blocking calls so that a task can wait for them, and ends them with it."""

    def __init__(self) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(_CALLS, "dosegrid")
        self.is_closed = False

    async def run(self, call: Callable[..., _T], *arguments: Any, **named: Any) -> _T:
        if self.is_closed:
            raise Unavailable(CLOSED)
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, functools.partial(call, *arguments, **named)
        )

    async def cancellable(
        self, call: Callable[..., _T], *arguments: Any, progress: Union[OnProgress, OnFraction] = None, **named: Any
    ) -> _T:
        """As `run`, for a call that takes `cancel`, and `on_progress` where there is any."""
        if inspect.iscoroutinefunction(progress):
            reason = "is a plain function, called on the loop: one of `async def` would never run"
            raise of_fields([FieldError("progress", reason)])
        cancel = Cancel()
        listener = _Listener(progress, cancel) if callable(progress) else None
        if progress is not None:
            named["on_progress"] = listener or progress
        thread = asyncio.ensure_future(self.run(call, *arguments, cancel=cancel, **named))
        try:
            found = await asyncio.shield(thread)
        except asyncio.CancelledError:
            cancel.cancel()
            # The thread ends at once, and its own error is of no interest.
            await asyncio.wait([thread])
            if not thread.cancelled():
                thread.exception()
            raise
        except BaseException:
            if listener is not None and listener.error is not None:
                raise listener.error from None
            raise
        if listener is not None and listener.error is not None:
            raise listener.error
        return found

    def close(self) -> None:
        self.is_closed = True
        self._pool.shutdown(wait=False)


class AsyncJob:
    """As `Job`, for a task."""

    def __init__(
        self, core: _core.Core, threads: _Threads, info: JobInfo, prepared: Optional["Prepared"] = None
    ) -> None:
        self._core, self._threads, self._prepared = core, threads, prepared
        #: As it was when it was last heard of.
        self.info = info

    @property
    def name(self) -> str:
        """By which it is found again."""
        return self.info.name

    async def refresh(self, timeout: Optional[float] = None) -> JobInfo:
        """Asks how it is."""
        self.info = await self._threads.run(_job_calls.get, self._core, self.name, timeout)
        return self.info

    async def wait(self, *, progress: OnProgress = None, timeout: Optional[float] = None) -> JobInfo:
        """Follows it to its end."""
        self.info = await self._threads.cancellable(
            _job_calls.wait, self._core, self.name, progress=progress or False, timeout=timeout
        )
        return self.info

    async def result(self, *, axes: Optional[Axes] = None, timeout: Optional[float] = None) -> _result.Result:
        """As `Job.result`."""
        return await self._threads.cancellable(
            _job_calls.result, self._core, self.name, self._prepared, axes=axes, timeout=timeout
        )

    async def cancel(self, timeout: Optional[float] = None) -> JobInfo:
        """Cancels it, unless it is finished."""
        changed = await self._threads.run(_job_calls.change, self._core, "CancelJob", self.name, timeout)
        self.info = changed or self.info
        return self.info

    async def delete(self, timeout: Optional[float] = None) -> None:
        """Deletes it and its results, once it is finished."""
        await self._threads.run(_job_calls.change, self._core, "DeleteJob", self.name, timeout)


class AsyncClient:
    """As `Client`, for tasks: a task that is cancelled ends its work on the server."""

    def __init__(
        self,
        server: Optional[str] = None,
        *,
        token: Optional[str] = None,
        tls: Optional[bool] = None,
        ca: Optional[_address.Pem] = None,
        certificate: Optional[_address.Pem] = None,
        key: Optional[_address.Pem] = None,
        server_name: Optional[str] = None,
        device: str = "auto",
        connect_timeout: float = 10.0,
        retries: int = 3,
    ) -> None:
        self._threads = _Threads()
        self._core = core(
            server,
            token=token,
            tls=tls,
            ca=ca,
            certificate=certificate,
            key=key,
            server_name=server_name,
            device=device,
            connect_timeout=connect_timeout,
            retries=retries,
        )

    async def __aenter__(self) -> AsyncClient:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(goes_nowhere("AsyncClient"))

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends all calls, and the server that was started for this client."""
        # Twice is as good as once.
        if not self._threads.is_closed:
            # On another thread than those of calls: all of them may be waiting for what this ends.
            await asyncio.get_running_loop().run_in_executor(None, self._core.close)
        self._threads.close()

    async def compute(
        self,
        activity: ImageLike,
        *,
        progress: OnProgress = None,
        timeout: Optional[float] = None,
        **options: "Unpack[Options]",
    ) -> _result.Result:
        """As `Client.compute`."""
        return await self._threads.cancellable(
            self._core.compute, activity, options, progress=progress or False, timeout=timeout
        )

    async def submit(
        self,
        activity: ImageLike,
        *,
        priority: str = "normal",
        request_id: Optional[str] = None,
        timeout: Optional[float] = None,
        **options: "Unpack[Options]",
    ) -> AsyncJob:
        """As `Client.submit`."""
        info, prepared = await self._threads.cancellable(
            _job_calls.submit, self._core, activity, options, priority=priority, request_id=request_id, timeout=timeout
        )
        return AsyncJob(self._core, self._threads, info, prepared)

    async def job(self, name: str, timeout: Optional[float] = None) -> AsyncJob:
        """A job by its name."""
        return AsyncJob(self._core, self._threads, await self._threads.run(_job_calls.get, self._core, name, timeout))

    async def jobs(self, states: Sequence[str] = (), timeout: Optional[float] = None) -> list[AsyncJob]:
        """Jobs, the newest first."""
        found = await self._threads.run(_job_calls.all_of, self._core, states, timeout)
        return [AsyncJob(self._core, self._threads, info) for info in found]

    async def delete_volume(self, volume: Union[str, ImageLike], timeout: Optional[float] = None) -> None:
        """As `Client.delete_volume`."""
        await self._threads.run(_stored.delete, self._core, volume, timeout)

    async def merge(
        self,
        tallies: Sequence[bytes],
        grid: Union[Grid, _result.Image],
        *,
        uncertainty: bool = True,
        tally: bool = False,
        timeout: Optional[float] = None,
    ) -> _result.Result:
        """As `Client.merge`."""
        return await self._threads.cancellable(
            _merge.merge, self._core, tallies, grid, uncertainty=uncertainty, tally=tally, timeout=timeout
        )

    async def resample(
        self,
        image: ImageLike,
        kind: str,
        *,
        onto: Optional[ImageLike] = None,
        spacing_mm: Optional[float] = None,
        timeout: Optional[float] = None,
    ) -> Volume:
        """As `Client.resample`."""
        return await self._threads.cancellable(
            _resample.resample, self._core, image, kind, onto=onto, spacing_mm=spacing_mm, timeout=timeout
        )

    async def bed(
        self,
        regions: Sequence[Mapping[str, Any]],
        nuclide: str,
        *,
        progress: OnFraction = None,
        timeout: Optional[float] = None,
        **options: "Unpack[_clinic.BedOptions]",
    ) -> _clinic.Bed:
        """As `Client.bed`."""
        return await self._threads.cancellable(
            _clinic.bed, self._core, regions, nuclide, progress=progress, timeout=timeout, **options
        )

    async def budget(
        self, regions: Sequence[Mapping[str, Any]], *, timeout: Optional[float] = None
    ) -> list[dict[str, Any]]:
        """As `Client.budget`."""
        return await self._threads.run(_clinic.budget, self._core, regions, timeout)

    async def integrate(
        self,
        scans: Sequence[_integrals.Scan],
        nuclide: str,
        unit: _integrals.MapUnit,
        *,
        progress: OnFraction = None,
        timeout: Optional[float] = None,
        **options: "Unpack[_integrals.IntegrateOptions]",
    ) -> _integrals.Integrals:
        """As `Client.integrate`."""
        return await self._threads.cancellable(
            _integrals.integrate, self._core, scans, nuclide, unit, progress=progress, timeout=timeout, **options
        )

    async def integrate_curves(
        self,
        regions: Sequence[Mapping[str, Any]],
        nuclide: str,
        *,
        injection: Union[str, datetime.datetime, None] = None,
        timeout: Optional[float] = None,
        **options: "Unpack[_integrals.CurveOptions]",
    ) -> list[dict[str, Any]]:
        """As `Client.integrate_curves`."""
        return await self._threads.run(
            _integrals.integrate_curves, self._core, regions, nuclide, injection=injection, timeout=timeout, **options
        )

    async def kernel(
        self, nuclide: str, spacing_mm: Sequence[float], radius_voxels: int, *, timeout: Optional[float] = None
    ) -> _kernel.Kernel:
        """As `Client.kernel`."""
        return await self._threads.cancellable(
            _kernel.kernel, self._core, nuclide, spacing_mm, radius_voxels, timeout=timeout
        )

    async def nuclides(self, timeout: Optional[float] = None) -> Any:
        """As `Client.nuclides`."""
        return (await self._threads.run(self._core.plain, "DoseService", "ListNuclides", timeout))["nuclides"]

    async def nuclide(self, name: str, timeout: Optional[float] = None) -> dict[str, Any]:
        """As `Client.nuclide`."""
        return await self._threads.run(self._core.plain, "DoseService", "GetNuclide", timeout, name=name)

    async def devices(self, timeout: Optional[float] = None) -> Any:
        """As `Client.devices`."""
        return (await self._threads.run(self._core.plain, "DoseService", "ListDevices", timeout))["devices"]

    async def info(self, timeout: Optional[float] = None) -> dict[str, Any]:
        """As `Client.info`."""
        return await self._threads.run(self._core.plain, "DoseService", "GetServerInfo", timeout)

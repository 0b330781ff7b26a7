"""The client for programs that wait."""

from __future__ import annotations

import datetime
import numbers
import os
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Union

from . import _address, _clinic, _core, _integrals, _job_calls, _kernel, _merge, _resample, _result, _stored
from ._calls import Cancel
from ._errors import FieldError, of_fields
from ._geometry import Grid
from ._images import Axes, ImageLike, Volume
from ._jobs import JobInfo
from ._messages import OnFraction
from ._progress import OnProgress

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Options
    from ._request import Prepared


def core(
    server: Optional[str],
    *,
    token: Optional[str],
    tls: Optional[bool],
    ca: Optional[_address.Pem],
    certificate: Optional[_address.Pem],
    key: Optional[_address.Pem],
    server_name: Optional[str],
    device: str,
    connect_timeout: float,
    retries: int,
) -> _core.Core:
    """What both clients are made of."""
    _check(server, token, device, connect_timeout, retries)
    address = server or os.environ.get("DOSEGRID_SERVER") or None
    access = None
    if address is not None:
        access = _address.access(
            address, tls=tls, ca=ca, certificate=certificate, key=key, token=token, server_name=server_name
        )
    return _core.Core(access, device=device, connect_timeout=connect_timeout, retries=retries)


def _check(server: Any, token: Any, device: Any, connect_timeout: Any, retries: Any) -> None:
    """Refuses what a client cannot be made of.

    :raises InvalidRequest: names every fault
    """
    faults = []
    if server is not None and not isinstance(server, str):
        faults.append(FieldError("server", f"is a text such as 127.0.0.1:50051, got {server!r}"))
    if token is not None and not isinstance(token, str):
        faults.append(FieldError("token", f"is a text, got {type(token).__name__}"))
    if not isinstance(device, str):
        faults.append(FieldError("device", f"is auto, cpu, gpu or gpu:N, got {device!r}"))
    if not (isinstance(connect_timeout, numbers.Real) and float(connect_timeout) > 0):
        faults.append(FieldError("connect_timeout", f"is a number of seconds above 0, got {connect_timeout!r}"))
    if not (isinstance(retries, numbers.Integral) and int(retries) >= 0):
        faults.append(FieldError("retries", f"is a whole number, 0 or more, got {retries!r}"))
    if faults:
        raise of_fields(faults)


def goes_nowhere(kind: str) -> str:
    """What is said where a client is to be pickled."""
    return f"a client has connections, and goes to no other process: make one in each, dosegrid.{kind}(…)"


class Job:
    """A job of a server: it lasts, whatever becomes of this process."""

    def __init__(self, core: _core.Core, info: JobInfo, prepared: Optional["Prepared"] = None) -> None:
        self._core = core
        self._prepared = prepared
        #: As it was when it was last heard of.
        self.info = info

    @property
    def name(self) -> str:
        """By which it is found again: `client.job(name)`."""
        return self.info.name

    def __repr__(self) -> str:
        return f"Job({self.name!r}, {self.info.state})"

    def refresh(self, timeout: Optional[float] = None) -> JobInfo:
        """Asks how it is."""
        self.info = _job_calls.get(self._core, self.name, timeout)
        return self.info

    def wait(
        self, *, progress: OnProgress = None, timeout: Optional[float] = None, cancel: Optional[Cancel] = None
    ) -> JobInfo:
        """Follows it to its end, past a restart of the server that takes a minute at most. Neither a timeout nor a
        cancellation touches the job itself.
        """
        self.info = _job_calls.wait(self._core, self.name, on_progress=progress, timeout=timeout, cancel=cancel)
        return self.info

    def result(
        self, *, axes: Optional[Axes] = None, timeout: Optional[float] = None, cancel: Optional[Cancel] = None
    ) -> _result.Result:
        """Its result, once it has succeeded.

        :param axes: of its maps: "xyz" or "zyx". None: as the activity that was submitted; of a job that was found by
            its name, which does not say how that one was indexed, [x, y, z]
        :raises DosegridError: why it failed, if it did
        """
        return _job_calls.result(self._core, self.name, self._prepared, axes=axes, timeout=timeout, cancel=cancel)

    def cancel(self, timeout: Optional[float] = None) -> JobInfo:
        """Cancels it, unless it is finished."""
        self.info = _job_calls.change(self._core, "CancelJob", self.name, timeout) or self.info
        return self.info

    def delete(self, timeout: Optional[float] = None) -> None:
        """Deletes it and its results, once it is finished."""
        _job_calls.change(self._core, "DeleteJob", self.name, timeout)


class Client:
    """A server, to compute on. Any thread may call it.

    :param server: such as `https://dose.example:50051`; else the variable DOSEGRID_SERVER; without either a server is
        started on this machine, which ends with this process
    :param token: to call with; else the variable DOSEGRID_TOKEN
    :param tls: whether to encrypt; else as the address says (`https://`), or if `ca` or `certificate` is given
    :param ca: authorities that the server's certificate may be from, as PEM or its file; else DOSEGRID_CA; else those
        of the system
    :param certificate, key: to call with, as PEM or files; else DOSEGRID_CLIENT_CERTIFICATE and DOSEGRID_CLIENT_KEY
    :param server_name: the name in the server's certificate, if it is not that of the address
    :param device: of the server that is started: auto, cpu, gpu or gpu:N
    :param connect_timeout: longest wait for a server to answer, in s
    :param retries: how often a call is sent again that the server had no room for, or that never reached it
    """

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

    def __enter__(self) -> Client:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(goes_nowhere("Client"))

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Ends all calls, and the server that was started for this client."""
        self._core.close()

    @property
    def url(self) -> str:
        """The address of the server, which is started if need be."""
        return self._core.url()

    def compute(
        self,
        activity: ImageLike,
        *,
        progress: OnProgress = None,
        timeout: Optional[float] = None,
        cancel: Optional[Cancel] = None,
        **options: "Unpack[Options]",
    ) -> _result.Result:
        """Computes the absorbed dose of an activity map.

        :param activity: a SimpleITK or nibabel image, a file, an array with `spacing_mm` and `axes`, or a `Volume`;
            `unit` says what its numbers are
        :param progress: hears of a `Progress` now and then; `True` shows a bar
        :param timeout: longest time for all of it, in s; none: as long as it takes
        :param cancel: ends it from another thread
        :param options: see `Options`
        :raises InvalidRequest: names every bad field
        :raises DosegridError: its other classes say what went wrong
        """
        return self._core.compute(activity, options, on_progress=progress, timeout=timeout, cancel=cancel)

    def submit(
        self,
        activity: ImageLike,
        *,
        priority: str = "normal",
        request_id: Optional[str] = None,
        timeout: Optional[float] = None,
        cancel: Optional[Cancel] = None,
        **options: "Unpack[Options]",
    ) -> Job:
        """Leaves a computation to the server as a job that lasts; the server needs a store.

        :param priority: low, normal or high
        :param request_id: a UUID of the caller's own: the same one gives the same job, however often it is sent
        """
        info, prepared = _job_calls.submit(
            self._core,
            activity,
            options,
            priority=priority,
            request_id=request_id,
            timeout=timeout,
            cancel=cancel,
        )
        return Job(self._core, info, prepared)

    def job(self, name: str, timeout: Optional[float] = None) -> Job:
        """A job by its name."""
        return Job(self._core, _job_calls.get(self._core, name, timeout))

    def jobs(self, states: Sequence[str] = (), timeout: Optional[float] = None) -> list[Job]:
        """Jobs, the newest first; all of them, or those in one of these states."""
        return [Job(self._core, info) for info in _job_calls.all_of(self._core, states, timeout)]

    def delete_volume(self, volume: Union[str, ImageLike], timeout: Optional[float] = None) -> None:
        """Deletes a volume that the server stores for jobs, before it expires.

        :param volume: its digest, `sha256:…`, or the image that was sent
        :raises NotFound: if the server has none
        :raises InvalidRequest: while an unfinished job needs it
        """
        _stored.delete(self._core, volume, timeout)

    def merge(
        self,
        tallies: Sequence[bytes],
        grid: Union[Grid, _result.Image],
        *,
        uncertainty: bool = True,
        tally: bool = False,
        timeout: Optional[float] = None,
        cancel: Optional[Cancel] = None,
    ) -> _result.Result:
        """The dose of several Monte Carlo runs of one request with other histories, together.

        :param tallies: `result.tally` of each
        :param grid: `result.dose` of any, as which maps are indexed; or its grid, and they are [x, y, z]
        """
        return _merge.merge(
            self._core, tallies, grid, uncertainty=uncertainty, tally=tally, timeout=timeout, cancel=cancel
        )

    def resample(
        self,
        image: ImageLike,
        kind: str,
        *,
        onto: Optional[ImageLike] = None,
        spacing_mm: Optional[float] = None,
        timeout: Optional[float] = None,
        cancel: Optional[Cancel] = None,
    ) -> Volume:
        """Puts a volume on another grid.

        :param kind: what is kept: density, ct, concentration, activity, labels or dose
        :param onto: an image on that grid; else `spacing_mm`, the edge of cubes
        """
        return _resample.resample(
            self._core, image, kind, onto=onto, spacing_mm=spacing_mm, timeout=timeout, cancel=cancel
        )

    def bed(
        self,
        regions: Sequence[Mapping[str, Any]],
        nuclide: str,
        *,
        progress: OnFraction = None,
        timeout: Optional[float] = None,
        cancel: Optional[Cancel] = None,
        **options: "Unpack[_clinic.BedOptions]",
    ) -> _clinic.Bed:
        """Biologically effective dose of regions, and of voxels where there are dose maps.

        :param regions: of each `name`, `alpha_beta_gy` in Gy, `repair_half_time_h` in h (or `repair`), and `cycles`:
            of each `dose_gy` in Gy, `effective_half_life_h` in h and what else `BedRegion` and `BedCycle` of the
            protocol have. No parameter of a tissue has a default
        :param progress: hears of the part of the voxels that is done, 0 to 1
        :param options: see `BedOptions`
        :raises InvalidRequest: names every bad field
        """
        return _clinic.bed(
            self._core, regions, nuclide, on_progress=progress, timeout=timeout, cancel=cancel, **options
        )

    def budget(self, regions: Sequence[Mapping[str, Any]], *, timeout: Optional[float] = None) -> list[dict[str, Any]]:
        """Uncertainty budget of the dose of each region: one line a part, with where it comes from.

        :param regions: of each `name`, `volume_cm3` in cm³ and what else `BudgetRegion` of the protocol has; what is
            not given makes the total a lower bound
        """
        return _clinic.budget(self._core, regions, timeout)

    def integrate(
        self,
        scans: Sequence[_integrals.Scan],
        nuclide: str,
        unit: _integrals.MapUnit,
        *,
        progress: OnFraction = None,
        timeout: Optional[float] = None,
        cancel: Optional[Cancel] = None,
        **options: "Unpack[_integrals.IntegrateOptions]",
    ) -> _integrals.Integrals:
        """Integrates activity maps of one grid over time, by the curve of each region or of each voxel.

        :param scans: 2 to 16, at two times or more; or one, with `one_scan`
        :param unit: of their values: bq, bq-per-ml or mbq
        :param progress: hears of the part of the voxels that is done, 0 to 1; with `voxelwise` only
        :param options: see `IntegrateOptions`
        :raises InvalidRequest: names every bad field
        """
        return _integrals.integrate(
            self._core, scans, nuclide, unit, on_progress=progress, timeout=timeout, cancel=cancel, **options
        )

    def integrate_curves(
        self,
        regions: Sequence[Mapping[str, Any]],
        nuclide: str,
        *,
        injection: Union[str, datetime.datetime, None] = None,
        timeout: Optional[float] = None,
        **options: "Unpack[_integrals.CurveOptions]",
    ) -> list[dict[str, Any]]:
        """Integrates measured activities of regions over time. Of each region, in the order given: `name`,
        `tia_mbq_h` and its σ, `tia_coefficient_h`; by a curve `model`, `half_lives_h`, `flags`, `points` and what else
        there is, from one measurement `method`.

        :param regions: of each `name` and `points`: of each point `hours` since the start of the administration, or
            `clock` (ISO 8601, or a `datetime`), `activity_mbq` in MBq, and where they are known `sigma_mbq` and
            `duration_h`. With one point `one_point`: `method` (physical, population_half_life, haenscheid or
            prior_curve), `half_life_h` and `half_life_relative_sd`, or `curve_model` and `curve_parameters`
        :param injection: start of the administration, where times are those of a clock
        :param options: see `CurveOptions`
        :raises InvalidRequest: names every bad field
        """
        return _integrals.integrate_curves(
            self._core, regions, nuclide, injection=injection, timeout=timeout, **options
        )

    def kernel(
        self,
        nuclide: str,
        spacing_mm: Sequence[float],
        radius_voxels: int,
        *,
        timeout: Optional[float] = None,
        cancel: Optional[Cancel] = None,
    ) -> _kernel.Kernel:
        """Voxel S values of a nuclide in water."""
        return _kernel.kernel(self._core, nuclide, spacing_mm, radius_voxels, timeout=timeout, cancel=cancel)

    def nuclides(self, timeout: Optional[float] = None) -> Any:
        """The radionuclides that the server knows."""
        return self._core.plain("DoseService", "ListNuclides", timeout)["nuclides"]

    def nuclide(self, name: str, timeout: Optional[float] = None) -> dict[str, Any]:
        """All data of one radionuclide."""
        return self._core.plain("DoseService", "GetNuclide", timeout, name=name)

    def devices(self, timeout: Optional[float] = None) -> Any:
        """The devices of the server's machine."""
        return self._core.plain("DoseService", "ListDevices", timeout)["devices"]

    def info(self, timeout: Optional[float] = None) -> dict[str, Any]:
        """Version, device, limits and caches of the server."""
        return self._core.plain("DoseService", "GetServerInfo", timeout)

"""The client for programs that wait."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, Sequence

from . import _address, _clinic, _core, _kernel, _result
from ._calls import Cancel
from ._geometry import Grid
from ._images import ImageLike, Volume, volume_of
from ._jobs import JobInfo
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
    address = server or os.environ.get("DOSEGRID_SERVER") or None
    access = None
    if address is not None:
        access = _address.access(
            address, tls=tls, ca=ca, certificate=certificate, key=key, token=token, server_name=server_name
        )
    return _core.Core(access, device=device, connect_timeout=connect_timeout, retries=retries)


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
        self.info = self._core.job(self.name, timeout)
        return self.info

    def wait(
        self, *, progress: OnProgress = None, timeout: Optional[float] = None, cancel: Optional[Cancel] = None
    ) -> JobInfo:
        """Follows it to its end. Neither a timeout nor a cancellation touches the job itself."""
        self.info = self._core.wait(self.name, on_progress=progress, timeout=timeout, cancel=cancel)
        return self.info

    def result(self, *, timeout: Optional[float] = None, cancel: Optional[Cancel] = None) -> _result.Result:
        """Its result, once it has succeeded.

        :raises DosegridError: why it failed, if it did
        """
        return self._core.job_result(self.name, self._prepared, timeout, cancel)

    def cancel(self, timeout: Optional[float] = None) -> JobInfo:
        """Cancels it, unless it is finished."""
        self.info = self._core.change_job("CancelJob", self.name, timeout) or self.info
        return self.info

    def delete(self, timeout: Optional[float] = None) -> None:
        """Deletes it and its results, once it is finished."""
        self._core.change_job("DeleteJob", self.name, timeout)


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
        info, prepared = self._core.submit(
            activity, options, priority=priority, request_id=request_id, timeout=timeout, cancel=cancel
        )
        return Job(self._core, info, prepared)

    def job(self, name: str, timeout: Optional[float] = None) -> Job:
        """A job by its name."""
        return Job(self._core, self._core.job(name, timeout))

    def jobs(self, states: Sequence[str] = (), timeout: Optional[float] = None) -> list[Job]:
        """Jobs, the newest first; all of them, or those in one of these states."""
        return [Job(self._core, info) for info in self._core.jobs(states, timeout)]

    def merge(
        self,
        tallies: Sequence[bytes],
        grid: Grid,
        *,
        uncertainty: bool = True,
        tally: bool = False,
        timeout: Optional[float] = None,
    ) -> _result.Result:
        """The dose of several Monte Carlo runs of one request with other histories, together.

        :param tallies: `result.tally` of each
        :param grid: `result.dose.grid` of any
        """
        return self._core.merge(tallies, grid, uncertainty=uncertainty, tally=tally, timeout=timeout)

    def resample(
        self,
        image: ImageLike,
        kind: str,
        *,
        onto: Optional[ImageLike] = None,
        spacing_mm: Optional[float] = None,
        timeout: Optional[float] = None,
    ) -> Volume:
        """Puts a volume on another grid.

        :param kind: what is kept: density, ct, concentration, activity, labels or dose
        :param onto: an image on that grid; else `spacing_mm`, the edge of cubes
        """
        grid = volume_of(onto).grid if onto is not None else None
        return self._core.resample(volume_of(image), kind, grid, spacing_mm, timeout)

    def bed(
        self,
        regions: Sequence[Mapping[str, Any]],
        nuclide: str,
        *,
        rbe: Optional[float] = None,
        mixed_field: bool = False,
        doses: Sequence[ImageLike] = (),
        labels: Optional[ImageLike] = None,
        organs: Optional[Mapping[int, ImageLike]] = None,
        density: Optional[ImageLike] = None,
        minimum_density: Optional[float] = None,
        maps: bool = True,
        progress: Optional[Callable[[float], Any]] = None,
        timeout: Optional[float] = None,
        cancel: Optional[Cancel] = None,
    ) -> _clinic.Bed:
        """Biologically effective dose of regions, and of voxels where there are dose maps.

        :param regions: of each `name`, `alpha_beta_gy` in Gy, `repair_half_time_h` in h (or `repair`), and `cycles`:
            of each `dose_gy` in Gy, `effective_half_life_h` in h and what else `BedRegion` and `BedCycle` of the
            protocol have. No parameter of a tissue has a default
        :param rbe: relative biological effectiveness of alpha particles, needed where there are any
        :param doses: dose map of each cycle in Gy, in order; then `label` of each region is needed, and no `dose_gy`
        :param labels: regions of the maps, by whole numbers
        :param organs: more regions, each in a mask of its own, by label
        :param density: in g/cm³, for masses; none: that of water
        :param minimum_density: voxels of a lower density in g/cm³ do not count
        :param maps: whether maps of BED and EQD2 are wanted
        :param progress: hears of the part of the voxels that is done, 0 to 1
        :raises InvalidRequest: names every bad field
        """
        return _clinic.bed(
            self._core,
            regions,
            nuclide,
            rbe=rbe,
            mixed_field=mixed_field,
            doses=doses,
            labels=labels,
            organs=organs,
            density=density,
            minimum_density=minimum_density,
            maps=maps,
            progress=progress,
            timeout=timeout,
            cancel=cancel,
        )

    def budget(self, regions: Sequence[Mapping[str, Any]], *, timeout: Optional[float] = None) -> list[dict[str, Any]]:
        """Uncertainty budget of the dose of each region: one line a part, with where it comes from.

        :param regions: of each `name`, `volume_cm3` in cm³ and what else `BudgetRegion` of the protocol has; what is
            not given makes the total a lower bound
        """
        return _clinic.budget(self._core, regions, timeout)

    def integrate(
        self,
        scans: Sequence[_clinic.Scan],
        nuclide: str,
        unit: str,
        *,
        labels: Optional[ImageLike] = None,
        voxelwise: bool = False,
        value_refers_to: Optional[str] = None,
        administered_activity_mbq: Optional[float] = None,
        infusion_h: float = 0.0,
        model: str = "",
        weighting: str = "",
        reference_time_h: Optional[float] = None,
        progress: Optional[Callable[[float], Any]] = None,
        timeout: Optional[float] = None,
        cancel: Optional[Cancel] = None,
    ) -> _clinic.Integrals:
        """Integrates activity maps of one grid over time, by the curve of each region or of each voxel.

        :param scans: 2 to 16, at two times or more
        :param unit: of their values: bq, bq-per-ml or mbq
        :param labels: regions by whole numbers; what is in none is one more, "rest"
        :param voxelwise: a curve for every voxel
        :param value_refers_to: acquisition_mean, acquisition_start or injection
        :param administered_activity_mbq: in MBq, net of residue: gives coefficients in h
        :param infusion_h: how long the infusion took in h
        :param model, weighting: as of `dosegrid integrate`
        :param reference_time_h: start in h of the scan whose activity shares the integrals out
        :param progress: hears of the part of the voxels that is done, 0 to 1; with `voxelwise` only
        :raises InvalidRequest: names every bad field
        """
        return _clinic.integrate(
            self._core,
            scans,
            nuclide,
            unit,
            labels=labels,
            voxelwise=voxelwise,
            value_refers_to=value_refers_to,
            administered_activity_mbq=administered_activity_mbq,
            infusion_h=infusion_h,
            model=model,
            weighting=weighting,
            reference_time_h=reference_time_h,
            progress=progress,
            timeout=timeout,
            cancel=cancel,
        )

    def kernel(
        self, nuclide: str, spacing_mm: Sequence[float], radius_voxels: int, *, timeout: Optional[float] = None
    ) -> _kernel.Kernel:
        """Voxel S values of a nuclide in water."""
        return self._core.kernel(nuclide, spacing_mm, radius_voxels, timeout)

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

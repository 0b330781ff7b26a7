"""Good requests of every call, with the volumes that they need."""

from __future__ import annotations

import hashlib
import math
import struct
import uuid
from typing import Any, Iterator

from dosegrid import _wire

SIDE = 6


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Good:
    """Good requests, and the volumes that they need."""

    def __init__(self) -> None:
        voxels = SIDE**3
        self.map = struct.pack("<f", 1e6) * voxels
        self.density = struct.pack("<f", 1.0) * voxels
        self.labels = bytes([1, 2, 0] * (voxels // 3))
        self.tally = b""

    @staticmethod
    def grid() -> dict[str, Any]:
        affine = [4.0, 0, 0, 0, 0, 4.0, 0, 0, 0, 0, 4.0, 0]
        return {"shape": [SIDE] * 3, "spacing_mm": [4.0] * 3, "affine_mm": affine}

    def volume(self, content: bytes, kind: str = "FLOAT32", stored: bool = False) -> dict[str, Any]:
        descriptor = {"grid": self.grid(), "element_type": _wire.number("ElementType", "ELEMENT_TYPE_" + kind)}
        return descriptor | ({"digest": digest(content)} if stored else {})

    def header(self, method: dict[str, Any], stored: bool = False, **more: Any) -> Any:
        """Of a dose, with one region of each kind."""
        fields = {
            "activity": self.volume(self.map, stored=stored),
            "activity_unit": {"bq": {"effective_half_life_s": 2e5, "imaged_after_s": 86400.0}},
            "density": self.volume(self.density, stored=stored),
            "nuclide": "Lu-177",
            "method": method,
            "labels": self.volume(self.labels, "UINT8", stored),
            "label_names": {1: "one"},
            "injected_activity_bq": 7.4e9,
        }
        return _wire.message("ComputeHeader")(**fields | more)

    def monte_carlo(self) -> dict[str, Any]:
        water = {"H": 0.111894, "O": 0.888106}
        definition = {"nominal_density_g_cm3": 1.0, "mean_excitation_energy_ev": 75.0, "mass_fractions": water}
        medium = {"uniform": {"name": "wet", "definition": definition}}
        cuts = {"absorption_mev": 0.01, "collision_mev": 0.01, "photon_mev": 0.01}
        return {
            "monte_carlo": {"histories": 200, "time_limit_s": 0.1, "seed": 3, "cuts": cuts, "medium": medium},
        }

    def chunks(self, kind: str, *volumes: tuple[str, bytes]) -> list[Any]:
        make, role = _wire.message(kind), "VOLUME_ROLE_"
        return [
            make(chunk={"volume": _wire.number("VolumeRole", role + name), "data": content, "index": 0})
            for name, content in volumes
        ]

    def compute(self, method: dict[str, Any], **more: Any) -> list[Any]:
        header = _wire.message("ComputeRequest")(header=self.header(method, **more))
        volumes = [("ACTIVITY", self.map), ("DENSITY", self.density), ("LABELS", self.labels)]
        if "daughter_maps" in more:
            volumes.append(("DAUGHTER_ACTIVITY", self.map))
        return [header, *self.chunks("ComputeRequest", *volumes)]

    def job(self, method: dict[str, Any], **more: Any) -> list[Any]:
        spec = {"compute": self.header(method, stored=True, **more), "priority": 2}
        return [_wire.message("CreateJobRequest")(spec=spec, request_id=str(uuid.uuid4()), validate_only=True)]

    def integrate(self) -> list[Any]:
        scans = [{"volume": self.volume(self.map), "time_h": hour, "duration_h": 0.5} for hour in (4.0, 24.0, 72.0)]
        fields = {"scans": scans, "unit": 1, "nuclide": "Lu-177", "value_refers_to": 1, "model": "auto"}
        labels = {"labels": self.volume(self.labels, "UINT8"), "administered_activity_mbq": 7400.0}
        header = _wire.message("IntegrateRequest")(header=fields | labels)
        maps = [struct.pack("<f", 1e6 * math.exp(-hour / 80)) * SIDE**3 for hour in (4, 24, 72)]
        chunks = self.chunks("IntegrateRequest", *(("SCAN", content) for content in maps), ("LABELS", self.labels))
        for place, chunk in enumerate(chunks[:3]):
            chunk.chunk.index = place
        return [header, *chunks]

    def curves(self) -> list[Any]:
        points = [
            {"hours": hour, "activity_mbq": 100 * math.exp(-hour / 80), "sigma_mbq": 4.0, "duration_h": 0.5}
            for hour in (4.0, 24.0, 72.0, 120.0)
        ]
        one = {"method": "physical", "half_life_relative_sd": 0.2}
        regions = [{"name": "kidney", "points": points}, {"name": "liver", "points": points[:1], "one_point": one}]
        request = _wire.message("IntegrateCurvesRequest")
        return [request(regions=regions, nuclide="Lu-177", value_refers_to=1, administered_activity_mbq=7400.0)]

    def bed(self) -> list[Any]:
        cycle = {
            "dose_gy": 5.0,
            "effective_half_life_h": 50.0,
            "sessions": [{"start_h": 10.0, "duration_h": 4.0, "clearance_half_time_h": 2.0}],
        }
        rates = [{"amplitude_gy_per_h": 0.05, "rate_per_h": 0.01}]
        term = {"dose_rate_terms": rates, "start_h": 1000.0, "dose_gy": 4.0}
        region = {
            "name": "kidney",
            "label": 1,
            "alpha_beta_gy": 2.5,
            "repair": [{"fraction": 1.0, "half_time_h": 2.0}],
            "alpha_per_gy": 0.1,
            "geud_exponent": 2.0,
            "cycles": [cycle, term],
        }
        header = {"nuclide": "Lu-177", "regions": [region]}
        return [_wire.message("ComputeBedRequest")(header=header)]

    def budget(self) -> list[Any]:
        spheres = [
            {"volume_cm3": size, "recovery_coefficient": 1 - 0.5 / size, "sigma": 0.02} for size in (1.0, 5, 20, 50)
        ]
        region = {
            "name": "kidney",
            "volume_cm3": 150.0,
            "outline": {"voxel_width_mm": 4.0, "fwhm_mm": 10.0, "operator_edge_sigma_mm": 1.0},
            "recovery": {"spheres": spheres},
            "calibration_relative_sigma": 0.02,
            "fit_relative_sigma": 0.03,
            "dose_factor_exponent": 0.97,
            "activity_fwhm_mm": 10.0,
            "dose_factor_relative_sigma": 0.01,
            "doses_gy": [5.0, 4.0],
            "one_outline": True,
        }
        return [_wire.message("ComputeBudgetRequest")(regions=[region])]

    def resample(self) -> list[Any]:
        header = {"kind": 3, "source": self.volume(self.map), "spacing_mm": 5.0}
        return [
            _wire.message("ResampleRequest")(header=header),
            *self.chunks("ResampleRequest", ("SOURCE", self.map)),
        ]

    def merge(self) -> list[Any]:
        size = len(self.tally)
        labels = self.volume(self.labels, "UINT8")
        header = {"grid": self.grid(), "tallies": [{"size_bytes": size}], "labels": labels, "label_names": {1: "one"}}
        request = _wire.message("MergeTalliesRequest")
        tally = [
            request(tally_chunk={"offset_bytes": place, "data": self.tally[place : place + (1 << 20)]})
            for place in range(0, size, 1 << 20)
        ]
        return [request(header=header), *tally, *self.chunks("MergeTalliesRequest", ("LABELS", self.labels))]

    def all(self, job: str) -> Iterator[tuple[str, str, list[Any], tuple[str, ...]]]:
        """Service, call and messages of each good request, and the fields to change, if not all.

        `job` is one that has ended.
        """
        local: dict[str, Any] = {"local": {}}
        kernel = {"kernel": {"truncation_radius_mm": 30.0}}
        daughter = {"nuclide": "Pb-212", "activity": self.volume(self.map), "activity_unit": {"bq_s": {}}}
        growth = {"in_growth": {"integration_time_s": 1e5, "effective_half_life_s": 3e5}}
        emission = [{"charge": -1, "low_mev": 0.1, "high_mev": 0.2, "yield_per_decay": 0.5}]
        dose, header = "DoseService", "0.header."
        every: tuple[str, ...] = ()
        yield dose, "Compute", self.compute(local), every
        fields: tuple[str, ...] = (header + "method", header + "emissions")
        yield dose, "Compute", self.compute(kernel, emissions=emission), fields
        yield dose, "Compute", self.compute(self.monte_carlo()), (header + "method",)
        unit: dict[str, Any] = {"bq_s": {}}
        weights = {"alpha": 5.0, "recoil": 5.0}
        more = {"daughter_maps": [daughter], "biological_weighting": weights, "dose_grid": {"spacing_mm": 5.0}}
        fields = tuple(header + name for name in more)
        yield dose, "Compute", self.compute(local, nuclide="Ra-224", activity_unit=unit, **more), fields
        grown = self.compute(kernel, nuclide="Ra-223", daughters=growth, activity_unit=unit)
        yield dose, "Compute", grown, (header + "daughters",)
        yield dose, "MergeTallies", self.merge(), every
        yield dose, "Resample", self.resample(), every
        yield dose, "Integrate", self.integrate(), every
        yield dose, "IntegrateCurves", self.curves(), every
        yield dose, "ComputeBed", self.bed(), every
        yield dose, "ComputeBudget", self.budget(), every
        request = _wire.message("ComputeKernelRequest")
        yield dose, "ComputeKernel", [request(nuclide="Lu-177", spacing_mm=[4.0] * 3, radius_voxels=3)], every
        yield dose, "GetNuclide", [_wire.message("GetNuclideRequest")(name="Lu-177")], every
        for name in ("ListNuclides", "ListDevices", "GetServerInfo"):
            yield dose, name, [_wire.message(name + "Request")()], every
        yield "JobService", "CreateJob", self.job(local), every
        yield "JobService", "CreateJob", self.job(self.monte_carlo()), ("0.spec.compute.method",)
        yield "JobService", "ListJobs", [_wire.message("ListJobsRequest")(page_size=3, states=[3])], every
        for name in ("GetJob", "WatchJob", "CancelJob"):
            yield "JobService", name, [_wire.message(name + "Request")(name=job)], every
        stored = digest(self.density)
        yield "VolumeService", "CheckVolumes", [_wire.message("CheckVolumesRequest")(digests=[stored])], every
        put = _wire.message("PutVolumeRequest")
        size, half = len(self.map), len(self.map) // 2
        first = put(digest=digest(self.map), size_bytes=size, data=self.map[:half])
        yield "VolumeService", "PutVolume", [first, put(offset_bytes=half, data=self.map[half:])], every
        yield "VolumeService", "GetVolume", [_wire.message("GetVolumeRequest")(digest=stored, length_bytes=100)], every
        # Neither is there.
        yield "JobService", "DeleteJob", [_wire.message("DeleteJobRequest")(name="jobs/0")], every
        yield (
            "VolumeService",
            "DeleteVolume",
            [_wire.message("DeleteVolumeRequest")(digest="sha256:" + "1" * 64)],
            every,
        )

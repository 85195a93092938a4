"""Readers of recorded workloads and powers.

Every reader returns what it read together with a :class:`~twin.traces.repairs.Repairs`: what was mended, how
often, and which columns were not used. What cannot be mended is a :class:`~twin.traces.repairs.TraceError`
that names the file, the row and the value.
"""

from twin.traces.duty_cycle import DutyCycleTrace, read_duty_cycle
from twin.traces.gpu_power import GpuPowerTrace, read_gpu_power
from twin.traces.job_csv import read_job_csv, write_job_csv
from twin.traces.repairs import Repairs, TraceError
from twin.traces.surf import SurfTrace, read_surf
from twin.traces.swf import read_swf

__all__ = [
    "DutyCycleTrace",
    "GpuPowerTrace",
    "Repairs",
    "SurfTrace",
    "TraceError",
    "read_duty_cycle",
    "read_gpu_power",
    "read_job_csv",
    "read_surf",
    "read_swf",
    "write_job_csv",
]

"""Where partitions run: one process, a local cluster or a remote scheduler, behind the same two calls."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from twin.errors import BadInput, RunFailed
from twin.live.host import PLUGIN, Host, on_worker
from twin.worker_processes import starting_workers

if TYPE_CHECKING:
    from distributed import Client

LOOK = 1.0
"""How often a task that takes long is looked after [s]."""

START_PATIENCE = 60.0
"""How long workers may take to come up [s]."""


class Pool(Protocol):
    """Calls methods of the host that has a partition."""

    async def call(self, method: str, sub_center: int, *arguments: Any) -> Any:
        """Return what the method of the host of a sub-center returns."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


async def _result(future: Any) -> Any:
    return await future


class OneProcess:
    """All partitions in this process.

    One thread does the work: the compiled kernels use all cores, and may not be entered twice.

    Parameters
    ----------
    host : Host
    """

    def __init__(self, host: Host):
        self.host = host
        self._thread = ThreadPoolExecutor(1, "live")

    async def call(self, method: str, sub_center: int, *arguments: Any) -> Any:
        """Return what the method of the host returns."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, getattr(self.host, method), sub_center, *arguments)

    async def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()


class Cluster:
    """Partitions in the workers of a Dask cluster; each goes to a worker of its own as far as there are enough.

    Parameters
    ----------
    client : distributed.Client
        Asynchronous.
    owned : object, optional
        Cluster that is closed with it.
    """

    def __init__(self, client: Client, owned: Any = None):
        self.client, self._owned = client, owned
        self._calls = 0

    @classmethod
    async def local(cls, host: Host, workers: int) -> Cluster:
        """Start a cluster on this machine."""
        from distributed import Client, LocalCluster

        # Sub-centers take turns: while one of them analyses, the processors are its own.
        with starting_workers(os.process_cpu_count() or 1):
            cluster = await LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1",
                dashboard_address="127.0.0.1:0", asynchronous=True, silence_logs=50,
            )  # fmt: skip
        client = await Client(cluster, asynchronous=True)
        return await cls(client, cluster)._ready(host)

    @classmethod
    async def remote(cls, host: Host, address: str) -> Cluster:
        """Use a scheduler that runs already.

        Raises
        ------
        BadInput
            If it does not answer.
        """
        from distributed import Client

        try:
            client = await Client(address, asynchronous=True, timeout=START_PATIENCE)
        except (OSError, TimeoutError, ValueError) as error:
            raise BadInput(f"--scheduler {address}: no scheduler answers there ({error})") from None
        return await cls(client)._ready(host)

    async def _ready(self, host: Host) -> Cluster:
        if host.folder is None:
            raise BadInput("live: a cluster needs --out, a folder on a disk that all workers share")
        await self.client.register_plugin(host, name=PLUGIN)
        return self

    async def workers(self) -> list[str]:
        """Addresses of the workers, in order."""
        info = await self.client.scheduler.identity()
        return sorted(info["workers"])

    async def call(self, method: str, sub_center: int, *arguments: Any) -> Any:
        """Return what the method of the host of a sub-center returns.

        Raises
        ------
        RunFailed
            If no worker is left for too long.
        """
        while True:
            names = await self._some_workers()
            # As long as workers stay, a sub-center stays with its worker; when one dies, the scheduler finds another.
            home = names[sub_center % len(names)]
            self._calls += 1
            future = self.client.submit(
                on_worker, method, sub_center, *arguments, key=f"live-{method}-{sub_center}-{self._calls}",
                workers=[home], allow_other_workers=True, pure=False, retries=5,
            )  # fmt: skip
            result = asyncio.ensure_future(_result(future))
            while not (await asyncio.wait({result}, timeout=LOOK))[0]:
                if await self._stranded(future, home):
                    break
            else:
                return await result
            result.cancel()
            await future.cancel()

    async def _some_workers(self) -> list[str]:
        for _ in range(int(START_PATIENCE / 0.5)):
            names = await self.workers()
            if names:
                return names
            await asyncio.sleep(0.5)
        raise RunFailed(f"live: no worker for {START_PATIENCE:g} s")

    async def _stranded(self, future: Any, home: str) -> bool:
        """Whether a task waits for a worker that is gone while there are others.

        The scheduler gives the task of a worker that died to another one, but not to one that comes later: when all
        died together, it would wait for the old address for ever.
        """
        names = await self.workers()
        if not names or home in names:
            return False
        taken = await self.client.processing()
        return future.status == "pending" and not any(future.key in keys for keys in taken.values())

    async def close(self) -> None:
        """Leave the cluster, and end it if it was started here."""
        await self.client.close()
        if self._owned is not None:
            await self._owned.close()

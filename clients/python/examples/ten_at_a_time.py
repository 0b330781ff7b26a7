"""Ten doses at a time from one event loop: the same patient with ten seeds, and the spread between them."""

import asyncio

import numpy as np

import dosegrid


async def main() -> None:
    activity = np.zeros((24, 24, 24))
    activity[8:16, 8:16, 8:16] = 0.5
    async with dosegrid.AsyncClient() as client:
        calls = [
            client.compute(
                activity,
                density=np.ones(activity.shape),
                labels=activity > 0,
                spacing_mm=(4.0, 4.0, 4.0),
                axes="xyz",
                nuclide="Lu-177",
                unit="mbq-h",
                histories=20_000,
                seed=seed,
            )
            for seed in range(1, 11)
        ]
        results = await asyncio.gather(*calls)
    means = np.array([result.organs[1].mean_by_mass_gy for result in results])
    sigma = results[0].organs[1].mean_by_mass_sigma_gy
    print(
        f"{len(means)} doses: mean {means.mean():.4g} Gy, spread {means.std(ddof=1):.2g} Gy, 1σ of one {sigma:.2g} Gy"
    )


asyncio.run(main())

"""Compiled loops of the ray casting: sample points, cosine-distributed rays, which face was hit, and the count."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange


@njit(cache=True)
def place_in_patch(u, v, patch, start, order, filled, points, triangles, pull):  # type: ignore[no-untyped-def]
    """Triangle of a patch by area, and an even point in it; ``u`` serves both and stays even."""
    low, high = start[patch], start[patch + 1]
    wanted = filled[low] + u * (filled[high] - filled[low])
    at = min(max(np.searchsorted(filled, wanted, side="right") - 1, low), high - 1)
    width = filled[at + 1] - filled[at]
    u = min(max((wanted - filled[at]) / width, 0.0), 1.0) if width > 0.0 else 0.5
    triangle = order[at]
    root = math.sqrt(u)
    inside = 1.0 - pull[triangle]
    shift = pull[triangle] / 3.0
    a, b, c = inside * (1.0 - root) + shift, inside * root * (1.0 - v) + shift, inside * root * v + shift
    one, two, three = triangles[triangle]
    return triangle, (
        a * points[one, 0] + b * points[two, 0] + c * points[three, 0],
        a * points[one, 1] + b * points[two, 1] + c * points[three, 1],
        a * points[one, 2] + b * points[two, 2] + c * points[three, 2],
    )


@njit(cache=True, parallel=True)
def cosine_rays(  # type: ignore[no-untyped-def]
    origins,
    directions,
    sample,
    shifts,
    patches,
    signs,
    start,
    order,
    filled,
    points,
    triangles,
    normals,
    pull,
    offset,
):
    """Fill origins and directions of the rays of some faces, by face, replicate and sample point."""
    count, replicates = sample.shape[0], shifts.shape[1]
    for face in prange(shifts.shape[0]):
        for replicate in range(replicates):
            shift = shifts[face, replicate]
            for k in range(count):
                ray = (face * replicates + replicate) * count + k
                triangle, place = place_in_patch(
                    (sample[k, 0] + shift[0]) % 1.0, (sample[k, 1] + shift[1]) % 1.0,
                    patches[face], start, order, filled, points, triangles, pull,
                )  # fmt: skip
                # cosine law (Malley): even points of a disk, lifted to the half sphere
                square = (sample[k, 2] + shift[2]) % 1.0
                angle = 2.0 * math.pi * ((sample[k, 3] + shift[3]) % 1.0)
                radius, up = math.sqrt(square), math.sqrt(1.0 - square)
                x, y = radius * math.cos(angle), radius * math.sin(angle)
                sign = signs[face]
                n0, n1, n2 = (
                    sign * normals[triangle, 0],
                    sign * normals[triangle, 1],
                    sign * normals[triangle, 2],
                )
                # two directions in the plane without a branch at the pole (Duff et al. 2017)
                turn = math.copysign(1.0, n2)
                a = -1.0 / (turn + n2)
                b = n0 * n1 * a
                directions[ray, 0] = x * (1.0 + turn * n0 * n0 * a) + y * b + up * n0
                directions[ray, 1] = x * turn * b + y * (turn + n1 * n1 * a) + up * n1
                directions[ray, 2] = -x * turn * n0 - y * n1 + up * n2
                origins[ray, 0] = place[0] + offset * n0
                origins[ray, 1] = place[1] + offset * n1
                origins[ray, 2] = place[2] + offset * n2


@njit(cache=True, parallel=True)
def face_points(  # type: ignore[no-untyped-def]
    result,
    facing,
    sample,
    shifts,
    patches,
    signs,
    start,
    order,
    filled,
    points,
    triangles,
    normals,
    pull,
    offset,
):
    """Fill even points just above some faces, and the normals there."""
    count, replicates = sample.shape[0], shifts.shape[1]
    for face in prange(shifts.shape[0]):
        for replicate in range(replicates):
            shift = shifts[face, replicate]
            for k in range(count):
                at = (face * replicates + replicate) * count + k
                triangle, place = place_in_patch(
                    (sample[k, 0] + shift[0]) % 1.0, (sample[k, 1] + shift[1]) % 1.0,
                    patches[face], start, order, filled, points, triangles, pull,
                )  # fmt: skip
                for i in range(3):
                    facing[at, i] = signs[face] * normals[triangle, i]
                    result[at, i] = place[i] + offset * facing[at, i]


@njit(cache=True, parallel=True)
def faces_hit(hit, triangles, directions, normals, patch, face_of_side):  # type: ignore[no-untyped-def]
    """Fill the face that each ray lands on: -1 for space, -2 for a side that takes no part."""
    for ray in prange(len(triangles)):
        triangle = triangles[ray]
        if triangle < 0:
            hit[ray] = -1
            continue
        along = 0.0
        for i in range(3):
            along += directions[ray, i] * normals[triangle, i]
        face = face_of_side[patch[triangle], 0 if along < 0.0 else 1]
        hit[ray] = face if face >= 0 else -2


@njit(cache=True)
def tally_face(hit, replicates, per_replicate, count, found, mean, error):  # type: ignore[no-untyped-def]
    """Targets of one face (column 0 is space), their shares and standard errors; returns their number."""
    total = np.zeros(count + 1)
    squares = np.zeros(count + 1)
    inside = np.zeros(count + 1)
    lost = 0
    for replicate in range(replicates):
        begin = replicate * per_replicate
        for k in range(begin, begin + per_replicate):
            if hit[k] == -2:
                lost += 1
            else:
                inside[hit[k] + 1] += 1.0
        for k in range(begin, begin + per_replicate):
            target = hit[k] + 1
            if target < 0:
                continue
            total[target] += inside[target]
            squares[target] += inside[target] * inside[target]
            inside[target] = 0.0
    rays = replicates * per_replicate
    number = 0
    for target in range(count + 1):
        if target > 0 and total[target] == 0.0:
            continue
        share = total[target] / (rays - lost)
        spread = squares[target] / replicates - (total[target] / replicates) ** 2
        variance = max(0.0, spread) / (per_replicate * per_replicate * (replicates - 1))
        found[number] = target - 1
        mean[number] = share
        # a few replicates can agree by chance: never less than half the error of as many independent
        # rays, and all of it where so few land that the count itself says little
        binomial = (share + 1.0 / rays) * (1.0 - share) / rays
        variance = max(variance, binomial if total[target] < 16.0 else 0.25 * binomial)
        error[number] = max(math.sqrt(variance), 1.0 / rays)
        number += 1
    return number


@njit(cache=True, parallel=True)
def tally_all(  # type: ignore[no-untyped-def]
    hit, faces, replicates, per_replicate, count, found, mean, error, number
):
    """Fill targets, shares, standard errors and their number for some faces."""
    rays = replicates * per_replicate
    for face in prange(faces):
        number[face] = tally_face(
            hit[face * rays : (face + 1) * rays],
            replicates,
            per_replicate,
            count,
            found[face],
            mean[face],
            error[face],
        )

"""Beta functions in log space, with the standard library alone.

Counts reach 10^8 and tails fall far below the smallest float, so everything is a logarithm, and nothing is
the difference of two large logarithms. scipy is the oracle in the tests; it is too big to ship for this.

Sources: Abramowitz & Stegun 6.1.41 (Stirling's series) and 26.5.22 (quantile, to begin with); Didonato &
Morris (1992), algorithm 708 (continued fraction); the deviance form after Loader (2000), "Fast and accurate
computation of binomial probabilities".
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
_STIRLING_FROM = 10.0
_SERIES_BELOW = 0.1
_NEAR_MODE = 0.5
_EPSILON = 1e-16
_MAX_TERMS = 1_000_000
_MAX_STEPS = 200
# So near, in standard deviations, a step of third order leaves less than a float can tell.
_NEAR = 1e-2
_LOWEST_TAIL = 1e-300
# Of an interval that people see nobody needs more digits; the relative error of its bounds is less.
_FINE = 1e-11
_NORMAL = NormalDist()


def _stirling_rest(x: float) -> float:
    """``lgamma(x) - (x - 1/2) ln x + x - ln(2 pi)/2`` for x >= 10: what Stirling leaves out."""
    inverse_square = 1.0 / (x * x)
    total = 0.0
    for coefficient in reversed(_STIRLING):
        total = total * inverse_square + coefficient
    return total / x


def _log1p_minus(t: float) -> float:
    """``log1p(t) - t`` without cancellation near 0, t > -1."""
    if abs(t) >= _SERIES_BELOW:
        return math.log1p(t) - t
    # ln(1+t) = 2 atanh(r), r = t/(2+t); t = 2r/(1-r)
    r = t / (2.0 + t)
    square = r * r
    term, total, k = r * square, 0.0, 3
    while abs(term) > _EPSILON * abs(total) * 0.01 and term != 0.0:
        total += term / k
        term *= square
        k += 2
    return 2.0 * total - r * t


def log_beta(a: float, b: float) -> float:
    """``ln B(a, b)`` for a, b > 0."""
    p, q = min(a, b), max(a, b)
    total = p + q
    if p >= _STIRLING_FROM:
        rest = _stirling_rest(p) + _stirling_rest(q) - _stirling_rest(total)
        return (
            _HALF_LOG_2PI
            - 0.5 * math.log(q)
            + (p - 0.5) * math.log(p / total)
            + q * math.log1p(-p / total)
            + rest
        )
    if q >= _STIRLING_FROM:
        rest = _stirling_rest(q) - _stirling_rest(total)
        return math.lgamma(p) + rest + p - p * math.log(total) + (q - 0.5) * math.log1p(-p / total)
    return math.lgamma(p) + math.lgamma(q) - math.lgamma(total)


def _log_share(x: float, y: float) -> float:
    """``ln x`` where y = 1 - x is known too: taken from the smaller of the two, which has all its digits."""
    return math.log1p(-y) if y < x else math.log(x)


def _log_kernel(a: float, b: float, x: float, y: float) -> float:
    """``ln(x^a y^b / B(a, b))`` with y = 1 - x; near the mode the large terms are cancelled by hand."""
    total = a + b
    excess = x * b - y * a  # of x over the mean, in units of a for x and of -b for y
    if min(a, b) < _STIRLING_FROM or max(abs(excess / a), abs(excess / b)) > _NEAR_MODE:
        return a * _log_share(x, y) + b * _log_share(y, x) - log_beta(a, b)
    # a ln(x/mean) + b ln(y/(1-mean)): their linear parts cancel exactly
    deviance = a * _log1p_minus(excess / a) + b * _log1p_minus(-excess / b)
    rest = _stirling_rest(a) + _stirling_rest(b) - _stirling_rest(total)
    return deviance - rest - _HALF_LOG_2PI + 0.5 * (math.log(a) + math.log(b / total))


def _fraction(a: float, b: float, x: float, tolerance: float = 4 * _EPSILON) -> float:
    """``I_x(a, b) B(a, b) / (x^a y^b)`` by a continued fraction, fast for x < (a+1)/(a+b+2).

    Didonato & Morris (1992), algorithm 708, eq. 9: every second step of the one in A&S 26.5.8.

    Raises:
        ArithmeticError: It does not converge (counts over about 10^12).
    """
    excess = a - (a + b) * x + 1.0
    rest = 2.0 - x
    # Of the numerators and denominators only the ratio matters: with each step it is brought back to value/1.
    value = (a + 1.0) / (excess * a)
    a0, b0 = 0.0, value
    m = 0.0
    odd = a - 1.0
    while m < _MAX_TERMS:
        m += 1.0
        odd += 2.0
        middle = m * (b - m) * x / odd
        alpha = (a + m - 1.0) * (a + b + m - 1.0) * x * middle / odd
        beta = m + middle + (a + m) * (excess + m * rest) / (odd + 2.0)
        b1 = beta + alpha * b0
        before, value = value, (beta * value + alpha * a0) / b1
        if -tolerance * value <= value - before <= tolerance * value:
            return value
        a0, b0 = before / b1, 1.0 / b1
    raise ArithmeticError(f"the incomplete Beta function does not converge for a={a}, b={b}, x={x}")


def _log_one_minus_exp(v: float) -> float:
    """``ln(1 - e^v)`` for v <= 0."""
    if v >= 0.0:
        return -math.inf
    return math.log(-math.expm1(v)) if v > -math.log(2.0) else math.log1p(-math.exp(v))


def _log_lower(a: float, b: float, x: float, y: float) -> float:
    if x <= 0.0:
        return -math.inf
    if y <= 0.0:
        return 0.0
    if x * (a + b + 2.0) < a + 1.0:
        return min(0.0, _log_kernel(a, b, x, y) + math.log(_fraction(a, b, x)))
    return _log_one_minus_exp(min(0.0, _log_kernel(b, a, y, x) + math.log(_fraction(b, a, y))))


def log_beta_cdf(x: float, a: float, b: float) -> float:
    """``ln P(X <= x)`` of a Beta(a, b) variable: ln of the regularised incomplete Beta function; a, b > 0."""
    return _log_lower(a, b, x, 1.0 - x)


def log_beta_sf(x: float, a: float, b: float) -> float:
    """``ln P(X > x)`` of a Beta(a, b) variable, a, b > 0."""
    return _log_lower(b, a, 1.0 - x, x)


def _first_guess(a: float, b: float, z: float) -> float:
    """``ln x`` near the quantile of Beta(a, b) that is z standard deviations out; a, b >= 1 (A&S 26.5.22)."""
    inverse_a, inverse_b = 1.0 / (2.0 * a - 1.0), 1.0 / (2.0 * b - 1.0)
    h = 2.0 / (inverse_a + inverse_b)
    lam = (z * z - 3.0) / 6.0
    skew = (inverse_b - inverse_a) * (lam + 5.0 / 6.0 - 2.0 / (3.0 * h))
    w = -z * math.sqrt(max(0.0, h + lam)) / h - skew
    return -math.log1p(b / a * math.exp(2.0 * w))


def _solve(a: float, b: float, *, z: float, upper: bool) -> float:
    """The x at which the lower (or upper) tail of Beta(a, b) is that of a normal variable under z < 0.

    As a normal quantile g the tail is nearly straight in u = ln x, so that a series of third order mostly
    hits at once. A bracket narrows with each step; a step out of it halves it instead.
    """
    low, high = -745.0, 0.0
    u = min(max(_first_guess(a, b, -z if upper else z), -700.0), -1e-17)
    for _ in range(_MAX_STEPS):
        x = math.exp(u)
        y = -math.expm1(u)
        kernel = _log_kernel(a, b, x, y)
        below = x * (a + b + 2.0) < a + 1.0
        part = math.exp(kernel) * (_fraction(a, b, x, _FINE) if below else _fraction(b, a, y, _FINE))
        tail = part if below is not upper else 1.0 - part
        g = _NORMAL.inv_cdf(min(max(tail, _LOWEST_TAIL), 1.0 - _EPSILON))
        if (g < z) is not upper:
            low = u
        else:
            high = u
        new = u + _step(a, b, x / y, g=g, z=z, log_slope=kernel - math.log(y), upper=upper)
        if abs(g - z) <= _NEAR:
            return math.exp(new)
        u = new if low < new < high else 0.5 * (low + high)
    return math.exp(u)


def _step(a: float, b: float, odds: float, *, g: float, z: float, log_slope: float, upper: bool) -> float:
    """How far ln x is to go so that g becomes z, to third order; no number where g is flat.

    ``odds`` is x / (1 - x), ``g`` and ``z`` are the tail now and as it is to be, as normal quantiles, and
    ``log_slope`` is the logarithm of the density of ln x.
    """
    slope = math.exp(min(700.0, log_slope + 0.5 * g * g + _HALF_LOG_2PI)) * (-1.0 if upper else 1.0)
    if slope == 0.0:
        return math.nan
    # second and third derivative over the first
    second = a - (b - 1.0) * odds + g * slope
    third = second * second - (b - 1.0) * odds * (1.0 + odds) + slope * slope + g * slope * second
    step = (z - g) / slope
    return step * (1.0 - step * second / 2.0 + step * step * (second * second / 2.0 - third / 6.0))


@lru_cache(maxsize=4096)
def clopper_pearson(k: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a proportion with k of n (Clopper & Pearson 1934).

    Raises:
        ValueError: Not 0 <= k <= n, or n = 0.
    """
    if not 0 <= k <= n or n == 0:
        raise ValueError(f"k={k} of n={n} is not a proportion")
    log_q = math.log(0.5 * (1.0 - confidence))
    # A healthy version has no failures: for none and for all of n there is a closed form.
    if k == 0:
        return 0.0, -math.expm1(log_q / n)
    if k == n:
        return math.exp(log_q / n), 1.0
    z = _NORMAL.inv_cdf(0.5 * (1.0 - confidence))
    lower = _solve(float(k), n - k + 1.0, z=z, upper=False)
    upper = _solve(k + 1.0, float(n - k), z=z, upper=True)
    return lower, upper

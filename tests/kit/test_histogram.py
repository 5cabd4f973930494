"""Histograms as Prometheus reads them."""

from kcore.kit.histogram import Histogram, exponential


def test_a_value_counts_in_every_bucket_that_it_fits() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    assert histogram.buckets() == [("0.1", 2.0), ("1.0", 3.0), ("+Inf", 4.0)]
    assert histogram.count == 4
    assert histogram.total == 7.65


def test_exponential_bounds_grow_by_the_factor() -> None:
    assert exponential(1, 2, 4) == (1, 2, 4, 8)

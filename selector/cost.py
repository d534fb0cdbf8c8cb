"""Cost: what invoking a tier uses up, as a vector over the declared resources."""

from __future__ import annotations

RESOURCE_UNITS = {
    'slow_calls': 'calls',
    'energy_j': 'J',
    'latency_s': 's',
    'money_eur': 'EUR',
    'sent_bytes': 'B',
}

Cost = tuple[float, ...]
"""One non-negative number per resource, in the order of the declared resources."""

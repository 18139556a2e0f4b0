"""The faults that are ordered and not met yet. In memory; what to order is ``faults.py``'s."""

import random
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from ops.simulator.faults import (
    CALL_FAULTS,
    OUTCOMES,
    Call,
    Fault,
    Order,
    Rates,
    Route,
    draw_fault,
    find_order,
)


class OrderBook:
    """Chooses each call's faults: those of its prompt first, then the ordered, then the drawn."""

    def __init__(self, rates: Rates, *, seed: int | None = None) -> None:
        self.rates = rates
        self.met: dict[Route, Counter[Fault]] = defaultdict(Counter)
        self._random = random.Random(seed)
        # Orders for one request are kept apart, so that thousands of them slow nobody else.
        self._standing: dict[str | None, dict[Order, int]] = defaultdict(dict)
        self._marked: dict[bytes, Counter[Order]] = {}

    def add(self, order: Order) -> None:
        standing = self._standing[order.request_id]
        standing[order] = standing.get(order, 0) + order.times

    def clear(self) -> None:
        self._standing.clear()

    def standing(self) -> list[tuple[Order, int]]:
        """Each order and how many calls it is still for."""
        return [pair for orders in self._standing.values() for pair in orders.items()]

    def meet(self, call: Call) -> Order | None:
        """The fault of this call, counted as met."""
        return self._meet(call, CALL_FAULTS)

    def meet_submit(
        self, call: Call, *, markers: Sequence[Order], body: bytes
    ) -> tuple[Order | None, Order | None]:
        """The fault of a submission's call, and the fault of its job.

        A marker is met ``times`` times by the same body; a submission that meets no fault of
        the call ends the count, so that a person can send the same prompt again.
        """
        marked = find_order(call, markers, OUTCOMES)
        outcome = self._counted(call, marked) if marked else self._meet(call, OUTCOMES)
        marker = self._next_marker(call, markers, body)
        met = self._counted(call, marker) if marker else self._meet(call, CALL_FAULTS)
        if met is None:
            self._marked.pop(body, None)
        return met, outcome

    def _next_marker(self, call: Call, markers: Sequence[Order], body: bytes) -> Order | None:
        used = self._marked.setdefault(body, Counter()) if markers else Counter[Order]()
        marker = find_order(call, [m for m in markers if used[m] < m.times], CALL_FAULTS)
        if marker is not None:
            used[marker] += 1
        return marker

    def _meet(self, call: Call, among: Collection[Fault]) -> Order | None:
        order = self._take(call, call.request_id, among) or self._take(call, None, among)
        if order is None and self.rates:
            order = draw_fault(call, self.rates, draw=self._random.random(), among=among)
        return self._counted(call, order) if order else None

    def _take(self, call: Call, key: str | None, among: Collection[Fault]) -> Order | None:
        standing = self._standing.get(key)
        order = find_order(call, standing, among) if standing else None
        if standing and order:
            standing[order] -= 1
            if standing[order] == 0:
                del standing[order]
        return order

    def _counted(self, call: Call, order: Order) -> Order:
        self.met[call.route][order.fault] += 1
        return order

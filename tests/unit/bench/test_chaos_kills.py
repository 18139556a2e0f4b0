"""The killer's plan: as many kills as asked for, spread, and the same for the same seed."""

from random import Random

from bench.chaos.killer import Kill, plan_kills


def planned(seed: int) -> list[Kill]:
    return plan_kills(kills=40, redis_kills=5, seconds=200, source=Random(seed))


def test_all_kills_are_planned_in_order_and_within_the_time() -> None:
    kills = planned(1)

    assert sum(not kill.is_redis for kill in kills) == 40
    assert sum(kill.is_redis for kill in kills) == 5
    assert kills == sorted(kills)
    assert 0 <= kills[0].at < kills[-1].at <= 200


def test_kills_are_spread_over_the_time() -> None:
    of_redis = [kill.at for kill in planned(1) if kill.is_redis]

    assert [int(at // 40) for at in of_redis] == [0, 1, 2, 3, 4]


def test_a_seed_repeats_its_plan() -> None:
    assert planned(7) == planned(7)
    assert planned(7) != planned(8)

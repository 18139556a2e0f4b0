"""The Redis server of a stack as its operator sees it: messages that wait, and whatever is kept."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import redis
from celery import Celery

from tests.acceptance.waiting import eventually

LANES: Final = ("submissions", "polls", "deliveries")
_BODY: Final = re.compile(r'"body": ?"([A-Za-z0-9+/=]+)"')


class Broker:
    """Celery's database, its queues, and who takes from them."""

    def __init__(self, redis_url: str) -> None:
        self.url = urlunsplit(urlsplit(redis_url)._replace(path="/1"))
        # redis-py's types leave open what decode_responses settles.
        self.redis: Any = redis.Redis.from_url(self.url, decode_responses=True)
        self._celery = Celery(broker=self.url, set_as_current=False)

    def close(self) -> None:
        self._celery.close()
        self.redis.close()

    def hold_back(self, *lanes: str, workers: int) -> None:
        """Have the workers take no message of these lanes; they still claim and send."""
        for lane in lanes:
            self._control("cancel_consumer", lane, workers)

    def let_go(self, *lanes: str, workers: int) -> None:
        """Have the workers take messages of these lanes again."""
        for lane in lanes:
            self._control("add_consumer", lane, workers)

    def _control(self, command: str, lane: str, workers: int) -> None:
        control: Any = self._celery.control
        # A connection of its own: one from before may have died with the server.
        with self._celery.connection_for_write() as connection:
            said = control.broadcast(
                command,
                arguments={"queue": lane},
                reply=True,
                timeout=10,
                limit=workers,
                connection=connection,
            )
        assert len(said) == workers, said

    def wait_for_message(self, lane: str, about: str) -> "Message":
        """The message about a record, once it waits in a lane's queue."""

        def look() -> str | None:
            waiting = self.redis.lrange(lane, 0, -1)
            return next((raw for raw in waiting if about in in_the_clear(raw)), None)

        return Message(eventually(look, f"a message about {about} waits in {lane}"))

    def repeat(self, lane: str, message: "Message") -> None:
        """Put a copy of a waiting message beside it."""
        self.redis.rpush(lane, message.raw)

    def lose(self, lane: str) -> None:
        """Drop every message of a lane, as a killed worker or broker may."""
        self.redis.delete(lane)

    @contextmanager
    def listening(self) -> Iterator[Callable[[], str]]:
        """Hear what is published meanwhile, which is Celery's events; call for what was heard."""
        with self.redis.pubsub() as channel:
            channel.psubscribe("*")

            def heard() -> str:
                texts = []
                while message := channel.get_message(timeout=0.5):
                    texts.append(in_the_clear(str(message["data"])))
                return "\n".join(texts)

            yield heard

    def pause_writes(self) -> None:
        """Have the server keep every write waiting; reads go on."""
        self.redis.client_pause(60_000, all=False)

    def wait_for_held_writes(self) -> None:
        """Come back once something waits for the pause to end."""
        eventually(self._held_writes, "writes wait")

    def go_on_writing(self) -> None:
        """End the pause, once nobody waits whose connection was cut."""
        eventually(lambda: not self._held_writes(), "the writes that waited are gone")
        self.redis.client_unpause()

    def _held_writes(self) -> int:
        clients = self.redis.client_list()
        return sum(c["cmd"] == "evalsha" and "b" in c["flags"] for c in clients)

    def contents(self) -> str:
        """Everything in Celery's database, bodies in the clear."""
        return "\n".join(in_the_clear(text) for text in self._texts())

    def _texts(self) -> Iterator[str]:
        for key in self.redis.scan_iter(count=1000):
            yield key
            yield str(self._value(key))

    def _value(self, key: str) -> Any:
        read: dict[str, Callable[[], Any]] = {
            "string": lambda: self.redis.get(key),
            "list": lambda: self.redis.lrange(key, 0, -1),
            "set": lambda: self.redis.smembers(key),
            "zset": lambda: self.redis.zrange(key, 0, -1, withscores=True),
            "hash": lambda: self.redis.hgetall(key),
            "stream": lambda: self.redis.xrange(key),
            "none": lambda: None,
        }
        return read[str(self.redis.type(key))]()


@dataclass(frozen=True, slots=True)
class Message:
    """One Celery message as it waits in its queue."""

    raw: str

    @property
    def task_id(self) -> str:
        return str(json.loads(self.raw)["headers"]["id"])

    @property
    def args(self) -> list[Any]:
        """What the task is called with."""
        args, kwargs, _ = json.loads(base64.b64decode(json.loads(self.raw)["body"]))
        assert not kwargs
        return list(args)


def in_the_clear(text: str) -> str:
    """A text, and beside it what its base64 bodies say."""
    return text + "".join(_decoded(body) for body in _BODY.findall(text))


def _decoded(body: str) -> str:
    try:
        return base64.b64decode(body).decode(errors="replace")
    except binascii.Error:
        return ""


def answers_ping(url: str) -> bool:
    """Whether a server answers, and has read its files."""
    client = redis.Redis.from_url(url, socket_timeout=1)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()

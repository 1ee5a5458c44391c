"""Celery's connection to Redis. No message is lost if a worker is killed, and a worker survives a restart of Redis."""

from queue import Empty
from time import monotonic, time
from typing import Any

from kombu.transport import redis, virtual
from redis.exceptions import OutOfMemoryError

#: The suffix of the key of the Redis list to which BLMOVE moves a message from the list of a queue.
MOVED = "moved"

#: A Lua script that takes the next message from the queues KEYS[3], KEYS[4] and so on, in this order.
#:
#: The script returns the key of the queue and the message, or nil if all queues are empty.
#: In the same atomic step, the script stores the message in the keys in which kombu keeps unacknowledged messages.
#: KEYS[1] is the hash of unacknowledged messages, and KEYS[2] is the sorted set of their delivery times (ARGV[1]).
#: ARGV[2] is 1 if messages of the queue KEYS[3] must be stored, otherwise 0. ARGV[3] belongs to KEYS[4], and so on.
#: The script does not store messages that are not valid.
#:
#: RPOP is the first command, because Redis then allows the script to store the message even if the memory is full.
TAKE_MESSAGE = """
for i = 3, #KEYS do
    local message = redis.call('RPOP', KEYS[i])
    if message then
        if ARGV[i - 1] == '1' then
            pcall(function()
                local properties = cjson.decode(message).properties
                local origin = properties.delivery_info
                local stored = '[' .. message .. ',' .. cjson.encode(origin.exchange) .. ','
                    .. cjson.encode(origin.routing_key) .. ']'
                redis.call('HSET', KEYS[1], properties.delivery_tag, stored)
                redis.call('ZADD', KEYS[2], ARGV[1], properties.delivery_tag)
            end)
        end
        return {KEYS[i], message}
    end
end
"""


class QoS(redis.QoS):
    """A variant of kombu's record of unacknowledged messages that does not stop the worker if Redis is full."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Store the unacknowledged message with the current time.

        If Redis is full, only remember the message in this process. The Lua script has already stored a copy in Redis.
        """
        try:
            super().append(message, delivery_tag)
        except OutOfMemoryError:
            virtual.QoS.append(self, message, delivery_tag)


class Channel(redis.Channel):
    """A kombu channel that never loses a message, and that raises ConnectionError if its transport is closed.

    kombu 5.7 takes a message and stores it as unacknowledged with two commands, so a worker that is killed between them
    loses the message. This class uses one Lua script. hotelagent/README.md explains the details.
    """

    QoS = QoS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._queues_without_acknowledgement: set[str] = set()
        #: Whether the last run of the Lua script found no message, so that the channel now waits for a message.
        self._is_idle = False
        #: Whether Redis rejected the last BLMOVE, because its memory is full.
        self._is_redis_full = False
        super().__init__(*args, **kwargs)

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Return the parameters of a connection to Redis. Raise ConnectionError if the transport is closed."""
        if self.connection.client is None:
            raise ConnectionError("The connection to Redis is closed.")
        parameters: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        return parameters

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        """Start a consumer of the queue. With `no_ack=True`, delivered messages are not stored as unacknowledged."""
        if no_ack:
            self._queues_without_acknowledgement.add(queue)
        else:
            self._queues_without_acknowledgement.discard(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Send the commands that take the next message. kombu calls `_brpop_read` when Redis replies.

        `timeout` is the maximum number of seconds that an idle channel waits for a message.
        """
        names = self._queue_cycle.consume(len(self.active_queues))  # type: ignore[attr-defined]
        if not names:
            return
        queues = [(name, f"{name}{self.sep}{MOVED}") for name in names]
        for priority in self.priority_steps:
            queues += [(name, self._q_for_pri(name, priority)) for name in names]  # type: ignore[attr-defined]
        keys = [self.unacked_key, self.unacked_index_key, *(key for _name, key in queues)]
        keys = [self.global_keyprefix + key for key in keys]
        flags = [int(name not in self._queues_without_acknowledgement) for name, _key in queues]
        commands: list[tuple[str | float, ...]] = [("EVAL", TAKE_MESSAGE, len(keys), *keys, time(), *flags)]
        if self._is_idle:
            commands.insert(0, self._wait_command(names[0], timeout or self.brpop_timeout))
        connection = self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()
        connection.send_packed_command(connection.pack_commands(commands))

    def _wait_command(self, name: str, timeout: float) -> tuple[str | float, ...]:
        """Return a command that ends when the queue has a message, or after `timeout` seconds.

        A full Redis would reject BLMOVE immediately. The command then waits with BRPOP for a key that never exists.
        """
        queue = f"{self.global_keyprefix}{name}"
        if self._is_redis_full:
            return ("BRPOP", f"{queue}{self.sep}never", timeout)
        return ("BLMOVE", queue, f"{queue}{self.sep}{MOVED}", "RIGHT", "LEFT", timeout)

    def _brpop_read(self, **options: Any) -> Any:
        """Read the replies of Redis, and deliver the message to its consumer. Raise Empty if there is no message."""
        has_waited, self._is_idle = self._is_idle, False
        if has_waited:
            try:
                self.client.parse_response(self.client.connection, "BLMOVE")
                self._is_redis_full = False
            except OutOfMemoryError:
                self._is_redis_full = True
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except Empty:
            self._is_idle = True
            raise


class Transport(redis.Transport):
    """kombu's Redis transport, with the `Channel` class of this module."""

    Channel = Channel

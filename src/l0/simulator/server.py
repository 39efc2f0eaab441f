"""Run the simulator: an asyncio server that chooses the reply to each request, and logs the requests."""

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar
from weakref import WeakSet

from l0.model.errors import raised
from l0.model.option_names import refuses_unknown_options
from l0.wire import host_check

from . import corpus, http, routes, script_grammar
from .answers import MAX_TOKENS, Answer
from .connection import Connection, DisconnectedError
from .dialects.chat_server import CHAT
from .dialects.responses_server import RESPONSES
from .dialects.server_dialect import AnswerIdentity, Dialect, InvalidRequestError, SimulatedRequest, parse_request
from .fault_limits import FaultLimits
from .faults import Fault
from .ledger import Ledger, Received, Reply
from .pacing import Pacer
from .playback import Chunks, RecordedBody, Traffic
from .reply_rules import ReplyRules
from .request_checks import RequestChecks
from .request_match import RequestMatch, TextMatch
from .respond import default_answer, replaces_answer, respond, served
from .simulator_config import SimulatorConfig, SimulatorError
from .steps import SimulatedResponse
from .stored import StoredResponses

S = TypeVar("S", bound="Simulator")
_log = logging.getLogger("l0")

Item = Fault | Answer | RecordedBody | Reply | str | None
"""One step of a script: a fault, an answer, a raw body, a combination (`Reply`), a text of `script_grammar`, or None
for neither a fault nor an answer."""


@refuses_unknown_options
class Simulator:
    """A simulated provider. All methods except `start` and `stop` are thread-safe.

    The first of these that exists determines the reply: the script; the request's `x-l0-simulate` header;
    `[[simulate: …]]` in the messages since the last answer, else in the system prompt; a rule of `on`; a recorded
    stream from the traffic directory, for a streaming request. Otherwise the reply is a default answer without a fault.
    A reply of the script, the header or the messages that has no answer gets that of the rule.
    """

    def __init__(self, config: SimulatorConfig | None = None, log: Callable[[Received], object] | None = None) -> None:
        """Create a simulator. Raises `SimulatorError` for an unreadable traffic directory and for invalid replies.

        ``log``: a function that is called in the server's thread with each request after its answer was sent.
        """
        self.config = config or SimulatorConfig()
        self._log = log
        self._traffic = Traffic(self.config.traffic_dir) if self.config.traffic_dir else None
        self._ledger = Ledger()
        self._rules = ReplyRules()
        self._limits = FaultLimits(self.config.seed)
        self._checks = RequestChecks(self.config)
        self._stored = StoredResponses()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._open = WeakSet[Connection]()
        self._port = self.config.port
        self._add_configured_rules()

    @property
    def origin(self) -> str:
        """Return `http://host:port`."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"http://{host}:{self._port}"

    @property
    def openai(self) -> str:
        """Return the `base_url` for openai clients."""
        return f"{self.origin}/v1"

    @property
    def anthropic(self) -> str:
        """Return the `base_url` for anthropic clients."""
        return self.origin

    @property
    def google(self) -> str:
        """Return the `base_url` for google-genai clients, of the Gemini API or of Vertex AI."""
        return self.origin

    @property
    def bedrock(self) -> str:
        """Return the `endpoint_url` for boto3's bedrock-runtime clients."""
        return self.origin

    @property
    def requests(self) -> list[Received]:
        """Return the requests received so far, in order of arrival."""
        return self._ledger.requests()

    @property
    def unused_replies(self) -> list[Reply]:
        """Return the replies of the script that no request has got, in order. A test that ends with some has sent fewer
        requests than it expected."""
        return self._ledger.unused_replies()

    @property
    def missed_faults(self) -> list[Fault]:
        """Return the faults of the script that changed nothing in the answer to their request, in order: most often,
        they were to come after its end."""
        return self._ledger.missed_faults()

    def script(self, *items: Item) -> None:
        """Answer the next inference requests with these items, in order.

        An item without an answer, such as a fault alone, gets the answer of the first rule of `on` that matches.
        """
        self._ledger.extend([self._reply(item) for item in items])

    def on(
        self,
        prompt: TextMatch | None = None,
        *,
        reply: Item | Callable[[Received], Item],
        tool_result: TextMatch | None = None,
        system: TextMatch | None = None,
        model: TextMatch | None = None,
        turn: int | None = None,
        times: int | None = None,
    ) -> None:
        """Add a rule: answer requests that match with `reply`, at most `times` times. The first matching rule counts.

        The conditions are those of `RequestMatch`: a text must be contained, a regular expression must be found;
        without a condition every request matches. `reply` may be a function of the request; it runs in the server's
        thread. Raises `ValueError` for a `turn` or `times` below 1, and `GrammarError` for an invalid text.
        """
        match = RequestMatch(prompt=prompt, tool_result=tool_result, system=system, model=model, turn=turn)
        if callable(reply):
            self._rules.add(match, lambda received: self._reply(reply(received)), times)
        else:
            fixed = self._reply(reply)
            self._rules.add(match, lambda _: fixed, times)

    def play(
        self,
        body: bytes,
        *,
        chunks: Chunks = "event",
        content_type: str = "text/event-stream",
        status: int = 200,
    ) -> None:
        """Queue one raw body, which is sent unchanged. `chunks` defines how it is split into HTTP chunks."""
        self.script(RecordedBody(content=body, chunks=chunks, content_type=content_type, status=status))

    def reset(self) -> None:
        """Clear the script, the rules of `on`, the log and the counts of limited faults."""
        self._ledger.clear()
        self._rules.clear()
        self._limits.clear()
        self._add_configured_rules()

    def wait_idle(self, timeout: float = 5.0) -> bool:
        """Wait until no request is active. Return False after `timeout` seconds."""
        return self._ledger.wait_idle(timeout)

    async def start(self) -> None:
        """Start to listen. Raises `SimulatorError`, which names the port, if that fails."""
        loop = asyncio.get_running_loop()
        host, port = self.config.host, self.config.port
        try:
            self._server = await loop.create_server(self._accept, host, port, backlog=1024)
        except OSError as error:
            raise SimulatorError(
                f"port: cannot listen on {host}:{port}: {error.strerror or error}; give a free port, or 0 for any"
            ) from error
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close all connections and stop listening."""
        if self._server is not None:
            await _stop_accepting(self._server)
            self._server.close()
        await self._cancel_connections()
        for connection in list(self._open):
            connection.abort()  # else a client that does not read would keep its connection, and the server, open
        if self._server is not None:
            await self._server.wait_closed()

    async def _cancel_connections(self) -> None:
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self) -> Connection:
        connection = Connection()
        self._open.add(connection)
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._connections[task] = connection
        task.add_done_callback(partial(self._forget, connection))
        return connection

    def _forget(self, connection: Connection, task: asyncio.Task[None]) -> None:
        del self._connections[task]
        connection.close()

    async def _serve(self, connection: Connection) -> None:
        """Answer the requests of one client until it leaves. An error ends only this connection."""
        try:
            while (request := await connection.request()) is not None:
                if not await self._answer(connection, request):
                    return
        except http.BadRequestError as error:
            with suppress(DisconnectedError):
                await connection.refuse(
                    routes.failed(CHAT, error.status, str(error), AnswerIdentity.of(self.config.seed, 0))
                )
        except DisconnectedError:
            pass
        except Exception:
            _log.error("the simulator failed to answer a request: %s", raised())
            connection.reset()

    async def _answer(self, connection: Connection, request: http.HttpRequest) -> bool:
        if not host_check.serves(request.headers.get("host"), self.config.host, self.config.host_names):
            message = "The Host header names another server. Use the simulator's address, localhost, or allow the name."
            refused = routes.failed(routes.family_of(request), 421, message, AnswerIdentity.of(self.config.seed, 0))
            return await connection.send(refused)
        dialect = routes.dialect_of(request)
        received = Received(
            method=request.method,
            path=request.target,
            headers=request.headers,
            body=request.json,
            dialect=dialect.name if dialect else None,
        )
        index = self._ledger.begin(received)
        client_left = True
        try:
            keep = await self._send(connection, request, dialect, index)
            client_left = False
            return keep and request.headers.get("connection", "").lower() != "close"
        finally:
            self._ledger.end(index, sent_events=connection.events, finished=not client_left, disconnected=client_left)
            answered = self._ledger.received(index) if self._log is not None else None
            if self._log is not None and answered is not None:
                self._log(answered)

    async def _send(
        self, connection: Connection, request: http.HttpRequest, dialect: Dialect | None, index: int
    ) -> bool:
        """Send the answer. If it cannot be built, send an error answer, unless a part was already sent."""
        try:
            response = self._response(request, dialect, index)
            return await connection.send(
                response, lambda events: self._ledger.update(index, sent_events=events, finished=True)
            )
        except (DisconnectedError, http.BadRequestError):
            raise
        except Exception as error:
            if connection.has_sent:
                raise
            _log.warning("the simulator cannot answer request %d: %s", index, type(error).__name__)
            self._ledger.update(index, answered="failed")
            message = f"The simulator cannot answer this request: {type(error).__name__}."
            return await connection.send(
                routes.failed(dialect or CHAT, 500, message, AnswerIdentity.of(self.config.seed, index))
            )

    def _response(self, request: http.HttpRequest, dialect: Dialect | None, index: int) -> SimulatedResponse:
        identity = AnswerIdentity.of(self.config.seed, index)
        try:
            if not routes.is_health_check(request):
                self._checks.check_key(request, routes.family_of(request))
            if dialect is None:
                return self._stored.replay(request) or routes.non_inference(request, identity, self.config.models)
            body = routes.request_body(request, dialect)
            if not isinstance(body, dict):
                raise InvalidRequestError("We could not parse the JSON body of your request: an object is expected.")
            inference = self._stored.continued(parse_request(dialect, body))
            self._checks.check(dialect, inference)
            reply = self._chosen_reply(request, dialect, inference, index)
            if reply.answer and reply.answer.tokens * inference.choices > MAX_TOKENS:
                raise InvalidRequestError(f"tokens: allowed are {MAX_TOKENS:,}, all choices together.")
        except InvalidRequestError as error:
            self._ledger.update(index, answered="invalid request" if error.status == 400 else f"status {error.status}")
            return routes.refused(dialect or routes.family_of(request), error, identity)
        except (script_grammar.GrammarError, SimulatorError) as error:
            self._ledger.update(index, answered="invalid request")
            return routes.failed(dialect or routes.family_of(request), 400, str(error), identity)
        fault = served(dialect, inference, reply, identity) if reply.fault else reply.fault
        self._ledger.update(index, answered=str(fault) if fault or not reply.body else reply.body.name)
        for part in reply.fault.parts if reply.scripted and reply.fault else ():
            if part not in fault.parts:
                self._ledger.miss(Fault(parts=(part,)))
        delays = self.config.delays
        pacer = Pacer(delays, seed=self.config.seed, index=index, concurrent=self._ledger.active) if delays else None
        if dialect is RESPONSES and not reply.body:
            reply = replace(reply, answer=reply.answer or default_answer(inference, reply.fault))
            self._stored.keep((reply.answer or Answer()).limited(inference.max_tokens), inference, identity)
        response = respond(dialect, inference, reply, identity, pacer)
        limits = self._checks.headers(dialect)
        return replace(response, headers={**response.headers, **limits}) if limits else response

    def _chosen_reply(
        self, request: http.HttpRequest, dialect: Dialect, inference: SimulatedRequest, index: int
    ) -> Reply:
        """Return the reply to a request, with the faults that apply to it."""
        reply, source = self._ledger.next_reply(), "script"
        text = None if reply else _directive(request, inference)
        if text is not None:
            reply, source = self._parse_reply(text, dialect.name), text
        if reply is not None:
            reply = self._limited(reply, index, source)
            has_answer = reply.answer or reply.body or (reply.fault and replaces_answer(reply.fault))
            return reply if has_answer else self._with_answer_of_rule(reply, inference, index)
        rule, received = self._rules.find(inference.conversations, inference.model), self._ledger.received(index)
        if rule and received:
            make_reply, source = rule
            return self._limited(make_reply(received), index, source)
        return Reply(body=self._traffic.next(dialect.name) if self._traffic and inference.stream else None)

    def _limited(self, reply: Reply, index: int, source: str) -> Reply:
        """Return a reply without its fault if that has been sent as often as its `times` says."""
        return replace(reply, fault=self._limits.applied(reply.fault, index, source)) if reply.fault else reply

    def _with_answer_of_rule(self, reply: Reply, inference: SimulatedRequest, index: int) -> Reply:
        """Return a reply without an answer, such as a fault alone, with the answer of the first rule that matches.

        So a retry after the fault, which gets that answer, continues the one that broke.
        """
        rule = self._rules.find(inference.conversations, inference.model, counts=False)
        received = self._ledger.received(index)
        if not rule or not received:
            return reply
        found = rule[0](received)
        return replace(reply, answer=found.answer, body=found.body)

    def _parse_reply(self, text: str, dialect: str) -> Reply:
        script = script_grammar.parse(text)
        body = None
        if script.recorded:
            if self._traffic is None:
                raise SimulatorError(f"recorded: {script.recorded!r} was requested, but no traffic directory was given")
            body = self._traffic.named(dialect, script.recorded)
        answer = corpus.bundled_answer(script.named) if script.named else script.answer
        return Reply(answer=answer, body=body, fault=script.fault)

    def _add_configured_rules(self) -> None:
        for pattern, text in self.config.replies:
            try:
                self.on(re.compile(pattern) if pattern else None, reply=text)
            except (script_grammar.GrammarError, re.error) as error:
                raise SimulatorError(f"reply {pattern!r} {text!r}: {error}") from error

    def _reply(self, item: Item) -> Reply:
        match item:
            case None:
                return Reply()
            case Fault():
                return Reply(fault=item)
            case Answer():
                return Reply(answer=item)
            case RecordedBody():
                return Reply(body=item)
            case str():
                return self._parse_reply(item, "chat")
        return item


def _directive(request: http.HttpRequest, inference: SimulatedRequest) -> str | None:
    """Return the text that the header or the prompt has for this request of a call; None if there is none."""
    text = request.headers.get(script_grammar.HEADER)
    if text is None:
        text = script_grammar.in_conversations(inference.conversations)
    retries = request.headers.get(script_grammar.RETRIES_HEADER, "")
    return None if text is None else script_grammar.of_attempt(text, retries)


async def _stop_accepting(server: asyncio.Server) -> None:
    """Accept no more connections, and give the accepted ones time to get their transports.

    asyncio cannot create a transport on a closed server, but leaves the socket open, so that its client would wait.
    """
    with suppress(NotImplementedError):  # the event loop of Windows, which creates transports at once
        for listener in server.sockets:
            asyncio.get_running_loop().remove_reader(listener)
    await asyncio.sleep(0)


async def serve(simulator: S, started: Callable[[S], None] | None = None) -> None:
    """Run a simulator until cancelled. `started` is called once the simulator listens."""
    await simulator.start()
    try:
        if started:
            started(simulator)
        await asyncio.Event().wait()
    finally:
        await simulator.stop()


def run(simulator: S, started: Callable[[S], None] | None = None) -> None:
    """Run a simulator in the foreground until Ctrl-C. Raises `SimulatorError` if it cannot start."""
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(simulator, started))

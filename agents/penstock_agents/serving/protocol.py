"""The tools as the protocol has them: listing them, calling one, and results that never hold a traceback.

What doesn't belong: transports (`stdio.py`, `http.py`), what tools do (`calls.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any

import structlog
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ValidationError

from penstock_agents.calls import Agent
from penstock_agents.tools.offered import INSTRUCTIONS, Offered, WaitForApproval
from penstock_agents.tools.results import Answer, document, written
from penstock_agents.tools.words import AGAIN, own_failure


class NoRoomError(Exception):
    """There are as many agents as there may be."""


_log = structlog.get_logger(__name__)

Context = ServerRequestContext[Any, Any]
# Whose session a call belongs to, kept open while the call runs.
AgentOf = Callable[[Context], AbstractAsyncContextManager[Agent]]


# What is open while a server serves.
Lifespan = Callable[[Server[Any]], AbstractAsyncContextManager[None]]


def mcp_server(tools: Sequence[Offered], agent_of: AgentOf, lifespan: Lifespan) -> Server[Any]:
    """A server of these tools, each call of which is for the agent that `agent_of` finds."""
    by_name = {one.name: one for one in tools}
    listed = [_tool(one) for one in tools]

    async def list_tools(_context: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=listed)

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        tool = by_name.get(params.name)
        if tool is None:
            failure = own_failure("there is no such tool", f"Call one of {', '.join(by_name)}.")
            return _result(Answer(status="failed", failure=failure))
        return _result(await _answer(tool, context, params.arguments or {}, agent_of))

    return Server(
        "penstock", version=version("penstock"), title="Penstock", instructions=INSTRUCTIONS,
        lifespan=lifespan, on_list_tools=list_tools, on_call_tool=call_tool,
    )  # fmt: skip


async def _answer(tool: Offered, context: Context, arguments: dict[str, Any], agent_of: AgentOf) -> Answer:
    try:
        asked = tool.arguments.model_validate(arguments)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in error.errors()[:5])
        failure = own_failure(f"the arguments are not right: {'; '.join(lines)}"[:1000], "Correct them.")
        return tool.answer(status="failed", failure=failure)
    try:
        async with agent_of(context) as agent:
            return await _called(tool, agent, asked, context)
    except NoRoomError:
        failure = own_failure("this server serves as many agents as it may", AGAIN)
        return tool.answer(status="failed", failure=failure)
    except Exception as error:
        # Its text may hold values; where it happened is in the log, and the agent learns that it is not to blame.
        _log.error("a tool failed", tool=tool.name, fault=type(error).__name__, place=_place(error))
        failure = own_failure("a fault of this server", "Tell your user; the server's log has more.")
        return tool.answer(status="failed", failure=failure)


async def _called(tool: Offered, agent: Agent, asked: BaseModel, context: Context) -> Answer:
    if isinstance(asked, WaitForApproval):

        async def progress(done: float, total: float, message: str) -> None:
            await context.session.report_progress(done, total, message)

        return await agent.wait_for_approval(asked, progress)
    method: Callable[[BaseModel], Awaitable[Answer]] = getattr(agent, tool.name)
    return await method(asked)


def _place(error: BaseException) -> str:
    """The innermost place of ours that it passed."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "penstock" in code.co_filename:
            place = f"{code.co_qualname}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _tool(one: Offered) -> Tool:
    return Tool(
        name=one.name,
        title=one.title,
        description=one.description,
        input_schema=one.arguments.model_json_schema(),
        output_schema=one.answer.model_json_schema(mode="serialization"),
        annotations=ToolAnnotations(
            title=one.title,
            read_only_hint=one.read_only,
            destructive_hint=one.destructive,
            idempotent_hint=one.idempotent,
            open_world_hint=False,
        ),
    )


def _result(answer: Answer) -> CallToolResult:
    """Structured, and the same as text for clients that read only that."""
    return CallToolResult(
        content=[TextContent(text=written(answer))],
        structured_content=document(answer),
        is_error=answer.status in ("refused", "failed"),
    )

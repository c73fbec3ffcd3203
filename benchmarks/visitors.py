"""Thirty visitors who click every three seconds, against one: from a click to the end of the server's answer.

    python benchmarks/visitors.py [--visitors 30] [--seconds 60] [--model names]

Speaks Streamlit's own protocol, so that the machine's time goes to the server and not to thirty browsers. Each visitor
has a session of their own and walks to and fro through the stages. One visitor and all of them take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from dataclasses import dataclass, field

import websockets
from browser import ROOT, median, quantile, server
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

EVERY = 3.0  # seconds between a visitor's clicks


@dataclass
class Visitor:
    """One open page: its connection, and what the protocol needs to say where a click happened."""

    socket: websockets.ClientConnection
    query: str
    component: str = ""
    fragment: str = ""
    page: str = ""
    seen: list[str] = field(default_factory=list)

    async def open(self) -> None:
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_name = "step_through"
        await self._ask(message)

    async def click(self, move: str) -> float:
        """Seconds from a click to the last of the server's answer."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_script_hash = self.page
        message.rerun_script.fragment_id = self.fragment
        message.rerun_script.cached_message_hashes.extend(self.seen)
        event = [{"event": "event", "value": {"type": "move", "move": move, "times": 1}}]
        state = message.rerun_script.widget_states.widgets.add()
        state.id, state.json_trigger_value = f"$$STREAMLIT_INTERNAL_KEY_{self.component}__events", json.dumps(event)
        start = time.perf_counter()
        drawn = await self._ask(message)
        if not drawn:
            raise SystemExit("the answer to a click had no picture in it")
        return time.perf_counter() - start

    async def _ask(self, message: BackMsg) -> bool:
        """Send a message and read its answer to the end; whether the debugger was drawn anew."""
        await self.socket.send(message.SerializeToString())
        drawn = False
        while True:
            found = ForwardMsg()
            found.ParseFromString(await self.socket.recv())
            kind = found.WhichOneof("type")
            if kind == "navigation":
                self.page = found.navigation.page_script_hash
            elif kind == "page_info_changed":
                self.query = found.page_info_changed.query_string
            elif kind == "delta" and found.delta.new_element.WhichOneof("type") == "bidi_component":
                component = found.delta.new_element.bidi_component
                if not component.id.endswith("-debugger"):
                    continue
                self.component, self.fragment, drawn = component.id, found.delta.fragment_id, True
            elif kind == "script_finished":
                return drawn


async def visit(address: str, query: str, seconds: float, answers: list[float], first: float) -> None:
    """Open the page, wait for everybody else, and click on until the time is up."""
    async with websockets.connect(f"ws{address.removeprefix('http')}/_stcore/stream", max_size=None) as socket:
        visitor = Visitor(socket, query)
        await visitor.open()
        await asyncio.sleep(max(0.0, first - time.perf_counter()) + random.random() * EVERY)
        end = first + seconds
        moves = ["over"] * 8 + ["back"] * 8
        for i in range(10_000):
            began = time.perf_counter()
            if began >= end:
                return
            answers.append(await visitor.click(moves[i % len(moves)]))
            await asyncio.sleep(max(0.0, EVERY - (time.perf_counter() - began)))


async def crowd(address: str, query: str, count: int, seconds: float) -> list[float]:
    """The answer times of `count` visitors, in milliseconds."""
    answers: list[float] = []
    first = time.perf_counter() + 2 + count * 0.4
    await asyncio.gather(*(visit(address, query, seconds, answers, first) for _ in range(count)))
    return [1000 * answer for answer in answers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--model", default="names")
    given = parser.parse_args()
    query = f"model={given.model}"
    with server(ROOT / "streamlit_app.py") as address:
        asyncio.run(crowd(address, query, 1, 10))  # the imports, the model and the recording
        alone = asyncio.run(crowd(address, query, 1, given.seconds))
        together = asyncio.run(crowd(address, query, given.visitors, given.seconds))
    print(f"{'':14}{'clicks':>8}{'median ms':>12}{'95 % ms':>10}")
    for name, times in (("one visitor", alone), (f"{given.visitors} visitors", together)):
        print(f"{name:14}{len(times):8}{median(times):12.1f}{quantile(times, 0.95):10.1f}")
    ratios = median(together) / median(alone), quantile(together, 0.95) / quantile(alone, 0.95)
    print(f"{'ratio':22}{ratios[0]:12.2f}{ratios[1]:10.2f}")


if __name__ == "__main__":
    main()

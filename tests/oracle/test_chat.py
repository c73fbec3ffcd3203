"""Chat templates against `transformers`: the kinds in use, filled in by both."""

from __future__ import annotations

import pytest
from transformers.utils import chat_template_utils
from transformers.utils.chat_template_utils import render_jinja_template

from lmviz.tokens.template import CHATML, Message, Template, chatml, render

CHAT = [
    Message("system", "Be <brief> & kind."),
    Message("user", " Où ? "),
    Message("assistant", "Là."),
    Message("user", "Ah"),
]

LLAMA_2 = """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}
{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}
{% set system_message = false %}{% endif %}{% for message in loop_messages %}
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate!') }}{% endif %}
{% if loop.index0 == 0 and system_message != false %}
{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}
{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}
{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}
{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{% generation %}{{ '<|assistant|>\n' + message['content'] + eos_token }}{% endgeneration %}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

MODERN = """{%- set date = strftime_now("%d %b %Y") %}{{- bos_token }}
{%- if tools %}{{ tools | tojson }}{% endif %}
{%- for message in messages %}
    {%- if message.role == 'system' %}{% continue %}{% endif %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{{ messages | tojson(indent=2) }}{{ date[:0] }}"""


@pytest.mark.parametrize("source", [CHATML, LLAMA_2, ZEPHYR, MODERN], ids=["chatml", "llama-2", "zephyr", "modern"])
@pytest.mark.parametrize("add_generation_prompt", [True, False])
def test_a_template_writes_what_transformers_writes(source: str, add_generation_prompt: bool) -> None:
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    (theirs,), _ = render_jinja_template(
        [[{"role": message.role, "content": message.content} for message in CHAT]],
        chat_template=source,
        add_generation_prompt=add_generation_prompt,
        **tokens,
    )
    assert render(Template(source, tokens), CHAT, add_generation_prompt) == theirs
    if source == CHATML:
        assert chatml(CHAT, add_generation_prompt) == theirs


TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "of a city", "parameters": {"type": "object"}}}
]
HERMES = """{%- for tool in tools %}{{ tool.function | tojson(indent=2) }}{% endfor %}
{%- for message in messages %}
    {{- '<|' + message.role + '|>' }}
    {%- if message.tool_calls %}
        {%- for call in message.tool_calls %}{{ {"name": call.function.name} | tojson }}{% endfor %}
    {%- else %}{{ message.content }}{% endif %}
{%- endfor %}{{ enable_thinking is defined and not enable_thinking }}"""


def test_tools_calls_and_variables_are_written_as_transformers_writes_them() -> None:
    call = {"tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Lyon"}}}]}
    said = [*CHAT, Message("assistant", "", call), Message("tool", "12 °C", {"name": "weather"})]
    (theirs,), _ = render_jinja_template(
        [[{"role": one.role, "content": one.content, **one.more} for one in said]],
        tools=TOOLS,
        chat_template=HERMES,
        enable_thinking=False,
    )
    assert render(Template(HERMES), said, variables={"tools": TOOLS, "enable_thinking": False}) == theirs


@pytest.mark.skipif(not hasattr(chat_template_utils, "_REASONING_FIELDS"), reason="an older transformers has one name")
@pytest.mark.parametrize("name", ["reasoning_content", "thinking", "reasoning"])
def test_what_a_message_thought_has_the_names_that_templates_read(name: str) -> None:
    thought = Message("assistant", "4", {name: "2 + 2"})
    (theirs,), _ = render_jinja_template([[{"role": "assistant", "content": "4", name: "2 + 2"}]], chat_template=MODERN)
    assert render(Template(MODERN), [thought]) == theirs

"""A chat in FastAPI that answers while it thinks, and a page to talk to it from a browser.

Nothing tells a function how its Function URL invokes it: `LAMBDA_RUNTIME_INVOKE_MODE` must say what
its `InvokeMode` says (see template.yaml). Here:

    rapid-mock start app.handler --code examples/fastapi_chat --url stream \
        --env LAMBDA_RUNTIME_INVOKE_MODE=RESPONSE_STREAM
"""

import os
import time
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel

from lambda_runtime import request_sigterm
from lambda_runtime.asgi import asgi

request_sigterm()  # without an extension Lambda would not tell us of the end


@asynccontextmanager
async def lifespan(app):
    print("starting")  # in the init phase: clients, models, connections
    yield {"model": ask_model if "MODEL_ID" in os.environ else echo}
    print("ending")  # in the shutdown phase


app = FastAPI(lifespan=lifespan)
handler = asgi(app)


class Prompt(BaseModel):
    prompt: str


@app.post("/chat")
def chat(prompt: Prompt, request: Request, background: BackgroundTasks):
    background.add_task(print, "answered", prompt.prompt)  # after the response
    return StreamingResponse(
        request.state.model(prompt.prompt), media_type="text/plain", background=background
    )


@app.get("/")
def page():
    return HTMLResponse(PAGE)


def ask_model(prompt):
    import boto3

    answer = boto3.client("bedrock-runtime").converse_stream(
        modelId=os.environ["MODEL_ID"],
        messages=[{"role": "user", "content": [{"text": prompt}]}],
    )
    for event in answer["stream"]:
        if "contentBlockDelta" in event:
            yield event["contentBlockDelta"]["delta"].get("text", "")


def echo(prompt):
    yield "You said: "
    for word in prompt.split():
        time.sleep(0.1)  # a model takes its time
        yield f"{word} "


PAGE = """<!doctype html>
<title>Chat</title>
<form id="form"><input id="question" value="why is the sky not green"><button>Ask</button></form>
<p id="answer"></p>
<script>
form.onsubmit = async (event) => {
  event.preventDefault();
  answer.textContent = "";
  const response = await fetch("chat", {
    method: "POST",
    headers: {"content-type": "application/json"},
    body: JSON.stringify({prompt: question.value}),
  });
  const words = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let word; !(word = await words.read()).done; ) answer.textContent += word.value;
};
</script>
"""

"""NeMo Gym: a resource server whose ``/verify`` rewards an answer, and the rows of its data.

ng_run "+config_paths=[FOLDER/lemmata.yaml,...]", with LEMMATA_ADAPTER=FOLDER in the environment.
"""

from importlib import import_module
from typing import Any

from pydantic import ConfigDict

from rl.adapters.rewards import configured_rewards
from rl.task import Answer

SERVER = "lemmata"


def make_server_class() -> type[Any]:
    """The class of the resource server. Needs nemo-gym."""
    base = import_module("nemo_gym.base_resources_server")

    class VerifyRequest(base.BaseVerifyRequest):
        """A request with the ground truth of its row."""

        model_config = ConfigDict(extra="allow")
        ground_truth: str

    class LemmataServer(base.SimpleResourcesServer):
        """Rewards answers of the three roles."""

        async def verify(self, body: VerifyRequest) -> Any:  # pyright: ignore[reportInvalidTypeForm]
            """The reward of an answer; one whose judge failed is masked (``mask_sample``)."""
            answer = answer_of(body.response.model_dump())
            (reward,) = await configured_rewards().score_async([body.ground_truth], [answer])
            values = body.model_dump()
            if reward.total is None:
                reason = "no judge gave a score"
                return base.BaseVerifyResponse(**values, reward=0.0, mask_sample=True, failure_reason=reason)
            return base.BaseVerifyResponse(**values, reward=reward.total)

    return LemmataServer


def answer_of(response: dict[str, Any]) -> Answer:
    """The answer in a response of the Responses API: the text of its messages, without its reasoning."""
    parts = [
        part["text"]
        for item in response.get("output", ())
        if item.get("type") == "message"
        for part in item.get("content", ())
        if part.get("type") == "output_text"
    ]
    return Answer("".join(parts), truncated=response.get("status") == "incomplete")


def nemo_gym_row(prompt: str, ground_truth: str) -> dict[str, Any]:
    """A row of a data file."""
    return {
        "responses_create_params": {"input": [{"role": "user", "content": prompt}]},
        "ground_truth": ground_truth,
        "agent_ref": {"type": "responses_api_agents", "name": f"{SERVER}_simple_agent"},
    }


if __name__ == "__main__":
    make_server_class().run_webserver()

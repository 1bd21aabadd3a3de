"""vLLM plugin: DSA models of this project in vLLM, with the project's kernels.

vLLM calls ``register`` in each of its processes (entry point ``vllm.general_plugins``). Hooks and versions:
docs/guides/vllm.md.
"""

SUPPORTED = ("0.31", "0.32", "0.33")  # versions of vLLM whose hooks these modules use
ARCHITECTURES = {
    "LemmataDsaForCausalLM": "serving.vllm_plugin.model:LemmataDsaForCausalLM",
    "LemmataParallelForCausalLM": "serving.vllm_plugin.parallel:LemmataParallelForCausalLM",
}
WEIGHT_TRANSFER = "lemmata_file"


def register() -> None:
    """Registers model classes and weight transfer by name; their modules are imported when they are used.

    It may be called again. Raises RuntimeError for an unsupported version of vLLM.
    """
    # Here, since the launcher of a process without vLLM reads the names above.
    from vllm import ModelRegistry, __version__  # noqa: PLC0415
    from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory  # noqa: PLC0415

    check_version(__version__)
    for architecture in ARCHITECTURES.keys() - ModelRegistry.get_supported_archs():
        ModelRegistry.register_model(architecture, ARCHITECTURES[architecture])
    if WEIGHT_TRANSFER not in WeightTransferEngineFactory._registry:
        WeightTransferEngineFactory.register_engine(WEIGHT_TRANSFER, "serving.vllm_plugin.weights", "FileEngine")


def check_version(version: str) -> None:
    """Raises RuntimeError if the plugin does not support this version of vLLM."""
    if ".".join(version.split(".")[:2]) not in SUPPORTED:
        raise RuntimeError(
            f"vLLM {version} is not supported by Lemmata's plugin; install one of {', '.join(SUPPORTED)} "
            "(docs/guides/vllm.md)"
        )

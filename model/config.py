"""Model configuration, with the names of the ``config.json`` of a DeepSeek-V3.2 checkpoint."""

from dataclasses import dataclass, fields

from model.errors import ModelError


@dataclass(frozen=True, slots=True)
class Yarn:
    """Context extension by YaRN (arXiv 2309.00071); the names are those of ``rope_scaling``."""

    factor: float
    original_max_position_embeddings: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    mscale: float = 1.0
    mscale_all_dim: float = 0.0


@dataclass(frozen=True, slots=True)
class Llama3Rope:
    """Context extension of Llama 3.1: slow pairs rotate ``factor`` times slower, fast ones as before."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Configuration of one DSA model; ``model.config_json`` reads and writes it as DeepSeek's ``config.json``.

    ``q_lora_rank`` None: queries and indexer read the hidden state itself. ``num_nextn_predict_layers``: MTP layers.
    The last five are not DeepSeek's; converted models (``model.convert``) set them: ``latent_norm``, normalization of
    the latent; ``rope_groups``, the number of keys of equal width, all rotated by the same angles, in the shared rope
    key; ``qkv_bias``, biases of queries, keys and values; ``qk_norm``, normalization of queries and keys in each group
    before the rotation; ``llama3``, the rope scaling.
    Raises ModelError if the numbers are inconsistent.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    index_n_heads: int
    index_head_dim: int
    index_topk: int
    moe_intermediate_size: int
    n_routed_experts: int
    num_experts_per_tok: int
    n_shared_experts: int = 1
    n_group: int = 1
    topk_group: int = 1
    norm_topk_prob: bool = True
    routed_scaling_factor: float = 1.0
    first_k_dense_replace: int = 0
    q_lora_rank: int | None = None
    num_nextn_predict_layers: int = 0
    tie_word_embeddings: bool = False
    max_position_embeddings: int = 4096
    rope_theta: float = 10000.0
    yarn: Yarn | None = None
    rms_norm_eps: float = 1e-6
    initializer_range: float = 0.02
    bos_token_id: int | None = None
    eos_token_id: int | tuple[int, ...] | None = None
    pad_token_id: int | None = None
    latent_norm: bool = True
    rope_groups: int = 1
    qkv_bias: bool = False
    qk_norm: bool = False
    llama3: Llama3Rope | None = None

    def __post_init__(self) -> None:
        problems = [*self._bad_sizes(), *self._bad_routing()]
        if self.qk_rope_head_dim % 2:
            problems.append(f"qk_rope_head_dim={self.qk_rope_head_dim} is odd, but rotary embeddings rotate pairs")
        problems += self._bad_groups()
        if (self.qkv_bias or self.qk_norm) and (self.q_lora_rank is not None or self.qk_nope_head_dim):
            problems.append("qkv_bias and qk_norm need q_lora_rank=null and qk_nope_head_dim=0")
        if self.yarn is not None and self.llama3 is not None:
            problems.append("rope scaling is by YaRN or Llama 3's, not both")
        if problems:
            raise ModelError("the model configuration is inconsistent: " + "; ".join(problems))

    def _bad_sizes(self) -> list[str]:
        may_be_zero = ("n_shared_experts", "first_k_dense_replace", "num_nextn_predict_layers", "qk_nope_head_dim")
        sizes = {name: getattr(self, name) for name in self._size_names()}
        small = [name for name, size in sizes.items() if size < (0 if name in may_be_zero else 1)]
        return [f"{name}={sizes[name]} is too small" for name in small]

    def _bad_groups(self) -> list[str]:
        """Returns the problems of the rope key's groups, and of the indexer, which rotates as many entries as one."""
        if self.rope_groups < 1:
            return []
        if self.rope_groups > 1 and self.qk_rope_head_dim % (2 * self.rope_groups):
            return [
                f"qk_rope_head_dim={self.qk_rope_head_dim} is not a multiple of 2 * rope_groups={2 * self.rope_groups}"
            ]
        if self.index_head_dim < self.rope_width:
            name = "qk_rope_head_dim" if self.rope_groups == 1 else "qk_rope_head_dim / rope_groups"
            return [f"index_head_dim={self.index_head_dim} is below {name}={self.rope_width}"]
        return []

    @classmethod
    def _size_names(cls) -> list[str]:
        return [field.name for field in fields(cls) if field.type is int]

    def _bad_routing(self) -> list[str]:
        if self.n_routed_experts % self.n_group:
            return [f"n_routed_experts={self.n_routed_experts} is not a multiple of n_group={self.n_group}"]
        per_group = self.n_routed_experts // self.n_group
        problems = []
        if self.topk_group > self.n_group:
            problems.append(f"topk_group={self.topk_group} is above n_group={self.n_group}")
        if self.n_group > 1 and per_group < 2:
            problems.append(
                f"n_group={self.n_group} leaves one expert per group, but groups are ranked by their two best; halve it"
            )
        if self.num_experts_per_tok > self.topk_group * per_group:
            problems.append(
                f"num_experts_per_tok={self.num_experts_per_tok} is more than the {self.topk_group * per_group} "
                f"experts of topk_group={self.topk_group} groups"
            )
        return problems

    @property
    def qk_head_dim(self) -> int:
        """Width of a query before absorption."""
        return self.qk_nope_head_dim + self.qk_rope_head_dim

    @property
    def rope_width(self) -> int:
        """Width that one set of angles rotates: that of the rope key, or of each of its groups."""
        return self.qk_rope_head_dim // self.rope_groups

    @property
    def cache_width(self) -> int:
        """Width of a cached row: latent and shared rope key."""
        return self.kv_lora_rank + self.qk_rope_head_dim

    def is_dense(self, layer: int) -> bool:
        """Returns True if layer number ``layer`` has a dense feed-forward network instead of experts."""
        return layer < self.first_k_dense_replace

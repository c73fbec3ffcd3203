"""Where checks and bugs come from: papers, documentation, and threads of people who met them."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Source:
    """Something to read. The name says enough where there is no network."""

    name: str
    url: str

    def at(self, place: str) -> Source:
        """A place in it: a section, an equation."""
        return replace(self, name=f"{self.name}, {place}")


def arxiv(name: str, identifier: str) -> Source:
    """A paper by its arXiv identifier."""
    return Source(name, f"https://arxiv.org/abs/{identifier}")


def _doi(name: str, identifier: str) -> Source:
    return Source(name, f"https://doi.org/{identifier}")


def _thread(repository: str, number: int) -> Source:
    """An issue on GitHub."""
    return Source(f"{repository.rpartition('/')[2]} #{number}", f"https://github.com/{repository}/issues/{number}")


def _torch(name: str) -> Source:
    return Source(name, f"https://docs.pytorch.org/docs/stable/generated/{name}.html")


VASWANI = arxiv("Vaswani et al. 2017", "1706.03762")
BA = arxiv("Ba et al. 2016", "1607.06450")
HE = arxiv("He et al. 2016", "1512.03385")
HENDRYCKS = arxiv("Hendrycks & Gimpel 2016", "1606.08415")
PRESS = arxiv("Press & Wolf 2017", "1608.05859")
XIONG = arxiv("Xiong et al. 2020", "2002.04745")
ZHAI = arxiv("Zhai et al. 2023", "2303.06296")
COHEN = arxiv("Cohen et al. 2021", "2103.00065")
SU = arxiv("Su et al. 2021", "2104.09864")
AINSLIE = arxiv("Ainslie et al. 2023", "2305.13245")
RMS = arxiv("Zhang & Sennrich 2019", "1910.07467")
SHAZEER = arxiv("Shazeer 2020", "2002.05202")
TOUVRON = arxiv("Touvron et al. 2023", "2302.13971")
HAVIV = arxiv("Haviv et al. 2022", "2203.16634")
MICIKEVICIUS = arxiv("Micikevicius et al. 2018", "1710.03740")
HOLTZMAN = arxiv("Holtzman et al. 2020", "1904.09751")
SENNRICH = arxiv("Sennrich et al. 2016", "1508.07909")
PASCANU = arxiv("Pascanu et al. 2013", "1211.5063")
BENGIO_RATES = arxiv("Bengio 2012", "1206.5533")
BENGIO_SLOPES = _doi("Bengio et al. 1994", "10.1109/72.279181")
RUMELHART = _doi("Rumelhart et al. 1986", "10.1038/323533a0")
GOLDBERG = _doi("Goldberg 1991", "10.1145/103162.103163")
PRECHELT = _doi("Prechelt 1998", "10.1007/3-540-49430-8_3")
ROBBINS = _doi("Robbins & Monro 1951", "10.1214/aoms/1177729586")
SHANNON = _doi("Shannon 1948", "10.1002/j.1538-7305.1948.tb01338.x")
SRIVASTAVA = Source("Srivastava et al. 2014", "https://jmlr.org/papers/v15/srivastava14a.html")
MAAS = Source("Maas et al. 2013", "https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf")
RADFORD = Source(
    "Radford et al. 2019",
    "https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf",
)
GOODFELLOW = Source("Goodfellow et al. 2016", "https://www.deeplearningbook.org/contents/mlp.html")
KARPATHY = Source("Karpathy 2019", "https://karpathy.github.io/2019/04/25/recipe/")
CS231N = Source("CS231n, Ratio of weights:updates", "https://cs231n.github.io/neural-networks-3/#ratio")

NAN_AT_3000 = _thread("karpathy/nanoGPT", 215)
BLOWS_UP = _thread("karpathy/nanoGPT", 468)
TOO_LONG = _thread("rasbt/LLMs-from-scratch", 175)
LONGER_CONTEXT = _thread("TransformerLensOrg/TransformerLens", 842)
OUT_OF_RANGE = _thread("huggingface/transformers", 23401)
SUM_ABOVE_1 = _thread("pytorch/pytorch", 42929)
TWO_SOFTMAXES = _thread("bkitano/llama-from-scratch", 5)
VIEW_OR_TRANSPOSE = _thread("hyunwoongko/transformer", 15)

ZERO_GRAD = _torch("torch.optim.Optimizer.zero_grad")
CROSS_ENTROPY = _torch("torch.nn.functional.cross_entropy")
MULTIHEAD = _torch("torch.nn.MultiheadAttention")
EMBEDDING = _torch("torch.nn.Embedding")
MODULE_LIST = _torch("torch.nn.ModuleList")
DETACH = _torch("torch.Tensor.detach")
OPTIMIZERS = Source("torch.optim", "https://docs.pytorch.org/docs/stable/optim.html")

"""The GPT: its model, its training, and its checkpoints."""

from fsm_gpt.gpt.checkpoint import save_model
from fsm_gpt.gpt.load import load_model
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.gpt.train import TrainingRun, train

__all__ = ["GPT", "GPTConfig", "TrainingRun", "load_model", "save_model", "train"]

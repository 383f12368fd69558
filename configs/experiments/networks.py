"""RLlib's `model:` as our keys."""

import json
from collections.abc import Mapping
from typing import Any

from configs.experiments.reading import Entry
from configs.experiments.table import Translation, read_as_truth

# Kernels and strides of the policy's convolutions; the third kernel is ThirdKernel.
_FORMS = [[([8, 8], 4), ([4, 4], 2), ([size, size], 1)] for size in (3, 4)]
LSTM_SIZE = 256  # RLlib's own, where a file does not say
_OWN = ("fcnet_hiddens", "conv_filters", "post_fcnet_hiddens")
_SHAPE = (
    "three convolutions are read: [[C, [8, 8], 4], [C, [4, 4], 2], [C, [3, 3] or [4, 4], 1]]; "
    "other networks are a custom_model"
)


def take_model(model: Mapping[str, Entry], to: Translation) -> None:
    """Set the policy's network: our own, or one of the user's."""
    _take_custom_model(model, to)
    _take_memory(model, to)
    if "conv_filters" in model and model["conv_filters"].value is not None:
        _take_convolutions(model["conv_filters"], to)
    if "post_fcnet_hiddens" in model:
        _take_dense(model["post_fcnet_hiddens"], to)
    if "framestack" in model:
        entry = model["framestack"]
        to.set("StateStackSize", 4 if entry.value else 1, "framestack", entry.line)
    if "dim" in model:
        for side in ("PreProcHeight", "PreProcWidth"):
            to.set(side, model["dim"].value, "dim", model["dim"].line)


def share_layers(entry: Entry, to: Translation, *, observes_pixels: bool) -> None:
    """Refuse a policy and critics that share what they do not share here, or the other way."""
    if entry.value and not observes_pixels:
        to.refuse("vf_share_layers", entry, "policy and critic of states are apart here; set false")
    if not entry.value and observes_pixels:
        to.refuse("vf_share_layers", entry, "policy and critic of frames share their layers here")


def _take_custom_model(model: Mapping[str, Entry], to: Translation) -> None:
    entry = model.get("custom_model", Entry(None, 0))
    names = [
        name
        for name in ("custom_model_config", "custom_options")
        if name in model and model[name].value is not None
    ]
    if entry.value is None:
        for name in names:
            if model[name].value:
                to.refuse(name, model[name], "there is no custom_model that it is for")
        return
    if not isinstance(entry.value, str):
        wrong = f"is no name of a file in models/, without .py{read_as_truth(entry)}"
        to.refuse("custom_model", entry, wrong)
        return
    to.set("CustomModel", entry.value, "custom_model", entry.line)
    for name in names:
        to.set("CustomModelConfig", json.dumps(model[name].plain), name, model[name].line)
    for name in (name for name in _OWN if name in model):
        to.note(name, model[name], "ignored: what custom_model is to know is custom_model_config")


def _take_memory(model: Mapping[str, Entry], to: Translation) -> None:
    """Set the policy's memory."""
    entry = model.get("use_lstm", Entry(False, 0))
    size = model.get("lstm_cell_size", Entry(LSTM_SIZE, 0))
    if entry.value:
        to.set("PolicyMemory", "LSTM", "use_lstm", entry.line)
        to.set("MemorySize", size.value, "lstm_cell_size", size.line or entry.line)
        if "max_seq_len" in model:
            to.note("max_seq_len", model["max_seq_len"], "ignored: sequences are whole rollouts")
        return
    if "lstm_cell_size" in model:
        to.note("lstm_cell_size", size, "ignored: without use_lstm it is unused")
    if "max_seq_len" in model:
        why = "ignored: without use_lstm it is unused"
        if "custom_model" in model:
            why = "ignored: sequences are whole rollouts, where the model remembers"
        to.note("max_seq_len", model["max_seq_len"], why)


def _take_convolutions(entry: Entry, to: Translation) -> None:
    layers: Any = entry.plain
    form = [
        (layer[1], layer[2]) if isinstance(layer, list) and len(layer) == 3 else None
        for layer in (layers if isinstance(layers, list) else [])
    ]
    if form not in _FORMS:
        to.refuse("conv_filters", entry, _SHAPE)
        return
    channels = ", ".join(str(layer[0]) for layer in layers)
    to.set("ConvChannels", channels, "conv_filters", entry.line)
    to.set("ThirdKernel", layers[2][1][0], "conv_filters", entry.line)


def _take_dense(entry: Entry, to: Translation) -> None:
    sizes = entry.plain
    if not sizes:
        return
    if not isinstance(sizes, list) or len(sizes) != 2:
        to.refuse(
            "post_fcnet_hiddens",
            entry,
            "two layers follow the convolutions: HiddenSize, FeatureDim",
        )
        return
    for key, size in zip(("HiddenSize", "FeatureDim"), sizes, strict=True):
        to.set(key, size, "post_fcnet_hiddens", entry.line)

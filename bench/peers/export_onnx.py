"""A random Wav2Vec2ForCTC of base or large size as transformers.js wants it: config.json and onnx/model.onnx, dynamic batch and time.

python export_onnx.py base|large FOLDER
"""

import json
import sys
from pathlib import Path

import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

size, folder = sys.argv[1], Path(sys.argv[2])
torch.manual_seed(1)
large = dict(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
config = Wav2Vec2Config(attn_implementation="eager", **(large if size == "large" else {}))
model = Wav2Vec2ForCTC(config).eval()


class Logits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model

    def forward(self, input_values):
        return self.model(input_values).logits


(folder / "onnx").mkdir(parents=True, exist_ok=True)
config.architectures = ["Wav2Vec2ForCTC"]
config.save_pretrained(folder)
names = dict(input_names=["input_values"], output_names=["logits"])
axes = {"input_values": {0: "batch", 1: "samples"}, "logits": {0: "batch", 1: "frames"}}
with torch.inference_mode():
    torch.onnx.export(Logits(), (torch.randn(2, 32000),), str(folder / "onnx" / "model.onnx"), dynamo=False, opset_version=17, dynamic_axes=axes, **names)
print(json.dumps({"ready": True, "version": torch.__version__}), flush=True)

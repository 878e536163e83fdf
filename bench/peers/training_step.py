"""The target guided update of `cald bench` in PyTorch, as one would write it: HF's Wav2Vec2 as teacher and, with bidirectional
Mamba2 mixers, as student; everything starts from the features of a frozen frontend. Answers each line on standard input with one
JSON object: the milliseconds of an update or of an inference.

python training_step.py training|inference tiny|base|large SECONDS BATCH THREADS [cpu|cuda [float32|bfloat16]]

In bfloat16 the passes run under autocast; parameters, optimiser and what autocast keeps stay in float32.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

task, size, seconds, batch, threads = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
place, dtype = (sys.argv[6:] + ["cpu", "float32"][len(sys.argv[6:]):])[:2]
torch.set_num_threads(threads)
torch.manual_seed(1)

large = dict(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
tiny = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, conv_dim=(8, 8), conv_kernel=(10, 4), conv_stride=(5, 4), num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, vocab_size=12)
config = Wav2Vec2Config(mask_time_prob=0.05, mask_time_length=4 if size == "tiny" else 10, layerdrop=0.0, attn_implementation="sdpa", **{"large": large, "tiny": tiny}.get(size, {}))
mixer = dict(state=8, headdim=8) if size == "tiny" else dict(state=128, headdim=64)


def passes():
    """The types that forward passes compute in."""
    return torch.autocast(place, dtype=torch.bfloat16, enabled=dtype == "bfloat16")


def wait():
    if place == "cuda":
        torch.cuda.synchronize()


class Mamba2(nn.Module):
    """expand 1, d_state 128, d_conv 4, headdim 64 (8 and 8 in the tiny model), one group; the recurrence in chunks (Dao & Gu 2024, listing 1), all of it matrix products."""

    def __init__(self, width, state=128, headdim=64, conv=4, chunk=64):
        super().__init__()
        self.width, self.state, self.heads, self.headdim, self.chunk = width, state, width // headdim, headdim, chunk
        self.in_proj = nn.Linear(width, 2 * width + 2 * state + self.heads, bias=False)
        self.conv1d = nn.Conv1d(width + 2 * state, width + 2 * state, conv, groups=width + 2 * state, padding=conv - 1)
        self.dt_bias = nn.Parameter(torch.full((self.heads,), -4.0))
        self.A_log = nn.Parameter(torch.log(torch.empty(self.heads).uniform_(1, 16)))
        self.D = nn.Parameter(torch.ones(self.heads))
        self.norm = nn.Parameter(torch.ones(width))
        self.out_proj = nn.Linear(width, width, bias=False)

    def forward(self, u):
        b, time_, _ = u.shape
        z, xbc, dt = self.in_proj(u).split([self.width, self.width + 2 * self.state, self.heads], dim=-1)
        xbc = F.silu(self.conv1d(xbc.transpose(1, 2))[..., :time_].transpose(1, 2))
        x, B, C = xbc.split([self.width, self.state, self.state], dim=-1)
        dt = F.softplus(dt + self.dt_bias)
        y = self.scan(x.view(b, time_, self.heads, self.headdim), dt, B, C)
        y = y.reshape(b, time_, self.width) * F.silu(z)
        return self.out_proj(F.rms_norm(y, (self.width,), self.norm, 1e-5))

    def scan(self, x, dt, B, C):
        b, time_, heads, dim = x.shape
        q = self.chunk
        pad = -time_ % q
        v = F.pad(x * dt[..., None], (0, 0, 0, 0, 0, pad))
        g = F.pad(dt * -torch.exp(self.A_log), (0, 0, 0, pad))
        B, C = F.pad(B, (0, 0, 0, pad)), F.pad(C, (0, 0, 0, pad))
        n = (time_ + pad) // q
        v = v.view(b, n, q, heads, dim).transpose(2, 3)
        g = g.view(b, n, q, heads).transpose(2, 3).cumsum(-1)
        B, C = B.view(b, n, q, -1), C.view(b, n, q, -1)
        mask = torch.ones(q, q, dtype=torch.bool, device=x.device).tril()
        decay = torch.exp((g[..., :, None] - g[..., None, :]).masked_fill(~mask, float("-inf")))
        inside = ((C @ B.transpose(-1, -2))[:, :, None] * decay) @ v
        ends = torch.exp(g[..., -1:] - g)
        states = B.transpose(-1, -2)[:, :, None] @ (v * ends[..., None])
        carried, state = [], torch.zeros_like(states[:, 0])
        whole = torch.exp(g[..., -1])[..., None, None]
        for i in range(n):
            carried.append(state)
            state = whole[:, i] * state + states[:, i]
        across = (C[:, :, None] @ torch.stack(carried, 1)) * torch.exp(g)[..., None]
        y = (inside + across).transpose(2, 3).reshape(b, n * q, heads, dim)[:, :time_]
        return y + self.D[:, None] * x


class BiMamba2(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fw_mamba, self.bw_mamba = Mamba2(width, **mixer), Mamba2(width, **mixer)

    def forward(self, hidden_states, **_):
        return self.fw_mamba(hidden_states) + self.bw_mamba(hidden_states.flip(1)).flip(1), None


def listen(model):
    """The outputs of the model's layers at its latest pass."""
    outputs = []
    for layer in model.wav2vec2.encoder.layers:
        layer.register_forward_hook(lambda _, __, out: outputs.append(out[0] if isinstance(out, tuple) else out))
    return outputs


def encode(model, outputs, features):
    """The hidden states that are compared, the last one behind the final norm where there is one, and the logits."""
    outputs.clear()
    hidden = model.wav2vec2.feature_projection(features)[0]
    hidden = model.wav2vec2._mask_hidden_states(hidden) if model.training else hidden
    last = model.wav2vec2.encoder(hidden).last_hidden_state
    assert len(outputs) == config.num_hidden_layers
    return [*outputs[:-1], last], model.lm_head(model.dropout(last))


samples = round(seconds * 16000)
audio = 0.1 * torch.randn(batch if task == "training" else 1, samples).to(place)
if task == "inference":
    teacher = Wav2Vec2ForCTC(config).eval().to(place)

    def run():
        with torch.inference_mode(), passes():
            normal = (audio - audio.mean(-1, keepdim=True)) / torch.sqrt(audio.var(-1, keepdim=True, unbiased=False) + 1e-7)
            teacher(normal).logits

else:
    teacher = Wav2Vec2ForCTC(config).eval().requires_grad_(False)
    student = Wav2Vec2ForCTC(config)
    student.load_state_dict(teacher.state_dict())
    for layer in student.wav2vec2.encoder.layers:
        layer.attention = BiMamba2(config.hidden_size)
    taught_by, heard = listen(teacher), listen(student)
    student.freeze_feature_encoder()
    teacher.to(place)
    student.to(place).train()
    with torch.no_grad():
        features = teacher.wav2vec2.feature_extractor(audio).transpose(1, 2).contiguous()
    frames = features.shape[1]
    characters = min(round(12 * seconds), frames // 2)
    targets = torch.randint(1, config.vocab_size, (batch, characters)).to(place)
    optimiser = torch.optim.AdamW([p for p in student.parameters() if p.requires_grad], lr=1e-5, weight_decay=5e-3, fused=True)
    norm = lambda x: F.layer_norm(x, (config.hidden_size,))

    def run():
        with passes():
            with torch.no_grad():
                lessons, taught = encode(teacher, taught_by, features)
            hidden, logits = encode(student, heard, features)
        hidden, lessons, logits, taught = [h.float() for h in hidden], [h.float() for h in lessons], logits.float(), taught.float()
        lengths = torch.full((batch,), frames)
        log_probs = F.log_softmax(logits, -1).transpose(0, 1)
        loss = F.ctc_loss(log_probs, targets, lengths, torch.full((batch,), characters), blank=config.pad_token_id, reduction="sum") / (batch * characters)
        loss = loss + 3.75 / len(hidden) * sum(F.mse_loss(norm(s), norm(t)) for s, t in zip(hidden, lessons))
        loss = loss + 0.25 * F.kl_div(F.log_softmax(logits / 2, -1), F.softmax(taught / 2, -1), reduction="sum") / (batch * frames)
        optimiser.zero_grad(set_to_none=False)
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()


def peak():
    if place == "cuda":
        return torch.cuda.max_memory_allocated()
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))


print(json.dumps({"ready": True, "version": torch.__version__, "device": torch.cuda.get_device_name() if place == "cuda" else "cpu"}), flush=True)
for _ in sys.stdin:
    started, processor = time.perf_counter(), time.process_time()
    run()
    wait()
    milliseconds, processor = 1000 * (time.perf_counter() - started), 1000 * (time.process_time() - processor)
    print(json.dumps({"milliseconds": milliseconds, "processorMilliseconds": processor, "peakBytes": peak()}), flush=True)

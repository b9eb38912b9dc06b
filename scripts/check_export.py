#!/usr/bin/env python3
"""Runs what `lrsched export` writes in the real packages, and compares every step with `lrsched show --format csv`, to 1e-9.

    python scripts/check_export.py target/release/lrsched            # checks
    python scripts/check_export.py target/release/lrsched --write    # also writes the table in docs/EXPORT.md
    python scripts/check_export.py target/release/lrsched --lr=1     # at another rate: whole numbers must be written as floats
    python scripts/check_export.py target/release/lrsched --steps=41    # 41 times the reciprocal of 41 is below 1

Made with torch 2.15.0, keras 3.15.1 (on jax 0.10.2), optax 0.2.8, lightning 2.6.6, timm 1.0.31, transformers 5.24.0, schedulefree 1.4.1 and
prodigyopt 1.1.2 from PyPI. optax is set to float64; its own schedules and all of Keras compute in float32 all the same, and are compared to 1e-6 of the highest rate.
"""
import collections
import csv
import io
import logging
import os
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import keras
import lightning
import optax
import torch

keras.config.set_floatx("float64")

LR = next((float(argument[5:]) for argument in sys.argv if argument.startswith("--lr=")), 0.2)
STEPS = next((int(argument[8:]) for argument in sys.argv if argument.startswith("--steps=")), 7)
EPOCHS = 6
SAME = 1e-9
# Of schedules that compute in float32, whatever they are told.
SAME_32 = 1e-6
PAGE = Path("docs/EXPORT.md")
SEMANTICS = ["native", "torch", "keras", "optax"]

SCHEDULES = """
constant
step:factor=0.5,drop-every=2
step:factor=0.3,drop-every=1.5
step:factor=0.9,drop-every=1
step:factor=0.7,drop-every=5st
time:decay=0.1
time:decay=2,decay-steps=1ep
time:decay=2,decay-steps=1ep,staircase
exponential:decay-rate=0.8
exponential:decay-rate=0.1,decay-steps=100%
exponential:decay-rate=0.5,decay-steps=5st,staircase
natural-exp:k=0.05
natural-exp:k=0.5,decay-steps=1ep
linear
linear:end-lr=0.02,over=50%
linear:end-lr=2x
polynomial:power=2
polynomial:power=0,over=50%
polynomial:power=0.5,end-lr=0.01,over=4
polynomial:power=1.5,over=2ep,cycle,end-lr=0.01
piecewise:milestones=2,4,factor=0.2
piecewise:milestones=50%,75%
piecewise:milestones=3st,2.5ep,values=0.1,0.3,0.01
halve:when=epoch>=2,when=epoch>=4
halve:factor=0.1,when=epoch>=3,min-lr=0.05
halve:when=val_accuracy>=0.5
plateau:factor=0.5,patience=0
plateau:factor=0.1,patience=1,cooldown=1,min-lr=0.001
plateau:factor=0.5,patience=1,threshold-mode=abs
cosine
cosine:end-lr=0.01
cosine:over=50%
cosine:end-lr=0.1x,over=4
cosine-restarts:period=2
cosine-restarts:period=1,period-mult=2,end-lr=0.01
cosine-restarts:period=2,lr-mult=0.5,end-lr=0.01
cosine-restarts:period=1,period-mult=1.5
triangular:max-lr=0.6,step-size=1ep
triangular:max-lr=0.6,step-size=5st,step-size-down=9st,base-momentum=0.8
triangular2:max-lr=0.6,step-size=1ep
triangular2:max-lr=0.6,step-size=4st,max-momentum=0.9
exp-range:max-lr=0.6,step-size=1ep,gamma=0.97
exp-range:max-lr=0.6,step-size=1ep,gamma=0.97,cycle-momentum
one-cycle
one-cycle:max-lr=0.5,pct-start=0.25,three-phase
one-cycle:anneal=linear,div-factor=10,final-div-factor=100
one-cycle:pct-start=0
one-cycle:pct-start=0.7
one-cycle:cycle-momentum=false
wsd
wsd:warmup=1,decay=3,shape=one-minus-sqrt,end-lr=0.01
wsd:warmup=0,decay=50%,shape=cosine
inverse-sqrt
inverse-sqrt:warmup=1,warmup-from=0
expr:lr*0.5^floor((1+epoch)/2)
expr:lr*min(1, 3/t)*(e<5) + round(fract(t/7))*0.01
expr:lr*min((t+1)^-0.5, (t+1)*9^-1.5)
expr:lr*min(t^-0.5, t*9^-1.5)
expr:max(lr*cos(PI*t/T/2), 1e-3)
expr:lr*(2+signum(t-2))
expr:lr*0.5^(6%4)*(0-2)^2
expr:lr/(1+exp(99*(t-5)))
expr:lr*max(1,ln(t))
expr:max(0.1,sqrt(t-5))
expr:max(0.1,(t-5)^0.5)
cosine:warmup=1
step:drop-every=2,warmup=9st,warmup-from=0.1
linear:warmup=10%
one-cycle:warmup=4st
plateau:warmup=1
constant:for=2;cosine
constant:for=5st;linear:for=1,warmup=1;exponential:decay-rate=0.9
""".split("\n")[1:-1]

# Each with a rate that is usual for it.
OPTIMIZERS = """
sgd
sgd:momentum=0.9
sgd:momentum=0.9,nesterov,weight-decay=5e-4
sgd:momentum=0.9,dampening=0.1
rmsprop
rmsprop:momentum=0.9,centered
adam
adam:amsgrad,weight-decay=1e-4
adam:beta1=0
adam:beta2=0
adamw
adamw:weight-decay=0.05,beta1=0.8
adagrad
adadelta
nadam
nadam:momentum-decay=1
radam
adamax
lion
schedule-free-sgd
schedule-free-adamw
prodigy
muon
""".split()
WITH = ["constant", "cosine", "step:drop-every=2", "one-cycle"]


def lrsched(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)


def shown(spec, semantics):
    """The rates and momenta of every step. A schedule that listens sees metrics that never improve."""
    length = ["--lr", str(LR), "--epochs", str(EPOCHS), "--steps-per-epoch", str(STEPS), "--format", "csv"]
    if "plateau" in spec or "val_" in spec:
        rows = list(csv.DictReader(io.StringIO(lrsched("diff", spec, *length).stdout)))
        return [(float(row[semantics] or row["native"]), None) for row in rows]
    rows = csv.DictReader(io.StringIO(lrsched("show", "--schedule", spec, "--semantics", semantics, *length).stdout))
    return [(float(row["learning_rate"]), float(row["momentum"]) if row["momentum"] else None) for row in rows]


def exported(framework, spec, semantics, optimizer, lr=LR):
    run = ["--lr", str(lr), "--epochs", str(EPOCHS), "--steps-per-epoch", str(STEPS)]
    return lrsched("export", "--schedule", spec, "--optimizer", optimizer, "--semantics", semantics, "--to", framework, *run)


def of_groups(optimizer):
    group = optimizer.param_groups[0]
    return group["lr"], group["betas"][0] if "betas" in group else group.get("momentum")


def run_torch(code):
    """The rates before each update, as PyTorch's own loop has them."""
    model = torch.nn.Linear(2, 1).double()
    scope = {"model": model}
    exec(code, scope)
    optimizer, scheduler = scope["optimizer"], scope.get("scheduler")
    by_epoch = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
    for t in range(EPOCHS * STEPS):
        yield of_groups(optimizer)
        optimizer.zero_grad()
        model(torch.ones(1, 2, dtype=torch.float64)).sum().backward()
        optimizer.step()
        if by_epoch:
            if (t + 1) % STEPS == 0:
                scheduler.step(1.0)
        elif scheduler is not None:
            scheduler.step()


def run_keras(code):
    scope = {}
    exec(code, scope)
    optimizer = scope["optimizer"]
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=optimizer, loss="mse")
    optimizer.build(model.trainable_variables)
    callbacks = scope.get("callbacks", [])
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    for t in range(EPOCHS * STEPS):
        optimizer.iterations.assign(t)
        yield float(optimizer.learning_rate), None
        if (t + 1) % STEPS == 0:
            for callback in callbacks:
                callback.on_epoch_end(t // STEPS, {"val_loss": 1.0, "loss": 1.0, "accuracy": 0.5, "val_accuracy": 0.5})


def hyperparameters(state):
    if hasattr(state, "hyperparams"):
        return state.hyperparams
    for part in state if isinstance(state, tuple) else ():
        found = hyperparameters(part)
        if found is not None:
            return found
    return None


def run_optax(code):
    """The rates as plain SGD moves by them: its update is −rate · gradient."""
    scope = {}
    exec(code, scope)
    optimizer, rate = scope["optimizer"], scope.get("rate")
    params = {"w": jnp.zeros(())}
    state = optimizer.init(params)
    plain = re.search(r"optax\.sgd\((learning_rate=[\w.]+)?\)", code)
    plateau = scope.get("plateau")
    plateau_state = plateau.init(params) if plateau else None
    for t in range(EPOCHS * STEPS):
        updates, state = optimizer.update({"w": jnp.ones(())}, state, params)
        if plateau:
            updates = optax.tree.scale(plateau_state.scale, updates)
            if (t + 1) % STEPS == 0:
                _, plateau_state = plateau.update(params, plateau_state, value=1.0)
        found = hyperparameters(state)
        if found is not None:
            momentum = found.get("momentum", found.get("b1"))
            yield float(found["learning_rate"]), float(momentum)
        elif plain:
            yield float(-updates["w"]), None
        else:
            yield float(rate(t)) if rate else None, None


def run_lightning(code):
    """The rates as the Trainer of Lightning has them before each batch."""
    scope = {}
    exec(code, scope)

    class Model(lightning.LightningModule):
        configure_optimizers = scope["configure_optimizers"]

        def __init__(self):
            super().__init__()
            self.layer, self.seen = torch.nn.Linear(2, 1), []

        def training_step(self, batch, _):
            self.seen.append(of_groups(self.optimizers().optimizer))
            return self.layer(batch).sum()

        def on_train_epoch_end(self):
            for name in ("val_loss", "loss", "accuracy", "val_accuracy"):
                self.log(name, 1.0)

    model = Model()
    trainer = lightning.Trainer(
        max_epochs=EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False
    )
    trainer.fit(model, torch.utils.data.DataLoader(torch.ones(STEPS, 2), batch_size=1))
    yield from model.seen


def run_timm(code):
    """The rates as timm's training script has them."""
    model = torch.nn.Linear(2, 1).double()
    scope = {"model": model}
    exec(code, scope)
    optimizer, scheduler = scope["optimizer"], scope.get("scheduler")
    for t in range(EPOCHS * STEPS):
        yield of_groups(optimizer)
        model(torch.ones(1, 2, dtype=torch.float64)).sum().backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step_update(t + 1)


RUNNERS = {
    "torch": run_torch,
    "lightning": run_lightning,
    "keras": run_keras,
    "optax": run_optax,
    "timm": run_timm,
    # Its Trainer steps the scheduler after each update, as PyTorch's loop does.
    "transformers": run_torch,
}
RUST = ["candle", "burn"]


def run_rust(functions):
    """The rates of `fn rate` of many snippets, by one program that rustc compiles."""
    with tempfile.TemporaryDirectory() as folder:
        modules = "".join(f"mod m{at} {{\n    pub {body}\n}}\n" for at, body in enumerate(functions))
        prints = "".join(f'    for t in 0..{EPOCHS * STEPS} {{ println!("{{:?}}", m{at}::rate(t)); }}\n' for at in range(len(functions)))
        source = Path(folder, "rates.rs")
        source.write_text(f"{modules}fn main() {{\n{prints}}}\n")
        subprocess.run(["rustc", "-o", Path(folder, "rates"), source], check=True)
        rates = [float(line) for line in subprocess.check_output([Path(folder, "rates")], text=True).split()]
    size = EPOCHS * STEPS
    return [[(rate, None) for rate in rates[at * size : (at + 1) * size]] for at in range(len(functions))]


def tolerance(framework, code):
    return SAME_32 if framework == "keras" or framework == "optax" and means(code).startswith("`") else SAME


def compare(rates, expected, momentum, same=SAME):
    """The first step that differs, in words."""
    highest = max(rate for rate, _ in expected)
    for t, ((rate, own), (wanted, cycled)) in enumerate(zip(rates, expected, strict=True)):
        # In float32 1 + cos x has lost digits where it is small.
        least = highest if same == SAME_32 else 1e-4 * highest
        if rate is not None and abs(rate - wanted) > same * wanted + same * least:
            return f"step {t}: rate {rate!r}, lrsched has {wanted!r}"
        if momentum and cycled is not None and (own is None or abs(own - cycled) > SAME):
            return f"step {t}: momentum {own!r}, lrsched has {cycled!r}"
    return None


CLASSES = re.compile(
    r"torch\.optim\.lr_scheduler\.(\w+)\(|keras\.optimizers\.schedules\.(\w+)\(|callbacks\.(ReduceLROnPlateau)\(|"
    r"timm\.scheduler\.(\w+)\(|transformers\.(get_\w+)\(|optax\.(\w*(?:schedule|_decay))\(|(reduce_on_plateau)\("
)


def means(code):
    """The class that has the rates, or a function."""
    if re.search(r"^def rate|^class Rate|fn rate", code, re.M):
        return "function"
    found = CLASSES.search(code)
    return f"`{next(name for name in found.groups() if name)}`" if found else "number"


def row(spec):
    """The row of the table that a schedule is in."""
    if ";" in spec:
        return "a sequence"
    return "a warm-up" if "warmup=" in spec and not spec.startswith(("wsd", "inverse")) else spec.split(":")[0]


def check():
    wrong, checked = [], 0
    table = collections.defaultdict(lambda: collections.defaultdict(list))
    refused = collections.defaultdict(lambda: collections.defaultdict(set))
    for framework, runner in RUNNERS.items():
        for spec in SCHEDULES:
            name = row(spec)
            for semantics in SEMANTICS:
                expected = shown(spec, semantics)
                optimizer = "sgd:momentum=0.9" if framework != "keras" and any(m is not None for _, m in expected) else "sgd"
                result = exported(framework, spec, semantics, optimizer)
                if result.returncode == 1:
                    table[name][framework].append("cannot")
                    refused[name][framework].add(result.stderr.strip())
                    continue
                code = result.stdout
                try:
                    problem = result.stderr if result.returncode else compare(runner(code), expected, "momentum" in optimizer, tolerance(framework, code))
                except Exception as error:
                    problem = f"{type(error).__name__}: {error}"
                checked += 1
                if problem:
                    wrong.append(f"{framework}, {spec}, {semantics}: {problem}\n{code}")
                table[name][framework].append(means(code))
        for optimizer in OPTIMIZERS:
            for spec in WITH:
                expected = shown(spec, "native")
                result = exported(framework, spec, "native", optimizer)
                name = optimizer.split(":")[0]
                if result.returncode == 1:
                    refused[name][framework].add(result.stderr.strip())
                    continue
                try:
                    problem = result.stderr if result.returncode else compare(runner(result.stdout), expected, framework in ("torch", "lightning", "timm", "transformers") and "has no momentum" not in result.stderr, tolerance(framework, result.stdout))
                except Exception as error:
                    problem = f"{type(error).__name__}: {error}"
                checked += 1
                if problem:
                    wrong.append(f"{framework}, {optimizer} with {spec}: {problem}\n{result.stdout}")
    for framework in RUST:
        snippets = []
        for spec in SCHEDULES:
            for semantics in SEMANTICS:
                result = exported(framework, spec, semantics, "sgd")
                if result.returncode == 1:
                    table[row(spec)][framework].append("cannot")
                    refused[row(spec)][framework].add(result.stderr.strip())
                    continue
                table[row(spec)][framework].append("function")
                body = re.search(r"^fn rate.*?^}", result.stdout, re.M | re.S).group()
                snippets.append((f"{framework}, {spec}, {semantics}", body, shown(spec, semantics)))
        for (label, body, expected), rates in zip(snippets, run_rust([body for _, body, _ in snippets])):
            problem = compare(rates, expected, False)
            checked += 1
            if problem:
                wrong.append(f"{label}: {problem}\n{body}")
    return wrong, checked, table, refused


def cell(kinds):
    """`StepLR`, `MultiStepLR`, else a function."""
    counted = collections.Counter(kinds)
    own = [kind for kind, _ in counted.most_common() if kind.startswith("`")]
    words = own + [word for kind, word in (("number", "a number"), ("function", "function"), ("cannot", "**cannot**")) if counted[kind]]
    return ", ".join(words)


def write(table):
    frameworks = [*RUNNERS, *RUST]
    lines = ["| schedule | " + " | ".join(frameworks) + " |", "|---|" + "---|" * len(frameworks)]
    for name, cells in table.items():
        label = name if " " in name else f"`{name}`"
        lines.append(f"| {label} | " + " | ".join(cell(cells[framework]) for framework in frameworks) + " |")
    begin, end = "<!-- written by scripts/check_export.py -->\n", "\n<!-- end -->"
    text = PAGE.read_text()
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    PAGE.write_text(before + begin + "\n".join(lines) + end + after)


if __name__ == "__main__":
    PROGRAM = sys.argv[1]
    only = [argument.removeprefix("--only=") for argument in sys.argv if argument.startswith("--only=")]
    if only:
        RUST = [name for name in RUST if name in only]
        RUNNERS = {name: runner for name, runner in RUNNERS.items() if name in only}
    wrong, checked, table, refused = check()
    for name, by_framework in refused.items():
        for framework, lines in by_framework.items():
            print(f"cannot: {name}, {framework}: {sorted(lines)[0]}")
    for problem in wrong:
        print(problem, "\n", "-" * 40)
    print(f"{checked} snippets ran, {len(wrong)} differ from lrsched")
    if "--write" in sys.argv and not wrong:
        write(table)
    sys.exit(1 if wrong else 0)

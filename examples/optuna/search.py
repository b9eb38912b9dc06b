#!/usr/bin/env python3
"""Searches a schedule's parameters with Optuna: each trial is a run of `lrsched train --json`, pruned by its validation accuracy after each epoch.

Needs optuna from PyPI and lrsched on the path. It takes a minute on the synthetic images:

    python examples/optuna/search.py --trials 12 --dataset synthetic --model tiny --epochs 6
    python examples/optuna/search.py --trials 30 --dataset cifar10 --model cnn --epochs 10 --train-limit 10000

A trial that is pruned is sent SIGTERM, so that `lrsched resume` could go on with it. What is found is a choice on one seed, not a result: the
command printed at the end trains it on seeds that the search has not seen.
"""
import argparse
import json
import subprocess
from pathlib import Path

import optuna


def run(trial, settings, out):
    """The validation accuracy after the last epoch of one run; reports that of each epoch to `trial`."""
    command = ["lrsched", "train", *settings, "--seed", "0", "--out", str(out / f"trial-{trial.number}"), "--keep", "none", "--json", "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        accuracy = 0.1
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "epoch" and event["val_accuracy"] is not None:
                accuracy = event["val_accuracy"]
                trial.report(accuracy, event["epoch"])
                if trial.should_prune():
                    process.terminate()
                    process.wait()
                    raise optuna.TrialPruned()
    # 4: it diverged, and is as good as guessing.
    if process.returncode not in (0, 4):
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}")
    return accuracy if process.returncode == 0 else 0.1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("results/optuna"))
    options, rest = parser.parse_known_args()
    options.out.mkdir(parents=True, exist_ok=True)

    def settings(trial):
        kind = trial.suggest_categorical("schedule", ["step", "cosine", "one-cycle"])
        rate = trial.suggest_float("lr", 1e-3, 1.0, log=True)
        momentum = trial.suggest_float("momentum", 0.5, 0.98)
        schedule = {
            "step": lambda: f"step:factor={trial.suggest_float('factor', 0.1, 0.9):.3g},drop-every=25%",
            "cosine": lambda: "cosine",
            "one-cycle": lambda: f"one-cycle:pct-start={trial.suggest_float('pct-start', 0.1, 0.5):.3g}",
        }[kind]()
        return [*rest, "--schedule", schedule, "--optimizer", f"sgd:momentum={momentum:.3g}", "--lr", f"{rate:.3g}"]

    chosen = {}

    def objective(trial):
        chosen[trial.number] = settings(trial)
        return run(trial, chosen[trial.number], options.out)

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0), pruner=optuna.pruners.MedianPruner(n_startup_trials=4))
    study.optimize(objective, n_trials=options.trials)
    best = study.best_trial
    pruned = sum(trial.state == optuna.trial.TrialState.PRUNED for trial in study.trials)
    print(f"best of {len(study.trials)} trials ({pruned} pruned): {best.value:.3f} with {best.params}")
    print("on a fresh seed:  lrsched train " + " ".join(chosen[best.number]) + " --seed 1000")


if __name__ == "__main__":
    main()

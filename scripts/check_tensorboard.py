#!/usr/bin/env python3
"""Trains with --tensorboard and reads the event files with TensorBoard's own EventAccumulator, also while they are written.

Needs tensorboard from PyPI (2.21 was used). Run from the root of the repository, after `cargo build --release`:

    python scripts/check_tensorboard.py target/release/lrsched

Every scalar is compared with metrics.csv and steps.csv, the hyperparameters with run.json, and after a SIGKILL and `lrsched resume` no step may
be there twice.
"""
import csv
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

EPOCHS = 6
TRAIN = ["--dataset", "synthetic", "--model", "tiny", "--batch-size", "16", "--lr", "0.02", "--momentum", "0.9", "--schedule", "cosine",
         "--log-steps", "--tensorboard", "--progress", "none"]


def read(run, of):
    accumulator = EventAccumulator(str(run / "tensorboard" / of), size_guidance={"scalars": 0})
    accumulator.Reload()
    return accumulator


def column(path, name):
    with open(path) as table:
        return [float(row[name]) for row in csv.DictReader(table)]


def same(accumulator, tag, expected):
    events = accumulator.Scalars(tag)
    assert [event.step for event in events] == list(range(len(expected))), (tag, [event.step for event in events])
    for event, value in zip(events, expected):
        assert abs(event.value - value) <= 1e-6 * max(1, abs(value)), (tag, event, value)
    times = [event.wall_time for event in events]
    assert times == sorted(times) and abs(times[-1] - time.time()) < 600, tag


def check(run):
    metrics, steps = run / "metrics.csv", run / "steps.csv"
    train, validation, test = (read(run, of) for of in ("train", "validation", "test"))
    for accumulator, tag, name in [(train, "epoch_loss", "loss"), (train, "epoch_accuracy", "accuracy"), (train, "epoch_momentum", "momentum"),
                                   (train, "epoch_learning_rate", "learning_rate"), (validation, "epoch_loss", "val_loss"),
                                   (validation, "epoch_accuracy", "val_accuracy")]:
        same(accumulator, tag, column(metrics, name))
    for tag, name in [("batch_loss", "loss"), ("batch_learning_rate", "learning_rate"), ("batch_momentum", "momentum")]:
        same(train, tag, column(steps, name))
    info = json.loads((run / "run.json").read_text())
    (tested,) = test.Scalars("epoch_accuracy")
    assert tested.step == EPOCHS - 1 and abs(tested.value - info["results"]["test_accuracy"]) < 1e-6
    session = read(run, ".")
    content = session.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    hparams = metadata.parse_session_start_info_plugin_data(content).hparams
    assert hparams["lr"].number_value == 0.02 and hparams["schedule"].string_value == "cosine", hparams
    assert hparams["batch-size"].number_value == 16, hparams
    content = session.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert metadata.parse_session_end_info_plugin_data(content).status == 1


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "whole"
        subprocess.run([program, "train", *TRAIN, "--epochs", str(EPOCHS), "--out", run], check=True)
        check(run)
        run = Path(folder) / "killed"
        process = subprocess.Popen([program, "train", *TRAIN, "--epochs", str(EPOCHS), "--out", run])
        seen = 0
        while seen < 2:
            time.sleep(0.02)
            if (run / "tensorboard/validation").exists():
                accumulator = read(run, "validation")
                seen = len(accumulator.Scalars("epoch_loss")) if "epoch_loss" in accumulator.Tags()["scalars"] else 0
        print(f"{seen} epochs read while it trains")
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        subprocess.run([program, "resume", run, "--progress", "none"], check=True)
        check(run)
        print("the same numbers in TensorBoard, for a whole run and for one that was killed and resumed")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path("target/release/lrsched").resolve())

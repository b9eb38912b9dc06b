"""Times a training step of `cnn` or `airbench94`: prints images/s and the peak resident memory in MB.

Run by bench_peers.sh, which builds the virtual environment. PyTorch and Keras get random images already in memory. Needs from PyPI:
torch==2.15.0 numpy (torch), or keras==3.15.1 tensorflow-cpu==2.21.0 (keras).

    bench_peers.py FRAMEWORK MODEL BATCH THREADS STEPS      FRAMEWORK: torch, torch-channels-last, keras
    bench_peers.py lrsched MODEL BATCH THREADS STEPS PROGRAM [DATA]
        `lrsched bench`, or with DATA, a folder of CIFAR-10, all of `lrsched train` on 20,000 images
"""

import csv
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

framework, model_name = sys.argv[1:3]
batch, threads, steps = map(int, sys.argv[3:6])
os.environ["OMP_NUM_THREADS"] = str(threads)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
WARM_UP = 5


def torch_step(channels_last):
    import torch
    import torch_networks

    torch.set_num_threads(threads)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    model = getattr(torch_networks, model_name)().to(memory_format=memory_format)
    images = torch.randn(batch, 3, 32, 32).to(memory_format=memory_format)
    labels = torch.randint(10, (batch,))
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-6, momentum=0.9)
    loss = torch.nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad()
        loss(model(images), labels).backward()
        optimizer.step()

    return step


def keras_step():
    if model_name != "cnn":
        sys.exit("keras has only the cnn")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import keras
    from keras import layers as L

    def conv(channels):
        return L.Conv2D(channels, 3, padding="same", activation="relu")

    model = keras.Sequential([
        keras.Input((32, 32, 3)), conv(32), conv(32), L.MaxPooling2D(2), conv(64), conv(64), L.MaxPooling2D(2),
        L.Flatten(), L.Dense(512, activation="relu"), L.Dense(10),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-6, momentum=0.9), loss)
    images = np.random.randn(batch, 32, 32, 3).astype("float32")
    labels = np.random.randint(10, size=batch)
    return lambda: model.train_on_batch(images, labels)


def lrsched(program, data):
    """Images/s of lrsched, in its own process."""
    common = ["--model", model_name, "--batch-size", str(batch), "--threads", str(threads)]
    with tempfile.TemporaryDirectory() as folder:
        if data:
            options = ["--data-dir", data, "--train-limit", "20000", "--epochs", "2", "--progress", "none", "--out", folder]
            subprocess.run([program, "train", *common, *options, "--force"], check=True, stdout=subprocess.DEVNULL)
            with open(os.path.join(folder, "metrics.csv"), newline="") as file:
                return max(float(row["images_per_second"]) for row in csv.DictReader(file))
        options = ["bench", *common, "--steps", str(steps)]
        said = subprocess.run([program, *options], check=True, capture_output=True, text=True).stdout
        return float(said.split(" images/s")[0].split()[-1])


def finish(images_per_second, who):
    """Prints the result; Linux reports the resident set in kB."""
    print(f"{images_per_second:.1f} {resource.getrusage(who).ru_maxrss / 1000:.0f}")
    sys.exit()


if framework == "lrsched":
    finish(lrsched(sys.argv[6], "".join(sys.argv[7:])), resource.RUSAGE_CHILDREN)

step = keras_step() if framework == "keras" else torch_step(framework == "torch-channels-last")
seconds = []
for index in range(WARM_UP + steps):
    started = time.perf_counter()
    step()
    if index >= WARM_UP:
        seconds.append(time.perf_counter() - started)
finish(batch / statistics.median(seconds), resource.RUSAGE_SELF)

"""Times a training step of one of lrsched's networks: prints images/s and the peak resident memory in MB.

Run by bench_peers.sh, which builds the virtual environment and says which versions. The peers get random images already in memory.

    bench_peers.py FRAMEWORK MODEL BATCH THREADS STEPS
        torch                 PyTorch, cnn, resnet9 or airbench94
        torch-channels-last   the same with channels last in memory
        torch-compile         channels last, compiled by torch.compile (needs a C++ compiler)
        torch-bf16            channels last, the multiplications in bfloat16 (torch.autocast); not the same arithmetic as the others
        keras                 Keras on TensorFlow, cnn
        jax                   JAX, cnn, written plainly: jit of value_and_grad, NHWC
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
CHANNELS = (32, 32, 64, 64)  # of the cnn


def torch_step(way):
    import torch
    import torch_networks

    torch.set_num_threads(threads)
    memory_format = torch.contiguous_format if way == "torch" else torch.channels_last
    model = getattr(torch_networks, model_name)().to(memory_format=memory_format)
    images = torch.randn(batch, 3, 32, 32).to(memory_format=memory_format)
    labels = torch.randint(10, (batch,))
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-6, momentum=0.9)
    loss = torch.nn.CrossEntropyLoss()
    forward = torch.compile(model) if way == "torch-compile" else model

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=way == "torch-bf16"):
            logits = forward(images)
        loss(logits.float(), labels).backward()
        optimizer.step()

    return step


def jax_step():
    if model_name != "cnn":
        sys.exit("jax has only the cnn")
    # XLA takes as many threads as it may use cores.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import jax.numpy as jnp
    import numpy as np

    random = np.random.default_rng(0)

    def array(*shape):
        return jnp.asarray(random.normal(0, 0.05, shape), jnp.float32)

    def layer(*shape):
        return array(*shape), jnp.zeros(shape[-1])

    sizes = zip((3, *CHANNELS), CHANNELS)
    parameters = [layer(3, 3, inputs, outputs) for inputs, outputs in sizes] + [layer(4096, 512), layer(512, 10)]

    def loss(parameters, images, labels):
        x = images
        for place, (kernel, bias) in enumerate(parameters[:4]):
            x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x = jax.nn.relu(x + bias)
            if place % 2 == 1:
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        (weight, bias), (head, head_bias) = parameters[4:]
        logits = jax.nn.relu(x.reshape(len(x), -1) @ weight + bias) @ head + head_bias
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

    @jax.jit
    def update(parameters, momenta, images, labels):
        gradients = jax.grad(loss)(parameters, images, labels)
        momenta = jax.tree.map(lambda momentum, gradient: 0.9 * momentum + gradient, momenta, gradients)
        return jax.tree.map(lambda value, momentum: value - 1e-6 * momentum, parameters, momenta), momenta

    images, labels = array(batch, 32, 32, 3), jnp.asarray(random.integers(10, size=batch))
    state = [parameters, jax.tree.map(jnp.zeros_like, parameters)]

    def step():
        state[:] = jax.block_until_ready(update(*state, images, labels))

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

    convs = [conv(channels) for channels in CHANNELS]
    model = keras.Sequential([
        keras.Input((32, 32, 3)), *convs[:2], L.MaxPooling2D(2), *convs[2:], L.MaxPooling2D(2), L.Flatten(),
        L.Dense(512, activation="relu"), L.Dense(10),
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

step = {"keras": keras_step, "jax": jax_step}.get(framework, lambda: torch_step(framework))()
seconds = []
for index in range(WARM_UP + steps):
    started = time.perf_counter()
    step()
    if index >= WARM_UP:
        seconds.append(time.perf_counter() - started)
finish(batch / statistics.median(seconds), resource.RUSAGE_SELF)

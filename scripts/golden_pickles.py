"""Writes pickled batches of two made-up images, as CIFAR-10's are: tests/golden/pickles/, and seeds of the fuzz target `pickle`.

    golden_pickles.py FOLDER SEEDS        needs NumPy 2; each file is read back by Python's own pickle

`records.bin` has the same images in the binary layout. `python-2` is what Python 2 wrote, as the official archive is, byte by byte.
"""

import pathlib
import pickle
import struct
import sys

import numpy


def python_2(pixels, labels):
    """Protocol 2 of Python 2's cPickle: text and bytes are one type, and NumPy is NumPy 1."""
    short = lambda text: b"U" + bytes([len(text)]) + text
    put = (b"q" + bytes([index]) for index in range(1, 256))
    remembered = lambda opcodes: opcodes + next(put)
    out = b"\x80\x02" + remembered(b"}") + b"("
    out += remembered(short(b"batch_label")) + remembered(short(b"training batch 1 of 5"))
    out += remembered(short(b"labels")) + remembered(b"]") + b"("
    out += b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    out += remembered(short(b"data"))
    out += remembered(b"cnumpy.core.multiarray\n_reconstruct\n") + remembered(b"cnumpy\nndarray\n")
    out += remembered(b"K\x00\x85") + remembered(short(b"b")) + remembered(b"\x87") + remembered(b"R")
    out += b"(K\x01" + remembered(b"K" + bytes([len(labels)]) + b"M" + struct.pack("<H", 3072) + b"\x86")
    out += remembered(b"cnumpy\ndtype\n") + remembered(short(b"u1")) + remembered(b"K\x00K\x01\x87") + remembered(b"R")
    out += b"(K\x03" + remembered(short(b"|")) + b"NNN" + 2 * (b"J" + struct.pack("<i", -1)) + b"K\x00"
    out += remembered(b"t") + b"b\x89"
    out += remembered(b"T" + struct.pack("<i", pixels.size) + pixels.tobytes()) + remembered(b"t") + b"b"
    out += remembered(short(b"filenames")) + remembered(b"]") + b"("
    out += b"".join(remembered(short(b"made_up_%d.png" % index)) for index in range(len(labels)))
    return out + b"eu."


def files(pixels, labels):
    named = {"data": pixels, "labels": labels, "batch_label": "training batch 1 of 5", "filenames": ["a.png", "b.png"]}
    # What `pickle.load(file, encoding="bytes")` gives for the official files.
    as_bytes = {key.encode(): value for key, value in named.items()}
    yield "python-2", python_2(pixels, labels)
    for protocol in range(2, 6):
        yield f"protocol-{protocol}", pickle.dumps(named, protocol)
    yield "protocol-2-bytes-keys", pickle.dumps(as_bytes, 2)
    yield "protocol-4-bytes-keys", pickle.dumps(as_bytes, 4)
    yield "protocol-2-numpy-1", pickle.dumps(named, 2).replace(b"numpy._core", b"numpy.core")
    yield "protocol-5-read-only", pickle.dumps({**named, "data": numpy.frombuffer(pixels.tobytes(), "u1").reshape(-1, 3072)}, 5)
    yield "label-array", pickle.dumps({**named, "labels": numpy.array(labels)}, 4)
    yield "label-array-big-endian", pickle.dumps({**named, "labels": numpy.array(labels, ">i4")}, 2)
    yield "planes", pickle.dumps({**named, "data": pixels.reshape(-1, 3, 32, 32)}, 4)


def write(folder, pixels, labels, seeds):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files(pixels, labels):
        read = pickle.loads(content, encoding="bytes")
        read = {key.decode() if isinstance(key, bytes) else key: value for key, value in read.items()}
        assert read["data"].tobytes() == pixels.tobytes() and list(read["labels"]) == labels, name
        # The first byte of a seed is the number of images.
        (folder / name).write_bytes(bytes([len(labels)]) * seeds + content)


pixels = numpy.random.default_rng(10).integers(0, 256, (2, 3072), dtype="u1")
golden, seeds = map(pathlib.Path, sys.argv[1:])
write(golden, pixels, [3, 9], False)
records = b"".join(bytes([label]) + row.tobytes() for label, row in zip([3, 9], pixels))
(golden / "records.bin").write_bytes(records)
# One image, black: mutations that matter are in the opcodes.
write(seeds, numpy.zeros((1, 3072), "u1"), [7], True)
(seeds / "calls-system").write_bytes(b"\x01\x80\x02cos\nsystem\nU\x02ls\x85R.")
(seeds / "none").write_bytes(b"\x00")

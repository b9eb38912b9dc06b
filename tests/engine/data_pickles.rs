//! Batches that Python pickled: those of `tests/golden/pickles`, which Python's own `pickle` wrote and read, and wrong ones made here.

use lrsched::data::cifar::{CIFAR10, CIFAR100, read_batch, read_records};
use lrsched::data::{IMAGE_BYTES, Images};
use std::path::{Path, PathBuf};

fn golden() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/pickles"))
}

fn blank(count: usize) -> Images {
    Images { pixels: vec![0; count * IMAGE_BYTES], labels: vec![0; count] }
}

fn read(bytes: &[u8], count: usize) -> Result<Images, String> {
    let mut images = blank(count);
    let read = read_batch(Path::new("batch"), bytes, &CIFAR10, &mut images.pixels, &mut images.labels);
    read.map(|()| images).map_err(|error| format!("{error:#}"))
}

fn refused(bytes: &[u8]) -> String {
    let error = read(bytes, 1).unwrap_err();
    assert!(!error.chars().any(char::is_control) && error.chars().count() < 300, "{error}");
    error
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(golden().join(name)).unwrap()
}

/// A pickle of one black image, `labels` being the opcodes of its label and `name` what makes the array.
fn pickled(labels: &[u8], name: &str, shape: &[u8]) -> Vec<u8> {
    let black = [0; IMAGE_BYTES];
    let size = (IMAGE_BYTES as u32).to_le_bytes();
    [
        b"\x80\x02}(U\x06labels",
        labels,
        b"U\x04datac",
        name.as_bytes(),
        b"\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01",
        shape,
        b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R\x89T",
        &size[..],
        &black,
        b"tbu.",
    ]
    .concat()
}

const RECONSTRUCT: &str = "numpy.core.multiarray\n_reconstruct";
const ONE_ROW: &[u8] = b"K\x01M\x00\x0c\x86";

#[test]
fn every_protocol_gives_the_images_and_labels_of_the_binary_layout() {
    let mut expected = blank(2);
    let records = file("records.bin");
    read_records(Path::new("records.bin"), &records[..], &CIFAR10, &mut expected.pixels, &mut expected.labels).unwrap();
    assert_eq!(expected.labels, [3, 9]);
    let names = std::fs::read_dir(golden()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter(|name| name != "records.bin").collect();
    assert_eq!(names.len(), 12, "{names:?}");
    for name in names {
        let found = read(&file(&name), 2).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found == expected, "{name}");
    }
}

#[test]
fn a_pickle_cut_anywhere_is_an_error_of_one_line() {
    for name in ["python-2", "protocol-2", "protocol-4", "protocol-5"] {
        let bytes = file(name);
        // Everywhere but within the pixels, whose cuts are all alike.
        let ends = (0..bytes.len()).filter(|end| *end < 400 || *end > bytes.len() - 300 || end % 500 == 0);
        for end in ends {
            assert!(read(&bytes[..end], 2).is_err(), "{name} cut at {end}");
            refused(&bytes[..end]);
        }
    }
}

#[test]
fn a_pickle_that_names_another_function_is_refused_by_its_name_and_calls_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let command = format!("touch {}", made.display());
    let call =
        |global: &[u8]| [b"\x80\x04", global, b"\x8c", &[command.len() as u8], command.as_bytes(), b"\x85R."].concat();
    for global in [&b"cos\nsystem\n"[..], b"\x8c\x02os\x8c\x06system\x93"] {
        let error = refused(&call(global));
        assert!(error.contains("it names `os.system`, which images and labels do not need"), "{error}");
    }
    assert!(!made.exists());
    let error = refused(b"\x80\x02cbuiltins\nev\x1b[31mal\n.");
    assert!(error.contains("byte 2: it names `builtins.ev"), "{error}");
    // Objects by reduction, persistent ids and the like are not needed either.
    for (opcode, what) in
        [(b'i', "0x69"), (b'o', "0x6f"), (0x81, "0x81"), (b'Q', "0x51"), (0x97, "0x97"), (b'I', "0x49")]
    {
        assert!(refused(&[0x80, 2, opcode, b'.']).contains(what));
    }
}

#[test]
fn other_files_are_told_from_pickles() {
    for other in [&b""[..], b"\x80", b"(lp0\n.", b"\x80\x01}.", b"\x80\x06}.", b"<html>"] {
        assert!(refused(other).contains("does not begin as a pickle of Python's protocols 2 to 5 does"));
    }
    assert!(refused(b"\x80\x02N.").contains("it holds no `data`"));
    assert!(refused(b"\x80\x02}.").contains("it holds no `data`"));
    assert!(refused(b"\x80\x02}U\x04dataNs.").contains("its `data` is not an array"));
}

#[test]
fn a_batch_must_have_the_expected_images_and_labels() {
    let labels = b"](K\x07e";
    assert_eq!(read(&pickled(labels, RECONSTRUCT, ONE_ROW), 1).unwrap().labels, [7]);
    for (labels, shape, expected) in [
        (&b"](K\x0ae"[..], ONE_ROW, "record 0, counted from 0, has label 10, expected 0 to 9"),
        (b"](J\xff\xff\xff\xffe", ONE_ROW, "has label -1, expected"),
        (b"](\x8a\x08\x07\x00\x00\x00\x01\x00\x00\x00e", ONE_ROW, "has label 4294967303, expected"),
        (b"](K\x01K\x02e", ONE_ROW, "it holds 2 labels, expected 1"),
        (b"](Ne", ONE_ROW, "its `labels` are not whole numbers"),
        (b"K\x07", ONE_ROW, "neither a list nor an array"),
        (labels, b"K\x02M\x00\x0c\x86", "its `data` has shape [2, 3072], expected [1, 3072] of bytes"),
        (labels, b"(K\x01K\x20K\x20K\x03t", "its `data` has shape [1, 32, 32, 3]"),
        (labels, b"(K\x01K\x01K\x01K\x01K\x01t", "an array of 5 dimensions"),
    ] {
        let error = refused(&pickled(labels, RECONSTRUCT, shape));
        assert!(error.starts_with("batch: ") && error.contains(expected), "`{expected}` is not in: {error}");
    }
    // As many bytes as the shape says.
    let mut short = pickled(labels, RECONSTRUCT, ONE_ROW);
    let length = short.windows(4).position(|bytes| bytes == (IMAGE_BYTES as u32).to_le_bytes()).unwrap();
    short[length] = 0xff;
    short[length + 1] = 0x0b;
    short.remove(length + 4);
    assert!(refused(&short).contains("an array has 3,071 bytes, its shape says 3,072"));
}

#[test]
fn of_cifar_100_the_fine_labels_are_read() {
    let fine = pickled(b"](K\x4de", RECONSTRUCT, ONE_ROW);
    let at = fine.windows(8).position(|bytes| bytes == b"U\x06labels").unwrap();
    let fine = [&fine[..at], b"U\x0bfine_labels", &fine[at + 8..]].concat();
    let read = |bytes: &[u8]| {
        let mut images = blank(1);
        let (pixels, labels) = (&mut images.pixels, &mut images.labels);
        read_batch(Path::new("train"), bytes, &CIFAR100, pixels, labels).map(|()| images.labels[0])
    };
    assert_eq!(read(&fine).unwrap(), 77);
    let error = read(&pickled(b"](K\x07e", RECONSTRUCT, ONE_ROW)).unwrap_err().to_string();
    assert!(error.contains("it holds no `fine_labels`"), "{error}");
    assert!(refused(&fine).contains("it holds no `labels`"));
}

#[test]
fn an_array_in_the_order_of_fortran_is_refused_and_not_mixed_up() {
    let fortran = pickled(b"](K\x07e", RECONSTRUCT, ONE_ROW);
    let at = fortran.windows(2).position(|bytes| bytes == b"\x89T").unwrap();
    let mut fortran = fortran;
    fortran[at] = 0x88;
    assert!(refused(&fortran).contains("an array that is not in C order"));
}

/// Each of these would take gigabytes or for ever in a reader that trusts what it reads.
#[test]
fn a_small_file_cannot_take_much_memory_or_time() {
    let long = u64::MAX.to_le_bytes();
    for opcode in [0x8e, 0x96, 0x8d] {
        assert!(refused(&[&[0x80, 5, opcode], &long[..]].concat()).contains("it ends early"));
    }
    assert!(refused(b"\x80\x02T\xff\xff\xff\xff").contains("it ends early"));
    let endless = [b"\x80\x02", &vec![b']'; 1 << 21][..], b"."].concat();
    assert!(refused(&endless).contains("takes more than 1,048,576 steps"));
    // A list that holds itself, and a tuple within tuples.
    assert!(refused(b"\x80\x02]q\x00h\x00a.").contains("it holds no `data`"));
    let nested = [b"\x80\x02)", &vec![0x85; 1 << 20][..1_000_000], b"."].concat();
    assert!(refused(&nested).contains("it holds no `data`"));
    let huge = b"(J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7ft";
    assert!(refused(&pickled(b"](K\x07e", RECONSTRUCT, huge)).contains("its `data` has shape [2147483647"));
}

/// A small stand-in for the fuzz target `pickle`, whose assertions it shares.
#[test]
fn no_change_of_a_few_bytes_makes_the_reader_panic() {
    let mut state = 1_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    for name in ["python-2", "protocol-2", "protocol-3", "protocol-4", "protocol-5", "label-array"] {
        let whole = file(name);
        for _ in 0..1000 {
            let mut bytes = whole.clone();
            for _ in 0..=below(3) {
                // The opcodes are before and behind the pixels.
                let at = if below(3) == 0 { bytes.len() - 1 - below(250) } else { below(350) };
                match below(3) {
                    0 => bytes[at] = below(256) as u8,
                    1 => bytes.insert(at, bytes[below(350)]),
                    _ => drop(bytes.remove(at)),
                }
            }
            if let Ok(images) = read(&bytes, 2) {
                assert!(images.labels.iter().all(|&label| label < 10), "{name}");
            }
        }
    }
}

#[test]
fn a_broken_stack_is_an_error() {
    for (program, expected) in [
        (&b"."[..], "the stack is empty"),
        (b"a.", "the stack is empty"),
        (b"K\x01(\x85.", "the stack is empty"),
        (b"e.", "there is no mark"),
        (b"h\x00.", "nothing was remembered as 0"),
        (b"q\x00.", "the stack is empty"),
        (b"K\x01K\x02a.", "nothing to fill"),
        (b"}K\x02a.", "items for what is no list"),
        (b"](K\x02u.", "items for what is no dictionary"),
        (b"}(K\x02u.", "a key without a value"),
        (b"K\x01)R.", "a call of what is no function"),
        (b"c_codecs\nencode\n)R.", "a call with other arguments than NumPy's"),
        (b"c_codecs\nencode\nNR.", "something else where a tuple belongs"),
        (b"}Nb.", "something else where a tuple belongs"),
        (b"})b.", "a state of what is neither an array nor its type"),
        (b"X\x01\x00\x00\x00\xff.", "text that is not UTF-8"),
    ] {
        let error = refused(&[b"\x80\x02", program].concat());
        assert!(error.contains(expected), "`{expected}` is not in: {error}");
    }
}

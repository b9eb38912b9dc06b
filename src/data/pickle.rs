//! Reads Python pickles that hold dictionaries, lists, numbers, text and NumPy arrays, and executes nothing.
//!
//! A pickle is a program for a stack machine that may call any function of Python. This machine knows the names in
//! [`Global`] and no others; calling one makes a value. Memory is bounded by the file: lengths are checked against the
//! bytes that are left, text and bytes are borrowed, and a program has at most [`machine::MOST_STEPS`] steps.

mod machine;

use crate::number::grouped;
use anyhow::{Context, Result, bail, ensure};

/// A value on the stack; containers are indices of [`Object`]s, since they are shared and filled after they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// `bytes`, `bytearray`, or the `str` of Python 2.
    Bytes(&'a [u8]),
    Text(&'a str),
    /// Bytes, written as the text of the same code points: protocol 2 has no opcode for the `bytes` of Python 3.
    Latin1(&'a str),
    Global(Global),
    Object(usize),
}

/// The functions and classes that a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Global {
    /// `numpy.ndarray`, which `_reconstruct` takes.
    Ndarray,
    /// `numpy.dtype`.
    Dtype,
    /// `_reconstruct` makes an empty array, which `BUILD` fills: protocols 2 to 4.
    Reconstruct,
    /// `_frombuffer` makes an array: protocol 5.
    FromBuffer,
    /// `_codecs.encode`, which turns text into bytes.
    Encode,
}

impl Global {
    fn named(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("numpy", "ndarray") => Some(Global::Ndarray),
            ("numpy", "dtype") => Some(Global::Dtype),
            // NumPy 1 has `core`, NumPy 2 has `_core`.
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Some(Global::Reconstruct),
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Some(Global::FromBuffer),
            ("_codecs", "encode") => Some(Global::Encode),
            _ => None,
        }
    }
}

#[derive(Debug)]
enum Object<'a> {
    List(Vec<Value<'a>>),
    Tuple(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    Dtype(Dtype),
    /// `None` between `_reconstruct` and `BUILD`.
    Array(Option<Array<'a>>),
}

/// The type of an array's elements: integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dtype {
    signed: bool,
    bytes: usize,
    big_endian: bool,
}

impl Dtype {
    /// Bytes, as pixels are.
    pub const U1: Self = Self { signed: false, bytes: 1, big_endian: false };

    fn named(name: &str) -> Option<Self> {
        let (signed, bytes) = match name {
            "u1" | "u2" | "u4" | "u8" => (false, &name[1..]),
            "i1" | "i2" | "i4" | "i8" => (true, &name[1..]),
            _ => return None,
        };
        Some(Self { signed, bytes: bytes.parse().ok()?, big_endian: false })
    }

    /// The integer in `bytes`, whose length is that of an element; `None` above the largest `i64`.
    fn integer(self, bytes: impl DoubleEndedIterator<Item = u8>) -> Option<i64> {
        let push = |value: i128, byte: u8| value << 8 | i128::from(byte);
        let value = if self.big_endian { bytes.fold(0, push) } else { bytes.rev().fold(0, push) };
        let bits = 8 * self.bytes;
        let negative = self.signed && value >> (bits - 1) == 1;
        i64::try_from(if negative { value - (1 << bits) } else { value }).ok()
    }
}

/// A NumPy array in C order.
#[derive(Debug)]
pub struct Array<'a> {
    pub shape: Vec<i64>,
    pub dtype: Dtype,
    content: Value<'a>,
}

impl Array<'_> {
    /// The elements' bytes.
    ///
    /// # Errors
    /// There are not as many as the shape says, or more than `most`; or they are text that no bytes were written as.
    pub fn bytes(&self, most: usize) -> Result<Vec<u8>> {
        let count = self.shape.iter().try_fold(self.dtype.bytes, |product, &size| {
            product.checked_mul(usize::try_from(size).ok()?).filter(|&product| product <= most)
        });
        let Some(count) = count else { bail!("an array is larger than expected") };
        let bytes = match self.content {
            Value::Bytes(bytes) => bytes.to_vec(),
            Value::Latin1(text) => {
                let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
                bytes.context("an array's bytes hold a character that is no byte")?
            }
            _ => bail!("an array's content is not bytes"),
        };
        ensure!(
            bytes.len() == count,
            "an array has {} bytes, its shape says {}",
            grouped(bytes.len() as u64),
            grouped(count as u64)
        );
        Ok(bytes)
    }

    /// The elements, at most `most` of them.
    ///
    /// # Errors
    /// As [`Array::bytes`]; or an element is above the largest `i64`.
    pub fn integers(&self, most: usize) -> Result<Vec<i64>> {
        let bytes = self.bytes(most.saturating_mul(self.dtype.bytes))?;
        let elements = bytes.chunks_exact(self.dtype.bytes).map(|element| self.dtype.integer(element.iter().copied()));
        elements.collect::<Option<_>>().context("an array holds a number that is too large")
    }
}

/// What a pickle holds.
#[derive(Debug)]
pub struct Pickle<'a> {
    root: Value<'a>,
    objects: Vec<Object<'a>>,
}

impl<'a> Pickle<'a> {
    /// # Errors
    /// `bytes` are no pickle of protocol 2 to 5, end early, or do what plain data and arrays do not need. The message
    /// names the byte.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        machine::run(bytes)
    }

    /// The value of a key of the dictionary that the pickle holds. Keys may be text or bytes.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        let Value::Object(root) = self.root else { return None };
        let Object::Dict(items) = &self.objects[root] else { return None };
        let is_key = |found: Value| match found {
            Value::Bytes(bytes) => bytes == key.as_bytes(),
            Value::Text(text) | Value::Latin1(text) => text == key,
            _ => false,
        };
        // Of a key set twice, the later value holds.
        items.iter().rev().find(|(found, _)| is_key(*found)).map(|(_, value)| *value)
    }

    pub fn list(&self, value: Value) -> Option<&[Value<'a>]> {
        match value {
            Value::Object(index) => match &self.objects[index] {
                Object::List(items) => Some(items),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn array(&self, value: Value) -> Option<&Array<'a>> {
        match value {
            Value::Object(index) => match &self.objects[index] {
                Object::Array(array) => array.as_ref(),
                _ => None,
            },
            _ => None,
        }
    }
}

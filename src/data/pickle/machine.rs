//! The stack machine that reads a pickle.

use super::{Array, Dtype, Global, Object, Pickle, Value};
use crate::number::grouped;
use crate::usage::shortened;
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;

/// A batch of CIFAR-10 takes 30,000 steps, two for each file name and one for each label; CIFAR-100's training images 200,000.
pub const MOST_STEPS: u64 = 1 << 20;
/// Dimensions of an array.
const MOST_DIMENSIONS: usize = 4;

/// The opcodes of protocols 2 to 5 that plain data and arrays need, under the names of Python's `pickletools`.
mod op {
    pub const PROTO: u8 = 0x80;
    pub const FRAME: u8 = 0x95;
    pub const STOP: u8 = b'.';
    pub const MARK: u8 = b'(';
    pub const NONE: u8 = b'N';
    pub const NEWTRUE: u8 = 0x88;
    pub const NEWFALSE: u8 = 0x89;
    pub const BININT: u8 = b'J';
    pub const BININT1: u8 = b'K';
    pub const BININT2: u8 = b'M';
    pub const LONG1: u8 = 0x8a;
    pub const SHORT_BINSTRING: u8 = b'U';
    pub const BINSTRING: u8 = b'T';
    pub const SHORT_BINBYTES: u8 = b'C';
    pub const BINBYTES: u8 = b'B';
    pub const BINBYTES8: u8 = 0x8e;
    pub const BYTEARRAY8: u8 = 0x96;
    pub const SHORT_BINUNICODE: u8 = 0x8c;
    pub const BINUNICODE: u8 = b'X';
    pub const BINUNICODE8: u8 = 0x8d;
    pub const EMPTY_LIST: u8 = b']';
    pub const APPEND: u8 = b'a';
    pub const APPENDS: u8 = b'e';
    pub const EMPTY_DICT: u8 = b'}';
    pub const SETITEM: u8 = b's';
    pub const SETITEMS: u8 = b'u';
    pub const EMPTY_TUPLE: u8 = b')';
    pub const TUPLE: u8 = b't';
    pub const TUPLE1: u8 = 0x85;
    pub const TUPLE2: u8 = 0x86;
    pub const TUPLE3: u8 = 0x87;
    pub const BINPUT: u8 = b'q';
    pub const LONG_BINPUT: u8 = b'r';
    pub const MEMOIZE: u8 = 0x94;
    pub const BINGET: u8 = b'h';
    pub const LONG_BINGET: u8 = b'j';
    pub const GLOBAL: u8 = b'c';
    pub const STACK_GLOBAL: u8 = 0x93;
    pub const REDUCE: u8 = b'R';
    pub const BUILD: u8 = b'b';
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    objects: Vec<Object<'a>>,
}

/// Runs the program that the pickle is.
///
/// # Errors
/// As [`Pickle::read`].
pub(super) fn run(bytes: &[u8]) -> Result<Pickle<'_>> {
    ensure!(matches!(bytes, [op::PROTO, 2..=5, ..]), "it does not begin as a pickle of Python's protocols 2 to 5 does");
    Machine { bytes, at: 2, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), objects: Vec::new() }.run()
}

impl<'a> Machine<'a> {
    fn run(mut self) -> Result<Pickle<'a>> {
        for _ in 0..MOST_STEPS {
            let start = self.at;
            let opcode = self.take(1)?[0];
            if opcode == op::STOP {
                return Ok(Pickle { root: self.pop()?, objects: self.objects });
            }
            self.step(opcode).with_context(|| format!("byte {}", grouped(start as u64)))?;
        }
        bail!("it takes more than {} steps to read", grouped(MOST_STEPS))
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            // A frame announces how much to read at once, which is all here.
            op::FRAME => drop(self.take(8)?),
            op::MARK => self.marks.push(self.stack.len()),
            op::BINPUT => self.remember_as(|machine| machine.length(1))?,
            op::LONG_BINPUT => self.remember_as(|machine| machine.length(4))?,
            op::MEMOIZE => self.remember_as(|machine| Ok(machine.memo.len()))?,
            op::APPEND => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            op::APPENDS => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            op::SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])?;
            }
            op::SETITEMS => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            op::BUILD => {
                let state = self.pop()?;
                self.build(state)?;
            }
            _ => {
                let value = self.value(opcode)?;
                self.stack.push(value);
            }
        }
        Ok(())
    }

    /// The value that an opcode pushes.
    fn value(&mut self, opcode: u8) -> Result<Value<'a>> {
        Ok(match opcode {
            op::NONE => Value::None,
            op::NEWTRUE => Value::Bool(true),
            op::NEWFALSE => Value::Bool(false),
            op::BININT1 => Value::Int(self.length(1)? as i64),
            op::BININT2 => Value::Int(self.length(2)? as i64),
            op::BININT => Value::Int(self.integer(4)?),
            op::LONG1 => {
                let bytes = self.length(1)?;
                Value::Int(self.integer(bytes)?)
            }
            op::SHORT_BINSTRING | op::SHORT_BINBYTES => Value::Bytes(self.counted(1)?),
            op::BINSTRING | op::BINBYTES => Value::Bytes(self.counted(4)?),
            op::BINBYTES8 | op::BYTEARRAY8 => Value::Bytes(self.counted(8)?),
            op::SHORT_BINUNICODE => self.text(1)?,
            op::BINUNICODE => self.text(4)?,
            op::BINUNICODE8 => self.text(8)?,
            op::EMPTY_LIST => self.object(Object::List(Vec::new())),
            op::EMPTY_DICT => self.object(Object::Dict(Vec::new())),
            op::EMPTY_TUPLE => self.object(Object::Tuple(Vec::new())),
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                let items = self.pop_many(usize::from(opcode - op::TUPLE1) + 1)?;
                self.object(Object::Tuple(items))
            }
            op::TUPLE => {
                let items = self.pop_to_mark()?;
                self.object(Object::Tuple(items))
            }
            op::BINGET => self.recall(1)?,
            op::LONG_BINGET => self.recall(4)?,
            op::GLOBAL => {
                let (module, name) = (self.line()?, self.line()?);
                global(module, name)?
            }
            op::STACK_GLOBAL => match self.pop_many(2)?[..] {
                [Value::Text(module), Value::Text(name)] => global(module, name)?,
                _ => bail!("a name that is not text"),
            },
            op::REDUCE => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.call(function, arguments)?
            }
            _ => bail!("opcode 0x{opcode:02x}, which images and labels do not need"),
        })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let left = &self.bytes[self.at..];
        let Some(taken) = left.get(..count) else { bail!("it ends early") };
        self.at += count;
        Ok(taken)
    }

    /// A length or index of `width` bytes.
    fn length(&mut self, width: usize) -> Result<usize> {
        let value = self.take(width)?.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        usize::try_from(value).context("it ends early")
    }

    /// A signed number of `width` bytes.
    fn integer(&mut self, width: usize) -> Result<i64> {
        ensure!(width <= 8, "a number of {width} bytes");
        let bytes = self.take(width)?;
        let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
        Ok(bytes.iter().rev().fold(sign, |value, &byte| value << 8 | i64::from(byte)))
    }

    /// Bytes after their number, itself of `width` bytes.
    fn counted(&mut self, width: usize) -> Result<&'a [u8]> {
        let count = self.length(width)?;
        self.take(count)
    }

    fn text(&mut self, width: usize) -> Result<Value<'a>> {
        Ok(Value::Text(std::str::from_utf8(self.counted(width)?).context("text that is not UTF-8")?))
    }

    fn line(&mut self) -> Result<&'a str> {
        let left = &self.bytes[self.at..];
        let end = left.iter().position(|&byte| byte == b'\n').context("it ends early")?;
        let line = std::str::from_utf8(self.take(end)?).context("a name that is not UTF-8")?;
        self.take(1)?;
        Ok(line)
    }

    fn pop(&mut self) -> Result<Value<'a>> {
        Ok(self.pop_many(1)?[0])
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Value<'a>>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let Some(start) = self.stack.len().checked_sub(count).filter(|&start| start >= floor) else {
            bail!("the stack is empty")
        };
        Ok(self.stack.split_off(start))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>> {
        let mark = self.marks.pop().context("there is no mark on the stack")?;
        Ok(self.stack.split_off(mark))
    }

    fn object(&mut self, object: Object<'a>) -> Value<'a> {
        self.objects.push(object);
        Value::Object(self.objects.len() - 1)
    }

    fn remember_as(&mut self, key: impl FnOnce(&mut Self) -> Result<usize>) -> Result<()> {
        let key = key(self)? as u32; // of at most 4 bytes, or the number of steps so far
        let top = *self.stack.last().context("the stack is empty")?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, width: usize) -> Result<Value<'a>> {
        let key = self.length(width)? as u32;
        self.memo.get(&key).copied().with_context(|| format!("nothing was remembered as {key}"))
    }

    /// The object on top of the stack.
    fn top(&mut self) -> Result<&mut Object<'a>> {
        match self.stack.last() {
            Some(&Value::Object(index)) => Ok(&mut self.objects[index]),
            _ => bail!("there is nothing to fill on the stack"),
        }
    }

    fn append(&mut self, new: Vec<Value<'a>>) -> Result<()> {
        let Object::List(items) = self.top()? else { bail!("items for what is no list") };
        items.extend(new);
        Ok(())
    }

    fn set_items(&mut self, new: &[Value<'a>]) -> Result<()> {
        let Object::Dict(items) = self.top()? else { bail!("items for what is no dictionary") };
        ensure!(new.len().is_multiple_of(2), "a key without a value");
        items.extend(new.chunks_exact(2).map(|item| (item[0], item[1])));
        Ok(())
    }

    fn tuple(&self, value: Value) -> Result<&[Value<'a>]> {
        match value {
            Value::Object(index) => match &self.objects[index] {
                Object::Tuple(items) => Ok(items),
                _ => bail!("something else where a tuple belongs"),
            },
            _ => bail!("something else where a tuple belongs"),
        }
    }

    fn call(&mut self, function: Value, arguments: Value) -> Result<Value<'a>> {
        let Value::Global(function) = function else { bail!("a call of what is no function") };
        let object = match (function, self.tuple(arguments)?) {
            (Global::Encode, &[Value::Text(text), Value::Text("latin1")]) => return Ok(Value::Latin1(text)),
            (Global::Dtype, &[name, _, _]) => Object::Dtype(
                ascii(name).and_then(Dtype::named).context("an array of other elements than whole numbers")?,
            ),
            (Global::Reconstruct, &[Value::Global(Global::Ndarray), _, _]) => Object::Array(None),
            (Global::FromBuffer, &[content, dtype, shape, order]) => {
                ensure!(ascii(order) == Some("C"), "an array that is not in C order");
                Object::Array(Some(self.filled(shape, dtype, content)?))
            }
            _ => bail!("a call with other arguments than NumPy's"),
        };
        Ok(self.object(object))
    }

    /// Gives the object on top of the stack its state.
    fn build(&mut self, state: Value) -> Result<()> {
        let Some(&Value::Object(index)) = self.stack.last() else { bail!("there is nothing to fill on the stack") };
        let built = match (&self.objects[index], self.tuple(state)?) {
            // Version, shape, type, whether in Fortran's order, content.
            (Object::Array(_), &[Value::Int(1), shape, dtype, fortran, content]) => {
                ensure!(matches!(fortran, Value::Bool(false) | Value::Int(0)), "an array that is not in C order");
                Object::Array(Some(self.filled(shape, dtype, content)?))
            }
            // Version, byte order, and what only other types have.
            (&Object::Dtype(dtype), &[Value::Int(3 | 4), order, ..]) => match ascii(order) {
                Some("|" | "<") => Object::Dtype(dtype),
                Some(">") => Object::Dtype(Dtype { big_endian: true, ..dtype }),
                _ => bail!("an unknown byte order"),
            },
            _ => bail!("a state of what is neither an array nor its type"),
        };
        self.objects[index] = built;
        Ok(())
    }

    fn filled(&self, shape: Value, dtype: Value, content: Value<'a>) -> Result<Array<'a>> {
        let Value::Object(dtype) = dtype else { bail!("an array without a type") };
        let Object::Dtype(dtype) = self.objects[dtype] else { bail!("an array without a type") };
        let shape = self.tuple(shape)?;
        ensure!(shape.len() <= MOST_DIMENSIONS, "an array of {} dimensions", shape.len());
        let size = |value: &Value| match value {
            Value::Int(size) => Some(*size),
            _ => None,
        };
        let shape = shape.iter().map(size).collect::<Option<_>>().context("an array without a shape")?;
        Ok(Array { shape, dtype, content })
    }
}

fn global(module: &str, name: &str) -> Result<Value<'static>> {
    match Global::named(module, name) {
        Some(global) => Ok(Value::Global(global)),
        None => bail!("it names `{}`, which images and labels do not need", shortened(&format!("{module}.{name}"))),
    }
}

fn ascii(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Text(text) | Value::Latin1(text) => Some(text),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

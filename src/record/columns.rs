//! The columns of one table, which are fewer in a file of an earlier version.

use super::Row;
use anyhow::{Result, anyhow, bail};

/// How many columns a table has: the first so many of its kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns(usize);

/// What a message shows of a header at most: our longest one, and some more.
const LONGEST_HEADER: usize = 240;

impl Columns {
    /// Those that this version writes.
    pub fn all<T: Row>() -> Self {
        Self(T::header().len())
    }

    /// Those of this version, then those of each earlier one.
    pub fn known<T: Row>() -> impl Iterator<Item = Self> {
        let all = T::header().len();
        (0..=T::ADDED.len()).map(move |missing| Self(all - missing))
    }

    /// Those of a table that begins with these bytes.
    ///
    /// # Errors
    /// The first line is the header of no version.
    pub(super) fn of<T: Row>(bytes: &[u8]) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
        let found = reader.headers().map_err(|_| anyhow!("row 0, the header, is not text"))?;
        match Self::known::<T>().find(|columns| found.iter().eq(columns.names::<T>())) {
            Some(columns) => Ok(columns),
            None => {
                let found: String = found.iter().collect::<Vec<_>>().join(",").chars().take(LONGEST_HEADER).collect();
                let expected = Self::all::<T>().header::<T>();
                bail!("row 0, the header, is `{}`, expected `{expected}`", found.escape_debug())
            }
        }
    }

    fn names<T: Row>(self) -> Vec<&'static str> {
        let mut names = T::header();
        names.truncate(self.0);
        names
    }

    /// The first line of a table, without its end.
    pub(super) fn header<T: Row>(self) -> String {
        self.names::<T>().join(",")
    }

    pub(super) const fn count(self) -> usize {
        self.0
    }

    /// The lines of `rows`.
    ///
    /// # Errors
    /// None that a row can have.
    pub(super) fn lines<T: Row>(self, rows: &[T]) -> Result<Vec<u8>> {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        for row in rows {
            writer.serialize(row)?;
        }
        let lines = writer.into_inner()?;
        if self == Self::all::<T>() {
            return Ok(lines);
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(lines.as_slice());
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        for record in reader.byte_records() {
            writer.write_record(record?.iter().take(self.0))?;
        }
        Ok(writer.into_inner()?)
    }

    /// Whether two rows are the same in these columns.
    pub fn same<T: Row>(self, one: &T, other: &T) -> bool {
        let line = |row| self.lines(std::slice::from_ref(row)).ok();
        line(one) == line(other)
    }
}

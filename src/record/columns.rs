//! The columns of one table, which are fewer in a file of an earlier version.

use super::Row;
use anyhow::{Result, anyhow, bail};

/// The columns of a table: the first so many of its kind of row, and those of [`Row::NAMED`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    own: usize,
    names: Vec<String>,
}

/// What a message shows of a header at most: our longest one, and some more.
const LONGEST_HEADER: usize = 240;

impl Columns {
    /// Those that this version writes.
    pub fn all<T: Row>() -> Self {
        Self { own: T::header().len(), names: Vec::new() }
    }

    /// The same, with a column of [`Row::NAMED`] for each of `names`.
    pub fn with_names<T: Row>(names: Vec<String>) -> Self {
        Self { names, ..Self::all::<T>() }
    }

    /// Those of this version, then those of each earlier one.
    pub fn known<T: Row>() -> impl Iterator<Item = Self> {
        let all = T::header().len();
        (0..=T::ADDED.len()).map(move |missing| Self { own: all - missing, names: Vec::new() })
    }

    /// Those of a table that begins with these bytes.
    ///
    /// # Errors
    /// The first line is the header of no version.
    pub(super) fn of<T: Row>(bytes: &[u8]) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
        let found = reader.headers().map_err(|_| anyhow!("row 0, the header, is not text"))?;
        match Self::known::<T>().find_map(|columns| columns.with_names_of::<T>(found)) {
            Some(columns) => Ok(columns),
            None => {
                let found: String = found.iter().collect::<Vec<_>>().join(",").chars().take(LONGEST_HEADER).collect();
                let expected = Self::all::<T>().header::<T>();
                bail!("row 0, the header, is `{}`, expected `{expected}`", found.escape_debug())
            }
        }
    }

    /// These and the named ones of `header`, if that has these and no others.
    fn with_names_of<T: Row>(self, header: &csv::StringRecord) -> Option<Self> {
        let own = self.header_of::<T>();
        let name = |column: &str| column.strip_prefix(T::NAMED?).map(str::to_string);
        let begins = header.iter().take(own.len()).eq(own.iter().map(String::as_str));
        let names: Option<Vec<String>> = header.iter().skip(own.len()).map(name).collect();
        names.filter(|_| begins).map(|names| Self { names, ..self })
    }

    fn header_of<T: Row>(&self) -> Vec<String> {
        let own = T::header().into_iter().take(self.own).map(str::to_string);
        let prefix = T::NAMED.unwrap_or_default();
        own.chain(self.names.iter().map(|name| format!("{prefix}{name}"))).collect()
    }

    /// The names in the columns of [`Row::NAMED`].
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The first line of a table, without its end. No name needs quotes.
    pub(super) fn header<T: Row>(&self) -> String {
        self.header_of::<T>().join(",")
    }

    pub(super) const fn count(&self) -> usize {
        self.own + self.names.len()
    }

    /// How many of them are fields of the row.
    pub(super) const fn own(&self) -> usize {
        self.own
    }

    /// The lines of `rows`.
    ///
    /// # Errors
    /// None that a row can have.
    pub(super) fn lines<T: Row>(&self, rows: &[T]) -> Result<Vec<u8>> {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        for row in rows {
            writer.serialize(row)?;
        }
        let lines = writer.into_inner()?;
        if *self == Self::all::<T>() {
            return Ok(lines);
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(lines.as_slice());
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        for (record, row) in reader.records().zip(rows) {
            let mut record = record?;
            record.truncate(self.own);
            let named = row.named().iter().copied().chain(std::iter::repeat(f64::NAN));
            named.take(self.names.len()).for_each(|value| record.push_field(&format!("{value:?}")));
            writer.write_record(&record)?;
        }
        Ok(writer.into_inner()?)
    }

    /// Whether two rows are the same in these columns.
    pub fn same<T: Row>(&self, one: &T, other: &T) -> bool {
        let line = |row| self.lines(std::slice::from_ref(row)).ok();
        line(one) == line(other)
    }
}

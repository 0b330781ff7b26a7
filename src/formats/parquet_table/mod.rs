//! Tables as Apache Parquet: a type for each column, and nothing where there is no value.
//!
//! What a flat table needs: one row group, a page a column, plain values without compression. The crate `parquet`,
//! without any of its features, was still being built after 53 s of processor time.
//!
//! Source: the Apache Parquet format, version 2.11: parquet.thrift, Encodings.md.

mod thrift;

use std::io;
use std::path::Path;

use super::atomic::write_bytes;
use thrift::Value;

/// What a file begins and ends with.
const MAGIC: &[u8; 4] = b"PAR1";
/// Numbers of parquet.thrift.
const FORMAT_VERSION: i32 = 2;
const DATA_PAGE: i32 = 0;
const PLAIN: i32 = 0;
const RLE: i32 = 3;
const UNCOMPRESSED: i32 = 0;
const UTF8: i32 = 0;
const REQUIRED: i32 = 0;
const OPTIONAL: i32 = 1;

/// The values of a column, one a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// UTF-8; empty where there is none.
    Text(Vec<String>),
    /// IEEE 754, 8 bytes.
    Real(Vec<Option<f64>>),
    /// 8 bytes.
    Whole(Vec<Option<i64>>),
    /// One bit.
    Truth(Vec<bool>),
}

/// Writes a table.
///
/// * `columns` – names and values, all with as many rows
///
/// # Errors
/// If the file cannot be written, columns have unlike numbers of rows, or one has 2 GiB.
pub fn write(path: &Path, columns: &[(&str, Column)]) -> io::Result<()> {
    write_bytes(path, &bytes(columns)?)
}

fn bytes(columns: &[(&str, Column)]) -> io::Result<Vec<u8>> {
    let rows = columns.first().map_or(0, |(_, column)| column.rows());
    if columns.iter().any(|(_, column)| column.rows() != rows) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "columns have unlike numbers of rows"));
    }
    let mut file = MAGIC.to_vec();
    let mut chunks = Vec::new();
    for (name, column) in columns.iter().filter(|_| rows > 0) {
        let begin = file.len();
        file.extend(column.page()?);
        chunks.push(column.chunk(name, begin, file.len() - begin));
    }
    let size = file.len() - MAGIC.len();
    let group = Value::Struct(vec![(1, Value::List(chunks)), (2, count(size)), (3, count(rows))]);
    let mut schema = vec![Value::Struct(vec![(4, Value::Text("table".into())), (5, small(columns.len())?)])];
    schema.extend(columns.iter().map(|(name, column)| column.field(name)));
    let footer = Value::Struct(vec![
        (1, Value::I32(FORMAT_VERSION)),
        (2, Value::List(schema)),
        (3, count(rows)),
        (4, Value::List(if rows > 0 { vec![group] } else { Vec::new() })),
        (6, Value::Text(concat!("dosegrid version ", env!("CARGO_PKG_VERSION")).into())),
    ]);
    let begin = file.len();
    footer.write(&mut file);
    let length = length(file.len() - begin)?;
    file.extend(length);
    file.extend(MAGIC);
    Ok(file)
}

fn count(number: usize) -> Value {
    Value::I64(i64::try_from(number).expect("memory has fewer bytes"))
}

fn small(number: usize) -> io::Result<Value> {
    i32::try_from(number).map(Value::I32).map_err(|_| too_large())
}

fn length(bytes: usize) -> io::Result<[u8; 4]> {
    u32::try_from(bytes).map(u32::to_le_bytes).map_err(|_| too_large())
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the table is too large for one page a column")
}

impl Column {
    fn rows(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Real(values) => values.len(),
            Self::Whole(values) => values.len(),
            Self::Truth(values) => values.len(),
        }
    }

    /// Physical type and repetition.
    fn kind(&self) -> (i32, i32) {
        match self {
            Self::Truth(_) => (0, REQUIRED),
            Self::Whole(_) => (2, OPTIONAL),
            Self::Real(_) => (5, OPTIONAL),
            Self::Text(_) => (6, REQUIRED),
        }
    }

    /// A `SchemaElement`.
    fn field(&self, name: &str) -> Value {
        let (stored, repetition) = self.kind();
        let mut fields = vec![(1, Value::I32(stored)), (3, Value::I32(repetition)), (4, Value::Text(name.into()))];
        if matches!(self, Self::Text(_)) {
            let string = Value::Struct(vec![(1, Value::Struct(Vec::new()))]);
            fields.extend([(6, Value::I32(UTF8)), (10, string)]);
        }
        Value::Struct(fields)
    }

    /// A `ColumnChunk`: where the page lies.
    fn chunk(&self, name: &str, begin: usize, size: usize) -> Value {
        let meta = Value::Struct(vec![
            (1, Value::I32(self.kind().0)),
            (2, Value::List(vec![Value::I32(PLAIN), Value::I32(RLE)])),
            (3, Value::List(vec![Value::Text(name.into())])),
            (4, Value::I32(UNCOMPRESSED)),
            (5, count(self.rows())),
            (6, count(size)),
            (7, count(size)),
            (9, count(begin)),
        ]);
        Value::Struct(vec![(2, Value::I64(0)), (3, meta)])
    }

    /// The one data page, with its header.
    fn page(&self) -> io::Result<Vec<u8>> {
        let data = self.data()?;
        let header = Value::Struct(vec![
            (1, Value::I32(DATA_PAGE)),
            (2, small(data.len())?),
            (3, small(data.len())?),
            (
                5,
                Value::Struct(vec![
                    (1, small(self.rows())?),
                    (2, Value::I32(PLAIN)),
                    (3, Value::I32(RLE)),
                    (4, Value::I32(RLE)),
                ]),
            ),
        ]);
        let mut page = Vec::new();
        header.write(&mut page);
        page.extend(data);
        Ok(page)
    }

    fn data(&self) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        match self {
            Self::Text(values) => {
                for text in values {
                    data.extend(length(text.len())?);
                    data.extend(text.as_bytes());
                }
            }
            Self::Real(values) => {
                data = levels(values.iter().map(Option::is_some))?;
                values.iter().flatten().for_each(|value| data.extend(value.to_le_bytes()));
            }
            Self::Whole(values) => {
                data = levels(values.iter().map(Option::is_some))?;
                values.iter().flatten().for_each(|value| data.extend(value.to_le_bytes()));
            }
            Self::Truth(values) => data = bits(values.iter().copied()),
        }
        Ok(data)
    }
}

/// Which rows have a value: a run of bits of the hybrid encoding, with its length.
fn levels(is_there: impl Iterator<Item = bool>) -> io::Result<Vec<u8>> {
    let bits = bits(is_there);
    let mut run = Vec::new();
    // Groups of eight, and a lowest bit that says that they are bits.
    thrift::varint((bits.len() as u64) << 1 | 1, &mut run);
    run.extend(bits);
    Ok([&length(run.len())?[..], &run].concat())
}

/// The first in the lowest bit.
fn bits(values: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, value) in values.enumerate() {
        if at.is_multiple_of(8) {
            bytes.push(0);
        }
        *bytes.last_mut().expect("pushed above") |= u8::from(value) << (at % 8);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::thrift::read;
    use super::*;

    /// A cell as it is read back.
    #[derive(Debug, PartialEq)]
    enum Cell {
        Null,
        Text(String),
        Bits(u64),
        Truth(bool),
    }

    /// Columns of a file, by name, from its footer and its pages alone.
    fn columns_of(file: &[u8]) -> Vec<(String, Vec<Cell>)> {
        assert!(file.starts_with(MAGIC) && file.ends_with(MAGIC));
        let end = file.len() - 8;
        let length = u32::from_le_bytes(file[end..end + 4].try_into().expect("four bytes")) as usize;
        let (footer, used) = read(&file[end - length..end]);
        assert_eq!(used, length);
        let schema = footer.field(2).list();
        assert_eq!(schema[0].field(5).number(), schema.len() as i64 - 1);
        let Some(group) = footer.field(4).list().first() else {
            return schema[1..].iter().map(|field| (field.field(4).text(), Vec::new())).collect();
        };
        let rows = usize::try_from(footer.field(3).number()).expect("a number of rows");
        let chunks = group.field(1).list().iter().map(|chunk| chunk.field(3));
        chunks
            .zip(&schema[1..])
            .map(|(chunk, field)| (field.field(4).text(), cells(file, chunk, field, rows)))
            .collect()
    }

    fn cells(file: &[u8], chunk: &Value, field: &Value, rows: usize) -> Vec<Cell> {
        let begin = usize::try_from(chunk.field(9).number()).expect("a place");
        let (header, used) = read(&file[begin..]);
        let size = usize::try_from(header.field(3).number()).expect("a size");
        assert_eq!(used as i64 + header.field(3).number(), chunk.field(7).number());
        let mut data = &file[begin + used..begin + used + size];
        let take = |data: &mut &[u8], count: usize| data.split_off(..count).expect("it is there").to_vec();
        let number = |bytes: Vec<u8>| u32::from_le_bytes(bytes.try_into().expect("four bytes")) as usize;
        let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (at % 8) & 1 == 1;
        let is_there: Vec<bool> = if field.field(3).number() == i64::from(OPTIONAL) {
            let count = number(take(&mut data, 4));
            let run = take(&mut data, count);
            // Of fewer than 512 rows the head of the run is one byte.
            assert!(rows < 512 && usize::from(run[0] >> 1) == rows.div_ceil(8) && run[0] & 1 == 1);
            (0..rows).map(|at| bit(&run[1..], at)).collect()
        } else {
            vec![true; rows]
        };
        let truths = if field.field(1).number() == 0 { take(&mut data, rows.div_ceil(8)) } else { Vec::new() };
        let cells = is_there.into_iter().enumerate().map(|(at, is_there)| match field.field(1).number() {
            _ if !is_there => Cell::Null,
            0 => Cell::Truth(bit(&truths, at)),
            2 | 5 => Cell::Bits(u64::from_le_bytes(take(&mut data, 8).try_into().expect("eight bytes"))),
            6 => {
                let count = number(take(&mut data, 4));
                Cell::Text(String::from_utf8(take(&mut data, count)).expect("text"))
            }
            other => panic!("no type {other}"),
        });
        let cells = cells.collect();
        assert!(data.is_empty());
        cells
    }

    #[test]
    fn every_value_comes_back() {
        let text = |number: usize| format!("foie gauche é {}", "x".repeat(number));
        let real = |number: usize| (!number.is_multiple_of(3)).then(|| (number as f64 - 7.0) / 3.0);
        let whole = |number: i64| (number % 4 > 0).then(|| number * (i64::MAX / 40));
        for rows in [0, 1, 8, 37] {
            let columns = [
                ("organ", Column::Text((0..rows).map(text).collect())),
                ("mean_gy", Column::Real((0..rows).map(real).collect())),
                ("label", Column::Whole((0i64..).map(whole).take(rows).collect())),
                ("outlier", Column::Truth((0..rows).map(|number| number % 5 == 1).collect())),
            ];
            let found = columns_of(&bytes(&columns).expect("a table"));
            let bits = |value: Option<u64>| value.map_or(Cell::Null, Cell::Bits);
            let expected: Vec<(String, Vec<Cell>)> = vec![
                ("organ".into(), (0..rows).map(|number| Cell::Text(text(number))).collect()),
                ("mean_gy".into(), (0..rows).map(|number| bits(real(number).map(f64::to_bits))).collect()),
                (
                    "label".into(),
                    (0i64..).map(|number| bits(whole(number).map(i64::cast_unsigned))).take(rows).collect(),
                ),
                ("outlier".into(), (0..rows).map(|number| Cell::Truth(number % 5 == 1)).collect()),
            ];
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn columns_of_unlike_lengths_are_no_table() {
        let unlike = [("a", Column::Truth(vec![true])), ("b", Column::Truth(vec![true, false]))];
        assert!(bytes(&unlike).is_err());
    }
}

//! Rows of a member file: which columns there may be and what stands in them. Reads one row at a time.
use csv::{ReaderBuilder, StringRecord};
use std::io::{BufReader, Read};

/// Where the account's password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Password {
    None,
    Plain(String),
    Hash(String),
}

/// One member to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// From 1; the header's is 1.
    pub(super) line: u64,
    pub(super) address: String,
    pub(super) name: String,
    pub(super) password: Password,
    pub(super) vip: bool,
    pub(super) quota: String,
    pub(super) aliases: Vec<String>,
}

const COLUMNS: [&str; 7] = ["address", "name", "password", "password_hash", "vip", "quota", "aliases"];

/// Reads rows; a row that cannot be read is told with its line, and the next one follows.
pub(super) struct Rows {
    reader: csv::Reader<Box<dyn Read>>,
    /// Where each of `COLUMNS` stands.
    places: [Option<usize>; 7],
    ended: bool,
}

impl Rows {
    /// Reads the header.
    pub(super) fn new(input: Box<dyn Read>) -> Result<Rows, String> {
        let input: Box<dyn Read> = Box::new(without_bom(input).map_err(|error| error.to_string())?);
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(input);
        let header = reader.headers().map_err(|error| error.to_string())?.clone();
        let mut places = [None; 7];
        for (at, name) in header.iter().enumerate() {
            let name = name.trim();
            let Some(column) = COLUMNS.iter().position(|column| column.eq_ignore_ascii_case(name)) else {
                return Err(format!("column {name:?} is not allowed; allowed: {}", COLUMNS.join(", ")));
            };
            if places[column].replace(at).is_some() {
                return Err(format!("column {name:?} is there twice"));
            }
        }
        if places[0].is_none() {
            return Err("no column \"address\" in the first row".into());
        }
        Ok(Rows { reader, places, ended: false })
    }

    /// Bytes read so far.
    pub(super) fn position_bytes(&self) -> u64 {
        self.reader.position().byte()
    }

    /// Whether all rows are read.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// The next row, or its line and what is wrong with it.
    pub(super) fn next(&mut self) -> Option<Result<Row, (u64, String)>> {
        let mut record = StringRecord::new();
        let before = self.reader.position().line();
        match self.reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => {
                self.ended = true;
                return None;
            }
            Err(error) => {
                let line = error.position().map_or(before, csv::Position::line);
                // A broken pipe or disk gives no more rows; a row that is not UTF-8 does.
                self.ended = error.is_io_error();
                return Some(Err((line, error.to_string())));
            }
        }
        let line = record.position().map_or(before, csv::Position::line);
        Some(self.row(line, &record).map_err(|what| (line, what)))
    }

    fn row(&self, line: u64, record: &StringRecord) -> Result<Row, String> {
        let raw = |column: usize| self.places[column].and_then(|at| record.get(at)).unwrap_or("");
        // A password may begin or end with a space.
        let get = |column: usize| raw(column).trim();
        let columns = self.places.iter().flatten().count();
        if record.len() > columns {
            return Err(format!(
                "{} fields, but the first row names {columns} columns; a field with a comma stands in quotes",
                record.len()
            ));
        }
        let address = get(0);
        if address.is_empty() {
            return Err("no address".into());
        }
        let password = match (raw(2), get(3)) {
            ("", "") => Password::None,
            (plain, "") => Password::Plain(plain.to_owned()),
            ("", hash) => Password::Hash(hash.to_owned()),
            _ => return Err("both a password and a password_hash".into()),
        };
        Ok(Row {
            line,
            address: address.to_owned(),
            name: get(1).to_owned(),
            password,
            vip: yes_or_no(get(4))?,
            quota: if get(5).is_empty() { "default".into() } else { get(5).to_owned() },
            aliases: get(6).split([' ', ';', ',']).filter(|alias| !alias.is_empty()).map(str::to_owned).collect(),
        })
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "" | "no" | "false" | "0" => Ok(false),
        "yes" | "true" | "1" => Ok(true),
        _ => Err(format!("vip {text:?} is not allowed; allowed: yes, no, true, false, 1, 0")),
    }
}

/// Spreadsheets put a byte order mark before the first column's name.
fn without_bom(input: Box<dyn Read>) -> std::io::Result<impl Read> {
    use std::io::BufRead;
    let mut reader = BufReader::new(input);
    let head = reader.fill_buf()?;
    if head.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    Ok(LineFeeds { reader, after_cr: false })
}

/// Every line end as one LF: the csv reader counts lines right only then.
struct LineFeeds<R> {
    reader: R,
    after_cr: bool,
}

impl<R: Read> Read for LineFeeds<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let got = self.reader.read(into)?;
            let mut kept = 0;
            for at in 0..got {
                let byte = into[at];
                if !(byte == b'\n' && self.after_cr) {
                    into[kept] = if byte == b'\r' { b'\n' } else { byte };
                    kept += 1;
                }
                self.after_cr = byte == b'\r';
            }
            if kept > 0 || got == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = Result<Row, (u64, String)>;

    fn rows(text: &[u8]) -> Result<Vec<Read>, String> {
        let mut rows = Rows::new(Box::new(std::io::Cursor::new(text.to_vec())))?;
        Ok(std::iter::from_fn(|| rows.next()).collect())
    }

    #[test]
    fn a_mark_quotes_and_line_breaks_in_fields_are_read() {
        let text = b"\xef\xbb\xbfaddress,Name,aliases,vip\r\na@x.test,\"Doe, \"\"Jo\"\"\nSr\",b@x.test c@x.test,YES\r\nd@x.test\r\n";
        let rows = rows(text).expect("a header");
        let first = rows[0].as_ref().expect("a row");
        assert_eq!((first.line, first.name.as_str(), first.vip), (2, "Doe, \"Jo\"\nSr", true));
        assert_eq!(first.aliases, ["b@x.test", "c@x.test"]);
        let second = rows[1].as_ref().expect("a row");
        assert_eq!((second.line, second.quota.as_str(), &second.password), (4, "default", &Password::None));
    }

    #[test]
    fn bad_rows_are_told_with_their_line_and_the_rest_is_read() {
        let text = b"address,password,password_hash,vip\na@x.test,p,h,\nb@x.test,p,,maybe\n,p,,\nc\xff@x.test,p,,\nd@x.test,p,,,5,6\ne@x.test,p,,\n";
        let rows = rows(text).expect("a header");
        let told: Vec<(u64, bool)> = rows
            .iter()
            .map(|row| row.as_ref().map_or_else(|(line, _)| (*line, false), |row| (row.line, true)))
            .collect();
        assert_eq!(told, [(2, false), (3, false), (4, false), (5, false), (6, false), (7, true)]);
    }

    #[test]
    fn headers_are_checked() {
        for (text, part) in [
            ("address,pass\n", "column \"pass\" is not allowed; allowed: address, name, password"),
            ("name\n", "no column \"address\""),
            ("address,ADDRESS\n", "twice"),
            ("", "no column"),
        ] {
            let told = rows(text.as_bytes()).expect_err(text);
            assert!(told.contains(part), "{told}");
        }
    }
}

//! Answers how bytes become lines, mail data and literals in bounded memory, the same for every protocol. It never knows a command.

mod crlf;
mod date;
mod dot;
mod exact;
mod line;

pub(crate) use crlf::with_crlf;
pub use date::{DAY, MONTHS, civil, rfc3339, write_date_time};
pub use dot::{DotEnd, DotReader, DotStatus, DotStep, DotWriter, write_dot_stuffed};
pub use exact::read_exact_n;
pub use line::{Line, LineReader, read_line};

//! The date of a From_ line, by which it is told from a line of text that begins with the same word. Takes the forms of asctime with or
//! without seconds, a zone before or behind the year, and a host behind all.
use crate::time::{MONTHS, seconds_of};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Words looked at.
const WORDS_MAX: usize = 32;

/// Seconds since 1970-01-01 UTC. A line without a zone is taken as UTC: nothing says whose local time it is.
pub(super) fn date(line: &[u8]) -> Option<i64> {
    let line = std::str::from_utf8(line.strip_prefix(b"From ")?).ok()?;
    let words: Vec<&str> = line.split_ascii_whitespace().take(WORDS_MAX).collect();
    let at = words.windows(2).position(|two| DAYS.contains(&two[0]) && MONTHS.contains(&two[1]))?;
    let month = MONTHS.iter().position(|month| *month == words[at + 1])? as i64 + 1;
    let day: i64 = words.get(at + 2)?.parse().ok()?;
    let mut time = words.get(at + 3)?.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute) = (time.next()??, time.next()??);
    let second = time.next().unwrap_or(Some(0))?;
    let rest = words.get(at + 4..)?;
    let year = rest
        .iter()
        .take(2)
        .find_map(|word| word.parse::<i64>().ok().filter(|_| word.len() == 4 && !word.starts_with('+')))?;
    let zone = rest.iter().take(3).find_map(|word| zone_seconds(word)).unwrap_or(0);
    Some(seconds_of((year, month, day), (hour, minute, second))? - zone)
}

/// `+0800`, `-0130`.
fn zone_seconds(word: &str) -> Option<i64> {
    let (sign, digits) = match word.as_bytes().first()? {
        b'+' => (1, &word[1..]),
        b'-' => (-1, &word[1..]),
        _ => return None,
    };
    let number: i64 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_of_all_forms_and_no_others() {
        for line in [
            "From alice@example.test Tue Nov 24 05:00:00 2026\n",
            "From - Tue Nov 24 05:00:00 2026",
            "From alice@example.test  Tue Nov 24 05:00 2026\r\n",
            "From a b Tue Nov 24 05:00:00 GMT 2026",
            "From a Tue Nov 24 13:00:00 2026 +0800 remote from host",
            "From a Tue Nov 24 13:00:00 +0800 2026",
        ] {
            assert_eq!(date(line.as_bytes()), Some(1_795_496_400), "{line}");
        }
        for line in [
            "From here on it gets better\n",
            "From alice@example.test",
            "From Tue Nov",
            "From a Tue Nov 24 25:00:00 2026",
            "From a Tue Feb 30 05:00:00 2026",
            ">From a Tue Nov 24 05:00:00 2026",
            "From a Tue Nov 24 05:00:00 26",
        ] {
            assert_eq!(date(line.as_bytes()), None, "{line}");
        }
        assert_eq!(date(b"From \xff Tue Nov 24 05:00:00 2026"), None);
    }
}

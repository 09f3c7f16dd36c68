//! How a value is compared with a key: match types and comparators (RFC 5228 section 2.7, RFC 5231, RFC 4790). Takes a time in proportion to
//! value times key at most, and says how much it took.
use std::cmp::Ordering;

/// What a comparison costs besides its bytes.
const COMPARISON_COST: u64 = 64;

/// What a relation asks (RFC 5231 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Gt,
    Ge,
    Lt,
    Le,
    Eq,
    Ne,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Is,
    Contains,
    Matches,
    Value(Relation),
    Count(Relation),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Comparator {
    /// i;octet
    Octet,
    /// i;ascii-casemap
    #[default]
    Casemap,
    /// i;ascii-numeric
    Numeric,
}

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matching {
    pub(super) kind: Kind,
    pub(super) comparator: Comparator,
}

impl Relation {
    pub(super) fn named(name: &str) -> Option<Relation> {
        let all = [
            ("gt", Relation::Gt),
            ("ge", Relation::Ge),
            ("lt", Relation::Lt),
            ("le", Relation::Le),
            ("eq", Relation::Eq),
            ("ne", Relation::Ne),
        ];
        all.iter().find(|(known, _)| *known == name).map(|(_, relation)| *relation)
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Relation::Gt => order.is_gt(),
            Relation::Ge => order.is_ge(),
            Relation::Lt => order.is_lt(),
            Relation::Le => order.is_le(),
            Relation::Eq => order.is_eq(),
            Relation::Ne => order.is_ne(),
        }
    }
}

/// The number at the front; `None`, which is more than any number, where there is none (RFC 4790 section 9.1).
fn number(text: &str) -> (bool, u64) {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    if digits.is_empty() { (true, 0) } else { (false, digits.parse().unwrap_or(u64::MAX)) }
}

fn order(comparator: Comparator, value: &str, key: &str) -> Ordering {
    match comparator {
        Comparator::Octet => value.as_bytes().cmp(key.as_bytes()),
        Comparator::Casemap => value.to_ascii_lowercase().cmp(&key.to_ascii_lowercase()),
        Comparator::Numeric => number(value).cmp(&number(key)),
    }
}

impl Matching {
    /// Whether any of the values fits any of the keys; takes what it costs from `left`, and `None` when that is not enough.
    pub(super) fn any(self, values: &[String], keys: &[String], left: &mut u64) -> Option<bool> {
        if let Kind::Count(relation) = self.kind {
            let count = values.len().to_string();
            let cost: u64 = keys.iter().map(|key| COMPARISON_COST + key.len() as u64).sum();
            *left = left.checked_sub(cost)?;
            return Some(keys.iter().any(|key| relation.holds(order(self.comparator, &count, key))));
        }
        for value in values {
            for key in keys {
                let cost = match self.kind {
                    Kind::Matches => (value.len() as u64 + 1) * (key.len() as u64 + 1),
                    _ => (value.len() + key.len()) as u64 + 1,
                };
                *left = left.checked_sub(COMPARISON_COST + cost)?;
                if self.one(value, key) {
                    return Some(true);
                }
            }
        }
        Some(false)
    }

    fn one(self, value: &str, key: &str) -> bool {
        let is_octet = self.comparator == Comparator::Octet;
        match self.kind {
            Kind::Is => order(self.comparator, value, key).is_eq(),
            Kind::Value(relation) => relation.holds(order(self.comparator, value, key)),
            Kind::Contains if is_octet => value.contains(key),
            Kind::Contains => value.to_ascii_lowercase().contains(&key.to_ascii_lowercase()),
            Kind::Matches if is_octet => matches(value, key),
            Kind::Matches => matches(&value.to_ascii_lowercase(), &key.to_ascii_lowercase()),
            Kind::Count(_) => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Glob {
    Any,
    One,
    Char(char),
}

/// `*` any characters, `?` one, `\` takes their meaning away. Remembers only the last star: what stands before it has found its place.
fn matches(value: &str, pattern: &str) -> bool {
    let mut glob = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        glob.push(match c {
            '*' => Glob::Any,
            '?' => Glob::One,
            '\\' => Glob::Char(chars.next().unwrap_or('\\')),
            c => Glob::Char(c),
        });
    }
    let value: Vec<char> = value.chars().collect();
    let (mut at, mut in_glob, mut star) = (0, 0, None);
    while at < value.len() {
        match glob.get(in_glob) {
            Some(Glob::Any) => {
                star = Some((in_glob, at));
                in_glob += 1;
            }
            Some(Glob::One) => (at, in_glob) = (at + 1, in_glob + 1),
            Some(Glob::Char(c)) if *c == value[at] => (at, in_glob) = (at + 1, in_glob + 1),
            _ => match &mut star {
                Some((of, begun)) => {
                    *begun += 1;
                    (at, in_glob) = (*begun, *of + 1);
                }
                None => return false,
            },
        }
    }
    glob[in_glob..].iter().all(|one| *one == Glob::Any)
}

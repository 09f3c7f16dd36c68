//! What a SEARCH or SORT is to tell of what it has found: ESEARCH (RFC 4731), PARTIAL (RFC 9394), and which messages SAVE keeps (RFC 5182). Writes
//! nothing and looks into no message.
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::fetch::plan::Plan;
use crate::imap::{out, set};
use std::ops::Range;
use std::sync::Arc;

/// The options of RETURN.
#[expect(clippy::struct_excessive_bools, reason = "each is one word of RETURN")]
#[derive(Clone, Debug, Default)]
pub(in crate::imap) struct Wanted {
    /// The answer is an ESEARCH response.
    pub(in crate::imap) extended: bool,
    pub(in crate::imap) min: bool,
    pub(in crate::imap) max: bool,
    pub(in crate::imap) all: bool,
    pub(in crate::imap) count: bool,
    pub(in crate::imap) save: bool,
    /// Which of the results, counted from 1 on, or from the last one backwards.
    pub(in crate::imap) partial: Option<Partial>,
    /// What changes in the results is to be told from then on (RFC 5267 section 4.3).
    pub(in crate::imap) update: bool,
    /// And this of new messages (RFC 5465 section 7).
    pub(in crate::imap) fetch: Option<Arc<Plan>>,
}

/// A page of results (RFC 9394 section 3.1): from the first one on, or from the last one backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::imap) struct Partial {
    first: u32,
    last: u32,
    backwards: bool,
}

/// Positions found, in the order in which they are told.
#[derive(Debug)]
pub(in crate::imap) enum Found {
    /// By message number.
    Ranges(Vec<Range<usize>>),
    /// As SORT has ordered them.
    Ordered(Vec<u32>),
}

impl Wanted {
    /// Reads `RETURN (...) ` if it stands here. `extended`: the answer is ESEARCH in any case (RFC 9051 section 6.4.4).
    pub(in crate::imap) fn parse(args: &mut Args<'_>, extended: bool) -> Result<Wanted, Answer> {
        let mut wanted = Wanted { extended, ..Wanted::default() };
        if args.eat_word("RETURN") {
            wanted.extended = true;
            args.space()?;
            args.list(true, |args| wanted.option(args))?;
            args.space()?;
        }
        let wanted_one = wanted.min || wanted.max || wanted.count || wanted.partial.is_some();
        let none = !(wanted_one || wanted.save || wanted.update);
        // RFC 4731 section 3.1: without an option, ALL; SAVE alone tells nothing (RFC 5182 section 2.1).
        wanted.all |= none && wanted.extended;
        if wanted.all && wanted.partial.is_some() {
            return Err(Answer::bad("ALL and PARTIAL exclude each other"));
        }
        Ok(wanted)
    }

    fn option(&mut self, args: &mut Args<'_>) -> Result<(), Answer> {
        let name = args.atom("a return option")?.to_ascii_uppercase();
        match name.as_str() {
            "MIN" => self.min = true,
            "MAX" => self.max = true,
            "ALL" => self.all = true,
            "COUNT" => self.count = true,
            "SAVE" => self.save = true,
            // RFC 5267 section 4.2: a hint, of which there is nothing to be made.
            "CONTEXT" => {}
            "UPDATE" if !self.update => (self.update, self.fetch) = (true, Plan::parse_optional(args)?),
            "PARTIAL" if self.partial.is_none() => {
                args.space()?;
                self.partial = Some(Partial::parse(args)?);
            }
            _ => return Err(Answer::bad(format!("There is no return option {name}, or not twice"))),
        }
        Ok(())
    }

    /// Whether the answer is more than what is saved.
    pub(in crate::imap) fn tells(&self) -> bool {
        self.min || self.max || self.all || self.count || self.update || self.partial.is_some()
    }

    /// Whether the first match answers everything.
    pub(in crate::imap) fn first_is_enough(&self) -> bool {
        self.min && !(self.max || self.all || self.count || self.update || self.partial.is_some())
    }

    /// Which of the results are told or kept, by their place in the order: all, or the two ends and the page. They may overlap.
    pub(super) fn chosen(&self, found: &Found) -> Vec<Range<usize>> {
        let len = found.len();
        if self.all || self.count || !(self.min || self.max || self.partial.is_some()) {
            return std::iter::once(0..len).collect();
        }
        let first = self.min.then_some(0..len.min(1));
        let last = self.max.then_some(len.saturating_sub(1)..len);
        let page = self.partial.map(|partial| partial.range(len));
        [first, page, last].into_iter().flatten().collect()
    }
}

impl Partial {
    pub(in crate::imap) fn parse(args: &mut Args<'_>) -> Result<Partial, Answer> {
        let backwards = args.eat("-");
        let first = args.nz_number()?;
        args.need(":")?;
        if args.eat("-") != backwards {
            args.wrong("two numbers of the same sign")?;
        }
        let last = args.nz_number()?;
        Ok(Partial { first: first.min(last), last: first.max(last), backwards })
    }

    /// How many results it asks for.
    pub(in crate::imap) fn len(self) -> u64 {
        u64::from(self.last - self.first) + 1
    }

    /// Which of so many results.
    pub(in crate::imap) fn range(self, len: usize) -> Range<usize> {
        let (first, last) = (self.first as usize - 1, self.last as usize);
        match self.backwards {
            false => first.min(len)..last.min(len),
            true => len.saturating_sub(last)..len.saturating_sub(first),
        }
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        for (at, number) in [self.first, self.last].into_iter().enumerate() {
            out.extend_from_slice(if at > 0 { b":" } else { b"" });
            out.extend_from_slice(if self.backwards { b"-" } else { b"" });
            out::number(out, number.into());
        }
    }
}

impl Found {
    pub(in crate::imap) fn len(&self) -> usize {
        match self {
            Found::Ranges(ranges) => ranges.iter().map(Range::len).sum(),
            Found::Ordered(order) => order.len(),
        }
    }

    pub(super) fn first(&self) -> Option<usize> {
        match self {
            Found::Ranges(ranges) => ranges.first().map(|range| range.start),
            Found::Ordered(order) => order.first().map(|at| *at as usize),
        }
    }

    pub(super) fn last(&self) -> Option<usize> {
        match self {
            Found::Ranges(ranges) => ranges.last().map(|range| range.end - 1),
            Found::Ordered(order) => order.last().map(|at| *at as usize),
        }
    }

    /// Bytes of memory that it takes.
    pub(in crate::imap) fn bytes(&self) -> usize {
        match self {
            Found::Ranges(ranges) => ranges.capacity() * size_of::<Range<usize>>(),
            Found::Ordered(order) => order.capacity() * size_of::<u32>(),
        }
    }

    /// Some of the positions, by their place in the order.
    pub(in crate::imap) fn slice(&self, page: Range<usize>) -> Box<dyn Iterator<Item = usize> + '_> {
        match self {
            Found::Ranges(ranges) => {
                let (mut skip, mut left) = (page.start, page.len());
                Box::new(ranges.iter().flat_map(move |range| {
                    let start = range.start + skip.min(range.len());
                    skip -= start - range.start;
                    let end = start + left.min(range.end - start);
                    left -= end - start;
                    start..end
                }))
            }
            Found::Ordered(order) => Box::new(order.get(page).unwrap_or_default().iter().map(|at| *at as usize)),
        }
    }

    /// Adds a position greater than all.
    pub(in crate::imap) fn push(&mut self, at: usize) {
        if let Found::Ranges(ranges) = self {
            set::push(ranges, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Result<Wanted, Answer> {
        Wanted::parse(&mut Args::new(text.as_bytes(), 0), false)
    }

    #[test]
    fn options() {
        assert!(wanted("ALL").is_ok_and(|wanted| !wanted.extended && !wanted.all));
        assert!(wanted("RETURN () ALL").is_ok_and(|wanted| wanted.all && wanted.extended));
        assert!(wanted("RETURN (SAVE) ALL").is_ok_and(|wanted| !wanted.all && wanted.save));
        assert!(wanted("RETURN (MIN COUNT) ALL").is_ok_and(|wanted| !wanted.all && !wanted.first_is_enough()));
        assert!(wanted("RETURN (CONTEXT) ALL").is_ok_and(|wanted| wanted.all && !wanted.update));
        let update = wanted("RETURN (MIN UPDATE (UID FLAGS)) ALL").expect("options");
        assert!(update.update && !update.first_is_enough() && update.fetch.is_some_and(|plan| plan.items.len() == 2));
        assert!(wanted("RETURN (UPDATE COUNT) ALL").is_ok_and(|wanted| wanted.update && wanted.fetch.is_none()));
        for bad in [
            "RETURN (UPDATE UPDATE) x",
            "RETURN (UPDATE ()) x",
            "RETURN (ALL PARTIAL 1:2) x",
            "RETURN (NONSENSE) x",
            "RETURN (PARTIAL 1:-2) x",
            "RETURN MIN x",
        ] {
            assert!(matches!(wanted(bad), Err(Answer::Bad(_))), "{bad}");
        }
    }

    #[test]
    fn pages() {
        let found = Found::Ranges(vec![2..5, 7..8, 9..12]);
        let page = |text: &str| {
            let partial = Partial::parse(&mut Args::new(text.as_bytes(), 0)).expect("a page");
            found.slice(partial.range(found.len())).collect::<Vec<_>>()
        };
        assert_eq!(page("1:3"), [2, 3, 4]);
        assert_eq!(page("5:4"), [7, 9]);
        assert_eq!(page("-1:-2"), [10, 11]);
        assert_eq!(page("-6:-99"), [2, 3]);
        assert_eq!(page("8:9"), Vec::<usize>::new());
    }
}

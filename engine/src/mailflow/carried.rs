//! What was found out about a message goes with it through the queue and comes out of it for policies that are asked there. Finds out nothing.
use super::{Advice, Dmarc, Facts, Origin, Outcome, Policy, Verdict};
use crate::base::AccountId;
use crate::queue::{Arrival, Came};

/// By their codes in docs/format.md, "Queue item".
const OUTCOMES: [Outcome; 7] = [
    Outcome::Unchecked,
    Outcome::None,
    Outcome::Pass,
    Outcome::Fail,
    Outcome::Weak,
    Outcome::TempError,
    Outcome::PermError,
];
const DMARC: [Dmarc; 8] = [
    Dmarc::Unchecked,
    Dmarc::None,
    Dmarc::Pass,
    Dmarc::TempError,
    Dmarc::PermError,
    Dmarc::Fail(Policy::None),
    Dmarc::Fail(Policy::Quarantine),
    Dmarc::Fail(Policy::Reject),
];

fn code<T: PartialEq>(all: &[T], one: T) -> u8 {
    all.iter().position(|known| *known == one).unwrap_or(0) as u8
}

fn named<T: Copy + Default>(all: &[T], code: u8) -> T {
    all.get(usize::from(code)).copied().unwrap_or_default()
}

/// For the queue, of a message that those verdicts were made of. What makes it suspicious for everybody does so for who gets it later; what only one
/// tenant thinks of it is asked again.
pub fn arrival(origin: Origin, facts: Facts, aside: bool, verdicts: &[Verdict]) -> Arrival {
    let came = match origin {
        Origin::Outside => Came::Outside,
        Origin::Member(_) => Came::Member,
        Origin::Front => Came::Front,
    };
    let mut judged = verdicts.iter().filter(|verdict| verdict.refusal.is_none()).peekable();
    let suspicious = judged.peek().is_some() && judged.all(|verdict| verdict.suspect.is_some());
    let Facts { spf, dkim, arc, dmarc } = facts;
    let facts = [code(&OUTCOMES, spf), code(&OUTCOMES, dkim), code(&OUTCOMES, arc), code(&DMARC, dmarc)];
    Arrival { came, suspicious, aside, facts, placed: Vec::new() }
}

/// Out of the queue: who has brought it, what was found out about its sender, what speaks against it. `account` is the item's.
pub fn known(arrival: &Arrival, account: Option<AccountId>) -> (Origin, Facts, Advice<'static>) {
    let origin = match (arrival.came, account) {
        (Came::Member, Some(account)) => Origin::Member(account),
        (Came::Front, _) => Origin::Front,
        _ => Origin::Outside,
    };
    let [spf, dkim, arc, dmarc] = arrival.facts;
    let facts = Facts {
        spf: named(&OUTCOMES, spf),
        dkim: named(&OUTCOMES, dkim),
        arc: named(&OUTCOMES, arc),
        dmarc: named(&DMARC, dmarc),
    };
    let advice = match (arrival.aside, arrival.suspicious) {
        (true, _) => Advice::Quarantine,
        (false, true) => Advice::Junk,
        (false, false) => Advice::None,
    };
    (origin, facts, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        for (at, dmarc) in DMARC.into_iter().enumerate() {
            let spf = OUTCOMES[at % OUTCOMES.len()];
            let facts = Facts { spf, dkim: Outcome::Weak, arc: Outcome::PermError, dmarc };
            for origin in [Origin::Outside, Origin::Member(AccountId(7)), Origin::Front] {
                let kept = arrival(origin, facts, at % 2 == 0, &[]);
                let advice = if at % 2 == 0 { Advice::Quarantine } else { Advice::None };
                assert_eq!(known(&kept, Some(AccountId(7))), (origin, facts, advice));
            }
        }
        let odd = Arrival { facts: [200; 4], suspicious: true, came: Came::Member, ..Arrival::default() };
        assert_eq!(known(&odd, None), (Origin::Outside, Facts::default(), Advice::Junk));
    }
}
